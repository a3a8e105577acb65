"""Config: what `resolve` makes of the objects. References are joined, defaults filled, selectors applied to nodes.

Every value is frozen and hashable where it travels into plans. `origin` names the object a part came from: a line
that a daemon refuses takes out the blocks of that object, not the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from orchestrator.net.addresses import AddressRange, IpAddress, IpFamily, family_of
from orchestrator.net.bgp import Asn, Community, RouterId
from orchestrator.resources.meta import ObjectKey, ObjectRef, Problem
from orchestrator.resources.metallb import LabelSelector
from orchestrator.resources.secret_text import SecretText
from orchestrator.resources.selectors import admits

NodeName = str


class RemoteAs(Enum):
    """`dynamicASN`: the peer's AS number is not written down, only whether it is ours."""

    INTERNAL = "internal"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAllocation:
    """Which Services a pool serves.

    `namespaces` is the union of the names and of the namespaces that the selectors match, None if neither was given
    (any namespace). `service_selectors` are OR-ed; empty means any Service. `priority`: lower positive first, 0 last.
    """

    priority: int = 0
    namespaces: frozenset[str] | None = None
    service_selectors: tuple[LabelSelector, ...] = ()


class Spread(Enum):
    """How layer-2 addresses are divided among equally preferred nodes: MetalLB's order, or evenly (ours)."""

    HASH = "hash"
    EVEN = "even"


