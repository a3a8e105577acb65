"""Small builders of rendered documents: peers, routes and policies with what a test does not care about filled in."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

from jinja2 import FileSystemLoader

from orchestrator.config.model import BfdProfile, BgpAdvertisement, Config, NodeFacts, Peer, Pool
from orchestrator.decide.node_plan import NodePlan, Route, RouteAttributes, RoutePolicy
from orchestrator.net.bgp import Asn, parse_community
from orchestrator.render.document import FrrDocument
from orchestrator.render.environment import build_environment
from orchestrator.render.frr import FrrInput, FrrRenderer
from orchestrator.render.views import Leg
from orchestrator.resources.meta import ObjectRef
from orchestrator.settings import template_folder

NODE = "node-1"
ROUTER_ID = IPv4Address("10.99.0.1")
ROUTER_V4, ROUTER_V6 = "10.99.0.254", "fd99::fe"
LEG = Leg(interface="eth0", address=ip_address("10.99.0.1"), prefix=ip_network("10.99.0.0/24"))


def renderer() -> FrrRenderer:
    return FrrRenderer(build_environment(FileSystemLoader(template_folder())))


def ref(kind: str, name: str) -> ObjectRef:
    return ObjectRef(kind, "metallb-system", name)


def peer(name: str = "router", address: str = ROUTER_V4, **fields: Any) -> Peer:
    """A peer of NODE: AS 65001 here, 65000 there, connecting again after 1 s."""
    given: dict[str, Any] = {
        "origin": ref("BGPPeer", name),
        "nodes": frozenset({NODE}),
        "my_asn": Asn(65001),
        "remote_as": Asn(65000),
        "connect_time": timedelta(seconds=1),
        "address": ip_address(address) if address else None,
        **fields,
    }
    return Peer(name=name, **given)


def attributes(
    *communities: str, local_pref: int = 0, med: int = 0, prepended: Iterable[int] = (), weight: int = 0
) -> RouteAttributes:
    return RouteAttributes(
        local_pref=local_pref,
        med=med,
        prepended=tuple(map(Asn, prepended)),
        weight=weight,
        communities=tuple(map(parse_community, communities)),
    )


def policy(**per_peer: RouteAttributes) -> RoutePolicy:
    return RoutePolicy(per_peer=tuple(sorted(per_peer.items())))


def route(prefix: str, route_policy: RoutePolicy, origin: str = "advertisement") -> Route:
    return Route(prefix=ip_network(prefix), policy=route_policy, origins=(ref("BGPAdvertisement", origin),))


def pool_with_peer_lists(*lists: Iterable[str]) -> Pool:
    """A pool whose advertisements name these peers: what out-maps depend on."""
    return Pool(
        name="pool",
        origin=ref("IPAddressPool", "pool"),
        ranges=(),
        bgp_advertisements=tuple(
            BgpAdvertisement(
                name=f"ad-{number}",
                origin=ref("BGPAdvertisement", f"ad-{number}"),
                nodes=frozenset({NODE}),
                peers=frozenset(names),
            )
            for number, names in enumerate(lists)
        ),
    )


def frr_input(
    peers: Iterable[Peer],
    routes: Iterable[Route] = (),
    *,
    profiles: Iterable[BfdProfile] = (),
    peer_lists: Iterable[Iterable[str]] = (),
    sequences: Mapping[int, int] | None = None,
    legs: tuple[Leg, ...] = (),
) -> FrrInput:
    config = Config(
        peers={each.name: each for each in peers},
        pools={"pool": pool_with_peer_lists(*peer_lists)},
        bfd_profiles={each.name: each for each in profiles},
    )
    return FrrInput(
        node=NodeFacts(name=NODE, labels={}),
        config=config,
        plan=NodePlan(routes={each.prefix: each for each in routes}),
        router_id=ROUTER_ID,
        sequences=sequences or {},
        legs=legs,
    )


def document(peers: Iterable[Peer], routes: Iterable[Route] = (), **more: Any) -> FrrDocument:
    return renderer().render(frr_input(peers, routes, **more))
