"""Which Services are ours, which endpoints can serve, and which nodes may announce (contract 2.2, 4.1, 4.2, 5.2).

Each rule is a function of its own; `announcement` asks them in the contract's order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from orchestrator.config.model import L2Advertisement, NodeFacts, NodeName
from orchestrator.decide.drain import DrainStage
from orchestrator.net.addresses import IpAddress
from orchestrator.net.link import MacAddress
from orchestrator.resources.classes import CLASSLESS, ServedClasses
from orchestrator.resources.core import Endpoint, EndpointSlice, Service

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLink:
    """An interface of a node that may answer; `networks` are on-link there, link-local ones left out."""

    interface: str
    carrier: bool
    networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a person wants an address: at `to` while that is a candidate, else (or with `to` empty) not at `avoid`."""

    to: NodeName = ""
    avoid: frozenset[NodeName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupied:
    """Somebody else has an address on the wire; `node` is the one of ours with this MAC, empty for a stranger.

    `before_use`: it was so when we first asked, so we never answered for it.
    """

    mac: MacAddress
    interface: str
    node: NodeName = ""
    before_use: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """From where a plan is made. `alive` are the nodes whose responder lives, None if nobody knows: then all nodes count.

    `reserve` live, too, and came back not long ago: they own only what nobody of `alive` may own.
    `ignore_exclude_label`: announce from nodes with the label exclude-from-external-load-balancers, too. `links` tells
    of the nodes that have said what they have, this one included. `shares` is the outcome of `spread: even`, by the
    address that an election is about. `occupied` are addresses that this node leaves to another on the wire. `drain` is
    how far the node's own drain is; `successors` are the nodes whose routes count when it withdraws.
    """

    node: NodeName
    alive: frozenset[NodeName] | None = None
    reserve: frozenset[NodeName] = frozenset()
    links: Mapping[NodeName, tuple[NodeLink, ...]] = field(default_factory=dict)
    placements: Mapping[IpAddress, Placement] = field(default_factory=dict)
    shares: Mapping[IpAddress, NodeName] = field(default_factory=dict)
    occupied: Mapping[IpAddress, Occupied] = field(default_factory=dict)
    classes: ServedClasses = CLASSLESS
    ignore_exclude_label: bool = False
    drain: DrainStage = DrainStage.SERVING
    successors: frozenset[NodeName] = frozenset()


def has_our_class(service: Service, classes: ServedClasses) -> bool:
    """Whether the Service's loadBalancerClass is one that we serve."""
    return classes.include(service.spec.load_balancer_class)


def can_serve(endpoint: Endpoint) -> bool:
    """Whether traffic may go there: ready, not said to be unready, or terminating but still serving."""
    conditions = endpoint.conditions
    return bool(endpoint.addresses) and (conditions.ready is not False or conditions.serving is True)


@dataclass(frozen=True, slots=True)
class Serving:
    """Whether any endpoint of a Service can serve, and the nodes that host such endpoints."""

    anywhere: bool
    nodes: frozenset[NodeName]


def serving(slices: Iterable[EndpointSlice]) -> Serving:
    """Sum up the endpoints of one Service."""
    able = [endpoint for part in slices for endpoint in part.endpoints if can_serve(endpoint)]
    return Serving(bool(able), frozenset(endpoint.node_name for endpoint in able if endpoint.node_name))


def is_local(service: Service) -> bool:
    """Whether externalTrafficPolicy keeps traffic on the node that it came to."""
    return service.spec.external_traffic_policy == "Local"


def is_excluded(facts: NodeFacts, view: NodeView) -> bool:
    """Whether the node's label keeps it from announcing."""
    return facts.excluded_from_balancers and not view.ignore_exclude_label


def preference(advertisements: Iterable[L2Advertisement]) -> dict[NodeName, int]:
    """Return the sum of the preferences of the advertisements, each counted once."""
    scores: dict[NodeName, int] = {}
    unique: Mapping[str, L2Advertisement] = {advertisement.name: advertisement for advertisement in advertisements}
    for advertisement in unique.values():
        for node, score in advertisement.preference.items():
            scores[node] = scores.get(node, 0) + score
    return scores
