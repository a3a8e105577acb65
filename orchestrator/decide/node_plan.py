"""What one node announces: results of planning one address group, and their sum over all groups.

A group is the Services that share any address, transitively; mostly one Service. `announcement.plan_group` makes a
GroupPlan from a group; `NodePlan` sums them, so that one changed group costs the work of one group.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from operator import add

from orchestrator.net.addresses import IpAddress, Prefix, address_key
from orchestrator.net.bgp import Asn, Community, community_key
from orchestrator.resources.meta import ObjectKey, ObjectRef


class Protocol(Enum):
    """How an address is announced; the values are MetalLB's label values."""

    LAYER2 = "layer2"
    BGP = "bgp"


class DeclineReason(Enum):
    """Why a Service is not announced here. Values are MetalLB's words where it has one (contract 12.2)."""

    NOT_LOAD_BALANCER = "notLoadBalancer"
    NO_IP_ALLOCATED = "noIPAllocated"
    INVALID_IP = "invalidIP"
    IP_NOT_ALLOWED = "ipNotAllowed"
    CLASS_NOT_OURS = "classNotOurs"
    NOT_OWNER = "notOwner"
    SHARED_IP_WITH_SERVICE_SELECTOR = "sharedIPWithServiceSelector"
    NO_MATCHING_ADVERTISEMENT = "noMatchingAdvertisement"
    CONFLICTING_ADVERTISEMENTS = "conflictingAdvertisements"
    NODE_NETWORK_UNAVAILABLE = "nodeNetworkUnavailable"
    NODE_EXCLUDED = "nodeLabeledExcludeBalancers"
    NODE_DRAINED = "nodeDrained"
    NODE_NOT_READY = "nodeNotReady"
    NO_LOCAL_ENDPOINTS = "noLocalEndpoints"
    NO_ENDPOINTS = "noEndpoints"
    NO_NODE_ON_LINK = "noNodeOnLink"
    NO_INTERFACE = "noInterface"
    ADDRESS_IN_USE = "addressInUse"
    YIELDED = "yielded"
    NO_PEER_CARRIES_FAMILY = "noPeerCarriesFamily"
    NO_PEER_ON_NODE = "noPeerOnNode"
    DAMPENED = "dampened"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAttributes:
    """What one peer is sent with a prefix.

    `local_pref` 0 means not set, `med` 0 is what BGP sends anyway; `prepended` are AS numbers before the path that the
    peer would see; communities are sorted and unique. `weight` 0 means none is sent; a GroupPlan has the sum of endpoints,
    a NodePlan what is sent (see `weights`).
    """

    local_pref: int = 0
    med: int = 0
    prepended: tuple[Asn, ...] = ()
    weight: int = 0
    communities: tuple[Community, ...] = ()

    def agrees_with(self, other: "RouteAttributes") -> bool:
        """Whether one update can be both: communities unite, weights add up, of the rest there is one."""
        return (self.local_pref, self.med, self.prepended) == (other.local_pref, other.med, other.prepended)

    def union(self, other: "RouteAttributes", weigh: "Weighing" = add) -> "RouteAttributes":
        """Both sets of communities; of the rest the higher (contract 5.3; conflicts were declined before)."""
        if self == other and not self.weight:
            return self
        return RouteAttributes(
            local_pref=max(self.local_pref, other.local_pref),
            med=max(self.med, other.med),
            prepended=max(self.prepended, other.prepended),
            weight=weigh(self.weight, other.weight),
            communities=tuple(sorted({*self.communities, *other.communities}, key=community_key)),
        )


Weighing = Callable[[int, int], int]
"""What becomes of two weights of one prefix: those of two Services add up; two advertisements of one say the same twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePolicy:
    """To which peers a prefix goes, with which attributes: (BGPPeer name, attributes), sorted by name."""

    per_peer: tuple[tuple[str, RouteAttributes], ...]

    @property
    def is_weighted(self) -> bool:
        """Whether some peer is sent a weight."""
        return any(attributes.weight for _, attributes in self.per_peer)

    def with_weights(self, change: Callable[[int], int]) -> "RoutePolicy":
        """The policy with other weights."""
        weighed = ((peer, replace(each, weight=change(each.weight))) for peer, each in self.per_peer)
        return RoutePolicy(per_peer=tuple(weighed))

    def union(self, other: "RoutePolicy", weigh: Weighing = add) -> "RoutePolicy":
        merged = dict(self.per_peer)
        for peer, attributes in other.per_peer:
            merged[peer] = merged[peer].union(attributes, weigh) if peer in merged else attributes
        return RoutePolicy(per_peer=tuple(sorted(merged.items(), key=lambda item: item[0])))

    def conflicts_with(self, other: "RoutePolicy") -> bool:
        """Whether some peer would be sent two local preferences, MEDs or AS paths."""
        present = dict(other.per_peer)
        return any(peer in present and not present[peer].agrees_with(attributes) for peer, attributes in self.per_peer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One prefix with its policy, and the objects that caused it (advertisements), for blame."""

    prefix: Prefix
    policy: RoutePolicy
    origins: tuple[ObjectRef, ...] = ()

    def union(self, other: "Route | None", weigh: Weighing = add) -> "Route":
        """The same prefix with both policies and all origins, sorted."""
        if other is None:
            return self
        origins = tuple(sorted({*self.origins, *other.origins}))
        return Route(prefix=self.prefix, policy=self.policy.union(other.policy, weigh), origins=origins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer2Address:
    """An address that this node answers for; `interfaces` None means every eligible interface, else sorted names."""

    address: IpAddress
    interfaces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """An address of the group that another node was elected to answer for."""

    address: IpAddress
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A Service that this node announces; `peers` are the BGPPeer names (BGP), `interfaces` as in Layer2Address."""

    service: ObjectKey
    protocol: Protocol
    addresses: tuple[IpAddress, ...]
    peers: tuple[str, ...] = ()
    interfaces: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """A Service that this node does not announce over `protocol`; `detail` names the object at fault and the remedy."""

    service: ObjectKey
    protocol: Protocol
    reason: DeclineReason
    detail: str = ""


Seniority = tuple[bool, str, ObjectKey]
"""Sort key of a Service's age: without creation time, creation time, key; lower is older."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """The outcome for one group on one node. Sorted throughout: equal input gives an equal plan.

    `withheld` are addresses that this node was elected for and leaves to whoever has them on the wire. `seniority`
    orders groups by their oldest Service; None if no Service passed the gate.
    """

    routes: tuple[Route, ...] = ()
    layer2: tuple[Layer2Address, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    withheld: tuple[IpAddress, ...] = ()
    announced: tuple[Announced, ...] = ()
    declined: tuple[Decline, ...] = ()
    seniority: Seniority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """The sum of all groups: one Route per prefix (policies united), one entry per layer-2 address."""

    routes: Mapping[Prefix, Route] = field(default_factory=dict)
    layer2: Mapping[IpAddress, Layer2Address] = field(default_factory=dict)


def layer2_in_order(entries: Iterable[Layer2Address]) -> tuple[Layer2Address, ...]:
    """Sorted by address, IPv4 first."""
    return tuple(sorted(entries, key=lambda entry: address_key(entry.address)))