@dataclass(frozen=True, slots=True, kw_only=True)
class L2Advertisement:
    """`nodes` are all nodes that the node selectors match; `interfaces` empty means every interface.

    `preference` holds positive scores of nodes in `nodes` only (contract 3.7).
    """

    name: str
    origin: ObjectRef
    nodes: frozenset[NodeName]
    interfaces: tuple[str, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()
    preference: Mapping[NodeName, int] = field(default_factory=dict)
    require_on_link: bool = False
    spread: Spread = Spread.HASH


class Weight(Enum):
    """How routers share a prefix' traffic among the nodes that announce it: evenly, or by endpoints (ours)."""

    EQUAL = "equal"
    ENDPOINTS = "endpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpAdvertisement:
    """`peers` None means every peer; `communities` are parsed, aliases replaced, in the order of contract 3.4."""

    name: str
    origin: ObjectRef
    nodes: frozenset[NodeName]
    aggregation_length: int = 32
    aggregation_length_v6: int = 128
    local_pref: int = 0
    med: int = 0
    as_path_prepend: int = 0
    weight: Weight = Weight.EQUAL
    communities: tuple[Community, ...] = ()
    peers: frozenset[str] | None = None
    service_selectors: tuple[LabelSelector, ...] = ()
    created: str = ""

    def length_for(self, family: IpFamily) -> int:
        """The aggregation length of that family."""
        return self.aggregation_length if family is IpFamily.IPV4 else self.aggregation_length_v6


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """`ranges` are in the order of the spec and do not overlap with any other pool's.

    `former_ranges` are those of its last good spec if that is another one: nobody gets an address of these any more, and
    Services that hold one are announced until the controller takes it from them. A `draining` pool gives addresses to
    nobody; who has one keeps it.
    """

    name: str
    origin: ObjectRef
    ranges: tuple[AddressRange, ...]
    former_ranges: tuple[AddressRange, ...] = ()
    auto_assign: bool = True
    draining: bool = False
    avoid_buggy_ips: bool = False
    service_allocation: ServiceAllocation | None = None
    l2_advertisements: tuple[L2Advertisement, ...] = ()
    bgp_advertisements: tuple[BgpAdvertisement, ...] = ()

    def __contains__(self, address: IpAddress) -> bool:
        return any(address in part for part in self.ranges)

    def has_or_had(self, address: IpAddress) -> bool:
        """Whether Services with this address are announced as the pool's, if no pool has it now."""
        return any(address in part for part in (*self.ranges, *self.former_ranges))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Addresses kept for Services that may not exist yet; `ranges` overlap with no other reservation's.

    With `service` they are for that one, else for those in `namespaces` (None: any) that `service_selectors` admit.
    """

    name: str
    origin: ObjectRef
    ranges: tuple[AddressRange, ...]
    service: ObjectKey | None = None
    namespaces: frozenset[str] | None = None
    service_selectors: tuple[LabelSelector, ...] = ()

    def admits(self, service: ObjectKey, labels: Mapping[str, str]) -> bool:
        """Whether the addresses are for this Service."""
        if self.service is not None:
            return service == self.service
        in_namespace = self.namespaces is None or service.namespace in self.namespaces
        return in_namespace and admits(self.service_selectors, labels)


class QuotaScope(Enum):
    """What an AddressQuota counts: each namespace by itself, or all of them together."""

    NAMESPACE = "Namespace"
    TOTAL = "Total"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressQuota:
    """How many distinct addresses of `pools` (None: any) Services of `namespaces` (None: any) may hold.

    `limits` has the families that are limited; an address that several Services share counts once in each scope.
    """

    name: str
    origin: ObjectRef
    limits: Mapping[IpFamily, int]
    namespaces: frozenset[str] | None = None
    pools: frozenset[str] | None = None
    scope: QuotaScope = QuotaScope.NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class BfdProfile:
    """Intervals in milliseconds; None leaves FRR's default (300, 300, 3, echo 50)."""

    name: str
    origin: ObjectRef
    receive_interval_ms: int | None = None
    transmit_interval_ms: int | None = None
    detect_multiplier: int | None = None
    echo_interval_ms: int | None = None
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One BGPPeer on the nodes in `nodes`. Exactly one of `address` and `interface` is set.

    `hold_time` and `keepalive_time` are both set or both None (daemon's default); 0 disables. All are whole seconds.
    """

    name: str
    origin: ObjectRef
    nodes: frozenset[NodeName]
    my_asn: Asn
    remote_as: Asn | RemoteAs
    address: IpAddress | None = None
    interface: str = ""
    port: int = 179
    local_asn: Asn | None = None
    source_address: IpAddress | None = None
    router_id: RouterId | None = None
    hold_time: timedelta | None = None
    keepalive_time: timedelta | None = None
    connect_time: timedelta | None = None
    password: SecretText | None = None
    bfd_profile: str = ""
    graceful_restart: bool = False
    ebgp_multi_hop: bool = False
    vrf: str = ""
    dual_stack_address_family: bool = False

    @property
    def neighbor(self) -> str:
        """FRR's name of the neighbor: its address, or the interface of an unnumbered session."""
        return str(self.address) if self.address is not None else self.interface

    @property
    def own_asn(self) -> Asn:
        """The AS number that the peer knows us by."""
        return self.local_asn or self.my_asn

    @property
    def is_external(self) -> bool:
        """Whether this is eBGP."""
        if isinstance(self.remote_as, RemoteAs):
            return self.remote_as is RemoteAs.EXTERNAL
        return self.remote_as != self.own_asn

    @property
    def families(self) -> tuple[IpFamily, ...]:
        """Which families the session carries (contract 5.6)."""
        if self.address is None or self.dual_stack_address_family:
            return (IpFamily.IPV4, IpFamily.IPV6)
        return (family_of(self.address),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """Raw FRR text of the user; `text` None: there is one that cannot be used, so what was accepted last stays."""

    origin: ObjectRef
    text: SecretText | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What decisions need of a Node object. `internal_addresses` are its InternalIPs in the object's order.

    `not_ready`: it is NotReady, and that counts (`nodes.heeding_readiness`).
    `as_path_prepend` adds to what advertisements say, `med` (None: not given) goes before it.
    """

    name: NodeName
    labels: Mapping[str, str]
    internal_addresses: tuple[IpAddress, ...] = ()
    network_unavailable: bool = False
    excluded_from_balancers: bool = False
    not_ready: bool = False
    as_path_prepend: int = 0
    med: int | None = None
    created: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything usable, by name. `nodes` are all known nodes.

    `held_peers` are names of BGPPeers that exist and cannot be rendered now: whatever session of theirs runs is kept.
    `locked_peers` are those of them of which only the password is missing: prefixes still go to them, so that a
    prefix' policy does not change with a Secret.
    """

    pools: Mapping[str, Pool] = field(default_factory=dict)
    peers: Mapping[str, Peer] = field(default_factory=dict)
    bfd_profiles: Mapping[str, BfdProfile] = field(default_factory=dict)
    nodes: Mapping[NodeName, NodeFacts] = field(default_factory=dict)
    reservations: Mapping[str, Reservation] = field(default_factory=dict)
    quotas: Mapping[str, AddressQuota] = field(default_factory=dict)
    held_peers: frozenset[str] = frozenset()
    locked_peers: Mapping[str, Peer] = field(default_factory=dict)
    extras: Extras | None = None

    def peers_of(self, node: NodeName) -> tuple[Peer, ...]:
        """The peers of one node, by name."""
        return tuple(peer for _, peer in sorted(self.peers.items()) if node in peer.nodes)

    def receivers_on(self, node: NodeName) -> tuple[Peer, ...]:
        """The peers of one node that prefixes go to: those rendered and those that keep their session, by name."""
        both = {**self.peers, **self.locked_peers}
        return tuple(peer for _, peer in sorted(both.items()) if node in peer.nodes)


LastGood = Mapping[ObjectRef, bytes]
"""Per object a JSON document with its last spec that could be used, without passwords (`claims.Remembered`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What `resolve` found: the usable configuration, every problem, and the specs to remember as last good."""

    config: Config
    problems: tuple[Problem, ...] = ()
    last_good: LastGood = field(default_factory=dict)
