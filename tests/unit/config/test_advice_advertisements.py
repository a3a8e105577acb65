from typing import Any

import pytest

from orchestrator.resources.extensions import SpeakerStateSpec
from orchestrator.resources.metallb import PreferredNodeSelector
from tests.support.advising import advice, announced, lines, node
from tests.support.objects import bgp_object, community_object, l2_object, labeled, peer_object, pool_object

POOL = pool_object("p", "198.51.100.0/24", labels={"zone": "a"})
ROUTER = peer_object("tor", "203.0.113.1")


@pytest.mark.parametrize("make", [l2_object, bgp_object])
def test_selector_that_matches_no_pool(make: Any) -> None:
    more = (ROUTER,) if make is bgp_object else ()
    wrong = make("typo", ip_address_pool_selectors=(labeled(zone="b"),))
    (found,) = [each for each in advice(POOL, l2_object("all"), wrong, *more) if each.code != "PeerGetsNoRoutes"]
    assert (found.code, found.ref.name, found.field) == ("SelectsNoPool", "typo", "spec.ipAddressPoolSelectors")
    assert "labels of pools: zone=a" in found.message


def test_named_pool_that_does_not_exist_is_said_by_resolve_alone() -> None:
    assert lines(POOL, l2_object("all"), l2_object("typo", ip_address_pools=("q",))) == []


def test_selector_that_matches_no_node_once_nodes_are_known() -> None:
    advertisement = l2_object("racks", node_selectors=(labeled(rack="1"),))
    assert lines(POOL, advertisement) == []
    assert lines(POOL, advertisement, node("n1", rack="2")) == ["SelectsNoNode racks spec.nodeSelectors"]
    assert lines(POOL, advertisement, node("n1", rack="1")) == []


def test_preference_for_no_node() -> None:
    preferred = tuple(PreferredNodeSelector(weight=1, preference=labeled(rack=rack)) for rack in ("1", "2"))
    advertisement = l2_object("racks", preferred_node_selectors=preferred)
    assert lines(POOL, advertisement) == []
    expected = ["PrefersNoNode racks spec.preferredNodeSelectors[1].preference"]
    assert lines(POOL, advertisement, node("n1", rack="1")) == expected


# --- to whom ---


def test_advertisement_without_any_peer() -> None:
    assert lines(POOL, bgp_object("all")) == ["NoPeer all"]


def test_peers_on_other_nodes() -> None:
    objects = (
        POOL,
        node("n1", rack="1"),
        node("n2", rack="2"),
        peer_object("tor", "203.0.113.1", node_selectors=(labeled(rack="1"),)),
    )
    apart = bgp_object("racks", node_selectors=(labeled(rack="2"),), peers=("tor",))
    assert lines(*objects, apart) == [
        "NoPeer racks spec.nodeSelectors",
        "PeerGetsNoRoutes tor spec.nodeSelectors",
    ]
    assert lines(*objects, bgp_object("racks", peers=("tor",))) == []


@pytest.mark.parametrize(
    ("peers", "named", "is_doubtful"),
    [
        ((ROUTER,), (), True),
        ((ROUTER, peer_object("inside", "203.0.113.2", peer_asn=64512)), (), False),
        ((ROUTER, peer_object("inside", "203.0.113.2", peer_asn=64512)), ("tor",), True),
        ((peer_object("tor", "203.0.113.1", peer_asn=64512),), (), False),
        ((ROUTER,), ("tor", "later"), False),
    ],
)
def test_local_preference_that_no_internal_peer_hears(
    peers: tuple[Any, ...], named: tuple[str, ...], is_doubtful: bool
) -> None:
    found = lines(POOL, bgp_object("all", local_pref=100, peers=named), *peers)
    assert [line for line in found if "PeerGets" not in line] == (
        ["LocalPrefNotSent all spec.localPref"] if is_doubtful else []
    )


