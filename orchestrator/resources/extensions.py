"""Kinds of our own group, ferrule.io/v1alpha1."""

from typing import Literal

from orchestrator.resources.meta import KubeStruct, ObjectMeta


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


class SpeakerStateSpec(KubeStruct, frozen=True, omit_defaults=False):
    """What election and conflict resolution need from another node.

    `instance` is new with each start of the speaker; `mesh_addresses` are where its responder hears heartbeats;
    `announced_addresses` are layer 2's, `announced_prefixes` BGP's; `conflicts` are sorted by address.
    """

    node: str
    instance: str = ""
    version: str = ""
    mesh_addresses: tuple[str, ...] = ()
    interfaces: tuple[SpeakerInterface, ...] = ()
    draining: bool = False
    announced_addresses: int = 0
    announced_prefixes: int = 0
    conflicts: tuple[AddressConflict, ...] = ()


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
