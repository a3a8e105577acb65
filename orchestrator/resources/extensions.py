"""Kinds of our own group, ferrule.io/v1alpha1."""

from typing import Annotated, Literal

import msgspec

from orchestrator.resources.meta import Condition, KubeStruct, ObjectMeta
from orchestrator.resources.metallb import Int64, LabelSelector

Limit = Annotated[Int64, msgspec.Meta(ge=0, le=2**53)]
"""A count that every reader of JSON takes for the same number."""


class SpeakerInterface(KubeStruct, frozen=True, omit_defaults=False):
    """An interface that may answer: its MAC, whether it has carrier, its addresses with their length (192.0.2.1/24)."""

    name: str
    mac: str = ""
    carrier: bool = False
    prefixes: tuple[str, ...] = ()


class AddressConflict(KubeStruct, frozen=True, omit_defaults=False):
    """Somebody else has an address that this node should answer for: `mac`, seen on `interface`.

    `node` is the one of ours that has this MAC, empty for a stranger. `action`: `defended` (we go on answering),
    `yielded` (we stopped), `refused` (it was in use before we ever answered, so we did not begin).
    """

    address: str
    mac: str
    interface: str = ""
    node: str = ""
    action: Literal["defended", "yielded", "refused"] = "defended"


class PeerSession(KubeStruct, frozen=True, omit_defaults=False):
    """How the session of a BGPPeer is on this node: `reason` is a word of docs/reasons.md, `message` a sentence.

    `vrf` is `default` for none; `since` (RFC 3339) is when it became so.
    """

    peer: str
    neighbor: str
    vrf: str = ""
    established: bool = False
    reason: str = ""
    message: str = ""
    since: str = ""


class DrainReport(KubeStruct, frozen=True, omit_defaults=False):
    """How far the drain of a node is; `stage` is empty without one, `by` is what asked for it, `since` (RFC 3339) when.

    `marked`: GRACEFUL_SHUTDOWN goes out with every route. `withdrawn`: only what is held back is still announced, because
    no other node would: `held_back` names the first of them as namespace/name, `held_back_count` says how many.
    """

    stage: Literal["", "marked", "withdrawn"] = ""
    forced: bool = False
    by: str = ""
    since: str = ""
    held_back: tuple[str, ...] = ()
    held_back_count: Int64 = 0


class SpeakerStateSpec(KubeStruct, frozen=True, omit_defaults=False):
    """What election and conflict resolution need from another node.

    `instance` is new with each start of the speaker; `mesh_addresses` are where its responder hears heartbeats;
    `announced_addresses` are layer 2's, `announced_prefixes` BGP's; `weights` says how exactly prefixes are weighed;
    `conflicts` are sorted by address, `sessions` by peer. `draining`: the speaker ends; `drain`: the node is drained, and
    may own what nobody else can unless that was forced. `dampened` are prefixes kept back because they come and go,
    sorted, at most `DAMPENED_LIMIT`; `node_not_ready`: BGP's are withdrawn because the Node is NotReady.
    """

    node: str
    instance: str = ""
    version: str = ""
    mesh_addresses: tuple[str, ...] = ()
    interfaces: tuple[SpeakerInterface, ...] = ()
    draining: bool = False
    drain: DrainReport = DrainReport()
    announced_addresses: int = 0
    announced_prefixes: int = 0
    weights: Literal["fine", "coarse", "beyondLimit"] = "fine"
    conflicts: tuple[AddressConflict, ...] = ()
    dampened: tuple[str, ...] = ()
    node_not_ready: bool = False
    sessions: tuple[PeerSession, ...] = ()

    @property
    def is_leaving(self) -> bool:
        """Whether other nodes should take what this one has."""
        return self.draining or self.drain.stage != ""

    @property
    def is_last_resort(self) -> bool:
        """Whether the node is drained, and still there for what nobody else may own."""
        return not self.draining and self.drain.stage != "" and not self.is_out

    @property
    def is_out(self) -> bool:
        """Whether the drain was forced and is through."""
        return self.drain.forced and self.drain.stage == "withdrawn"


class SpeakerState(KubeStruct, frozen=True):
    metadata: ObjectMeta
    spec: SpeakerStateSpec


class FailoverSpec(KubeStruct, frozen=True):
    """`address` is answered for by node `to` while that one can; with `to` empty by any candidate not in `avoid`."""

    address: str
    to: str = ""
    avoid: tuple[str, ...] = ()


class Failover(KubeStruct, frozen=True):
    """A layer-2 address that was moved by hand; removing the object undoes it."""

    metadata: ObjectMeta
    spec: FailoverSpec


class ServiceReference(KubeStruct, frozen=True):
    """A Service, whether or not it exists."""

    namespace: str
    name: str


class AddressReservationSpec(KubeStruct, frozen=True):
    """Who may have `addresses`: `service` alone, or the Services that all of the other fields let through."""

    addresses: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    service: ServiceReference | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selectors: tuple[LabelSelector, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()


class AddressHolder(KubeStruct, frozen=True, omit_defaults=False):
    """`service` is namespace/name."""

    address: str
    service: str


class AddressReservationStatus(KubeStruct, frozen=True, omit_defaults=False):
    """`holders` are at most `HOLDERS_LIMIT`, by address. Conditions that are not set are left as they are."""

    holders: tuple[AddressHolder, ...] = ()
    conditions: tuple[Condition, ...] | msgspec.UnsetType = msgspec.UNSET


class AddressReservation(KubeStruct, frozen=True):
    """Addresses that only some Services get, which need not exist yet."""

    metadata: ObjectMeta
    spec: AddressReservationSpec
    status: AddressReservationStatus | None = None


class AddressQuotaSpec(KubeStruct, frozen=True):
    """At least one of `ipv4` and `ipv6` is set. No namespaces and selectors: every namespace; no pools: every pool."""

    namespaces: tuple[str, ...] = ()
    namespace_selectors: tuple[LabelSelector, ...] = ()
    pools: tuple[str, ...] = ()
    ipv4: Limit | None = None
    ipv6: Limit | None = None
    scope: Literal["Namespace", "Total"] = "Namespace"


class NamespaceUse(KubeStruct, frozen=True, omit_defaults=False):
    """How many distinct addresses the Services of one namespace hold."""

    namespace: str
    ipv4: Int64 = 0
    ipv6: Int64 = 0


class AddressQuotaStatus(KubeStruct, frozen=True, omit_defaults=False):
    """`namespaces` are the fullest `NAMESPACES_LIMIT`. Conditions that are not set are left as they are."""

    used_ipv4: Int64 = msgspec.field(default=0, name="usedIPv4")
    used_ipv6: Int64 = msgspec.field(default=0, name="usedIPv6")
    namespaces: tuple[NamespaceUse, ...] = ()
    conditions: tuple[Condition, ...] | msgspec.UnsetType = msgspec.UNSET


class AddressQuota(KubeStruct, frozen=True):
    """How many addresses Services may hold."""

    metadata: ObjectMeta
    spec: AddressQuotaSpec
    status: AddressQuotaStatus | None = None


DAMPENED_LIMIT = 100
HOLDERS_LIMIT = 100
NAMESPACES_LIMIT = 100
