from typing import Any

import pytest

from tests.support.advising import lines, node, speaker
from tests.support.objects import bfd_object, bgp_object, labeled, peer_object, pool_object

POOL = pool_object("p", "198.51.100.0/24")
ALL = bgp_object("all")
NODES = (node("n1", "203.0.113.11", rack="1"), node("n2", "203.0.113.12", rack="2"))


def peer(**spec: Any) -> Any:
    return peer_object("tor", "203.0.113.1", **spec)


def about_peer(spec: dict[str, Any], *more: Any, **around: Any) -> list[str]:
    return lines(POOL, ALL, peer(**spec), *more, **around)


def test_peer_that_no_advertisement_is_for() -> None:
    assert lines(POOL, peer()) == ["PeerGetsNoRoutes tor", "PoolNotAdvertised p"]
    others = lines(POOL, peer(), peer_object("two", "203.0.113.2"), bgp_object("one", peers=("two",)))
    assert others == ["PeerGetsNoRoutes tor"]


def test_peer_that_selects_no_node() -> None:
    spec = {"node_selectors": (labeled(rack="3"),)}
    assert about_peer(spec) == []
    assert about_peer(spec, *NODES) == ["SelectsNoNode tor spec.nodeSelectors"]


def test_node_is_not_its_own_router() -> None:
    mesh = peer_object("mesh", "203.0.113.11")
    assert lines(POOL, ALL, mesh, *NODES) == ["PeerIsOwnNode mesh spec.peerAddress"]
    apart = peer_object("mesh", "203.0.113.11", node_selectors=(labeled(rack="2"),))
    assert lines(POOL, ALL, apart, *NODES) == []


@pytest.mark.parametrize(
    ("spec", "prefixes", "is_far"),
    [
        ({}, ("10.0.0.1/24",), True),
        ({}, ("10.0.0.1/24", "203.0.113.11/24"), False),
        ({"ebgp_multi_hop": True}, ("10.0.0.1/24",), False),
        ({"peer_asn": 64512}, ("10.0.0.1/24",), False),
        ({"vrf": "red"}, ("10.0.0.1/24",), False),
    ],
)
def test_external_router_behind_another(spec: dict[str, Any], prefixes: tuple[str, ...], is_far: bool) -> None:
    speakers = [speaker("n1", *prefixes), speaker("n2", "10.0.0.2/24")]
    found = about_peer(spec, *NODES, speakers=speakers)
    assert found == (["NeedsMultiHop tor spec.ebgpMultiHop"] if is_far else [])
    assert about_peer(spec, *NODES, speakers=speakers[:1]) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"source_address": "203.0.113.11"}, ["OneSourceForManyNodes tor spec.sourceAddress"]),
        ({"router_id": "203.0.113.11"}, ["OneRouterIdForManyNodes tor spec.routerID"]),
        ({"router_id": "203.0.113.11", "node_selectors": (labeled(rack="1"),)}, []),
    ],
)
def test_what_is_one_nodes_is_not_said_for_many(spec: dict[str, Any], expected: list[str]) -> None:
    assert about_peer(spec, *NODES) == expected
    assert about_peer(spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"bfd_profile": "fast"}, []),
        (
            {"bfd_profile": "fast", "enable_graceful_restart": True},
            ["BfdWithGracefulRestart tor spec.enableGracefulRestart"],
        ),
        ({"hold_time": "0s"}, ["BfdProfileUnused fast", "DeadPeerUnnoticed tor spec.holdTime"]),
        ({"hold_time": "0s", "bfd_profile": "fast"}, []),
        ({"hold_time": "3s"}, ["BfdProfileUnused fast"]),
    ],
)
def test_how_a_dead_router_is_noticed(spec: dict[str, Any], expected: list[str]) -> None:
    assert about_peer(spec, bfd_object("fast")) == expected