@pytest.mark.parametrize(("peer_asns", "is_doubtful"), [((64512,), True), ((64512, 64513), False), ((64513,), False)])
def test_longer_path_that_no_external_peer_sees(peer_asns: tuple[int, ...], is_doubtful: bool) -> None:
    peers = [peer_object(f"p{asn}", f"203.0.113.{asn % 100}", peer_asn=asn) for asn in peer_asns]
    found = lines(POOL, bgp_object("all", as_path_prepend=2), *peers)
    assert found == (["AsPathNotSent all spec.asPathPrepend"] if is_doubtful else [])


@pytest.mark.parametrize(
    ("weight", "told", "is_doubtful"),
    [
        ("endpoints", ("fine", "coarse"), True),
        ("endpoints", ("fine", "beyondLimit"), True),
        ("endpoints", ("fine", "fine"), False),
        ("endpoints", ("coarse", "fine"), False),
        ("equal", ("coarse", "coarse"), False),
    ],
)
def test_weights_that_a_node_of_the_advertisement_rounds_more_than_usual(
    weight: Any, told: tuple[Any, Any], is_doubtful: bool
) -> None:
    on_rack = bgp_object("all", weight=weight, node_selectors=(labeled(rack="2"),))
    speakers = [SpeakerStateSpec(node=f"n{number}", weights=each) for number, each in enumerate(told, start=1)]
    nodes = (node("n1"), node("n2", rack="2"))
    found = [each for each in advice(POOL, on_rack, ROUTER, *nodes, speakers=speakers) if each.field == "spec.weight"]
    assert [(each.code, each.ref.name) for each in found] == ([("WeightsCoarse", "all")] if is_doubtful else [])
    assert all(each.message.startswith("on n2 weights ") for each in found)


def test_aliases_that_no_advertisement_uses() -> None:
    known = community_object("known", gold="65000:1", silver="65000:2")
    by_value = community_object("by-value", lead="65000:4")
    unused = community_object("unused", bronze="65000:3")
    found = lines(POOL, ROUTER, known, by_value, unused, bgp_object("all", communities=("gold", "65000:4")))
    assert found == ["CommunityUnused unused spec.communities"]


# --- aggregates ---


@pytest.mark.parametrize(
    ("addresses", "length", "foreign"),
    [
        ("198.51.100.0/24", 24, ""),
        ("198.51.100.0/24", 32, ""),
        ("198.51.100.100-198.51.100.150", 28, "198.51.100.96-198.51.100.99"),
        ("198.51.100.96-198.51.100.150", 28, "198.51.100.151-198.51.100.159"),
        ("198.51.100.96-198.51.100.159", 28, ""),
    ],
)
def test_aggregate_with_addresses_of_no_pool(addresses: str, length: int, foreign: str) -> None:
    found = advice(pool_object("p", addresses), ROUTER, bgp_object("sum", aggregation_length=length))
    assert [(each.code, each.field) for each in found] == (
        [("ForeignTraffic", "spec.aggregationLength")] if foreign else []
    )
    assert all(foreign in each.message for each in found)


def test_aggregate_that_several_pools_fill_is_fine() -> None:
    parts = (pool_object("p", "198.51.100.0-198.51.100.12"), pool_object("q", "198.51.100.13-198.51.100.23"))
    assert lines(*parts, ROUTER, bgp_object("sum", aggregation_length=29)) == []


def test_node_inside_an_aggregate_is_named() -> None:
    pool = pool_object("p", "2001:db8::10-2001:db8::fff")
    found = advice(
        pool,
        node("n1", "2001:db8::7"),
        peer_object("six", "2001:db8:1::1"),
        bgp_object("sum", aggregation_length_v6=117),
    )
    (only,) = found
    assert (only.code, only.field) == ("ForeignTraffic", "spec.aggregationLengthV6")
    assert "2001:db8::-2001:db8::f, 2001:db8::7 of node n1 among them" in only.message


def test_layer_2_has_no_aggregates() -> None:
    assert lines(*announced(pool_object("p", "198.51.100.100-198.51.100.150"))) == []
