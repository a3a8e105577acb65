from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from orchestrator.config.model import BgpAdvertisement, Config, NodeFacts, Peer, Weight
from orchestrator.decide.announcement import plan_group
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.node_plan import DeclineReason, GroupPlan, Protocol
from orchestrator.net.bgp import Asn, StandardCommunity
from orchestrator.render.policies import out_maps, policy_of
from orchestrator.resources.core import EndpointSlice, Service
from tests.support.objects import bgp, config, endpoints, key, labeled, peer, pods, pool, service

RED, BLUE = StandardCommunity(65000, 1), StandardCommunity(65000, 2)
V4_PEER, V6_PEER = peer("v4", "n1"), peer("v6", "n1", address="2001:db8:f::1")


def known(
    *advertisements: BgpAdvertisement,
    peers: Iterable[Peer] = (V4_PEER,),
    nodes: Sequence[str | NodeFacts] = ("n1", "n2"),
) -> Config:
    return config(
        nodes=nodes,
        pools=[pool("p", "10.0.0.0/24", "2001:db8::/64", bgp_advertisements=advertisements)],
        peers=peers,
    )


def plan(
    known: Config,
    *services: Service,
    slices: Sequence[EndpointSlice] | None = None,
    view: NodeView | None = None,
) -> GroupPlan:
    of_each = endpoints("n1") if slices is None else slices
    return plan_group(known, services, {one.metadata.key: of_each for one in services}, view or NodeView(node="n1"))


def sent(result: GroupPlan) -> dict[str, dict[str, tuple[int, list[str]]]]:
    """prefix -> peer -> (local preference, communities)"""
    return {
        str(route.prefix): {
            name: (attributes.local_pref, [str(community) for community in attributes.communities])
            for name, attributes in route.policy.per_peer
        }
        for route in result.routes
    }


def reasons(result: GroupPlan) -> list[DeclineReason]:
    return [one.reason for one in result.declined if one.protocol is Protocol.BGP]


WEB = service(held=["10.0.0.1"], labels={"app": "web"})


def test_prefix_goes_to_the_peers_that_carry_its_family() -> None:
    both = known(bgp("b", "n1", communities=(RED,), local_pref=7), peers=(V4_PEER, V6_PEER))
    result = plan(both, service(held=["10.0.0.1", "2001:db8::1"]))
    assert sent(result) == {"10.0.0.1/32": {"v4": (7, ["65000:1"])}, "2001:db8::1/128": {"v6": (7, ["65000:1"])}}
    assert result.announced[0].peers == ("v4", "v6")
    assert not reasons(result)


def test_routes_name_the_advertisements_behind_them() -> None:
    result = plan(known(bgp("b", "n1"), bgp("a", "n1")), WEB)
    assert [origin.name for origin in result.routes[0].origins] == ["a", "b"]


def test_family_without_a_peer_is_declined_beside_the_one_that_is_announced() -> None:
    result = plan(known(bgp("b", "n1")), service(held=["10.0.0.1", "2001:db8::1"]))
    assert list(sent(result)) == ["10.0.0.1/32"]
    assert [str(address) for address in result.announced[0].addresses] == ["10.0.0.1"]
    assert reasons(result) == [DeclineReason.NO_PEER_CARRIES_FAMILY]


def test_peer_with_both_families_carries_both() -> None:
    both = known(bgp("b", "n1"), peers=[peer("v4", "n1", dual_stack_address_family=True)])
    assert len(plan(both, service(held=["10.0.0.1", "2001:db8::1"])).routes) == 2


def test_advertisement_with_peers_goes_to_those_only() -> None:
    peers = [peer("a", "n1", address="192.0.2.1"), peer("b", "n1", address="192.0.2.2")]
    only_b = bgp("only-b", "n1", peers=frozenset({"b"}), communities=(RED,))
    result = plan(known(bgp("all", "n1", communities=(BLUE,)), only_b, peers=peers), WEB)
    assert sent(result) == {"10.0.0.1/32": {"a": (0, ["65000:2"]), "b": (0, ["65000:1", "65000:2"])}}


def test_aggregates_of_several_addresses_meet_in_one_prefix() -> None:
    wide = known(bgp("wide", "n1", aggregation_length=24), bgp("exact", "n1", local_pref=5))
    result = plan(wide, WEB)
    assert sent(result) == {"10.0.0.0/24": {"v4": (0, [])}, "10.0.0.1/32": {"v4": (5, [])}}


def test_locked_peer_goes_on_getting_prefixes() -> None:
    locked = Config(
        pools=known(bgp("b", "n1")).pools,
        nodes=known().nodes,
        held_peers=frozenset({"v4"}),
        locked_peers={"v4": V4_PEER},
    )
    assert sent(plan(locked, WEB)) == {"10.0.0.1/32": {"v4": (0, [])}}


CUT = NodeFacts(name="n1", labels={}, network_unavailable=True)
LABELED = NodeFacts(name="n1", labels={}, excluded_from_balancers=True)
SICK = NodeFacts(name="n1", labels={}, not_ready=True)
LOCAL: dict[str, Any] = {"external_traffic_policy": "Local"}


@pytest.mark.parametrize(
    ("config", "web", "on", "expected"),
    [
        (known(), WEB, ("n1",), DeclineReason.NOT_OWNER),
        (known(bgp("b", "n2")), WEB, ("n1",), DeclineReason.NOT_OWNER),
        (
            known(bgp("b", "n1", service_selectors=(labeled(app="db"),))),
            WEB,
            ("n1",),
            DeclineReason.NO_MATCHING_ADVERTISEMENT,
        ),
        (
            known(
                bgp("b", "n1", local_pref=1, service_selectors=(labeled(app="web"),)),
                bgp("c", "n1", local_pref=2),
            ),
            WEB,
            (),
            DeclineReason.CONFLICTING_ADVERTISEMENTS,
        ),
        (known(bgp("b", "n1"), nodes=[CUT]), WEB, (), DeclineReason.NODE_NETWORK_UNAVAILABLE),
        (known(bgp("b", "n1"), nodes=[LABELED]), WEB, (), DeclineReason.NODE_EXCLUDED),
        (known(bgp("b", "n1"), nodes=[SICK]), WEB, (), DeclineReason.NODE_NOT_READY),
        (known(bgp("b", "n1")), service(held=["10.0.0.1"], **LOCAL), ("n2",), DeclineReason.NO_LOCAL_ENDPOINTS),
        (known(bgp("b", "n1")), WEB, (), DeclineReason.NO_ENDPOINTS),
        (known(bgp("b", "n1"), peers=()), WEB, ("n1",), DeclineReason.NO_PEER_ON_NODE),
        (known(bgp("b", "n1"), peers=[peer("v4", "n2")]), WEB, ("n1",), DeclineReason.NO_PEER_ON_NODE),
        (known(bgp("b", "n1"), peers=[V6_PEER]), WEB, ("n1",), DeclineReason.NO_PEER_CARRIES_FAMILY),
    ],
)
def test_first_reason_of_the_contract_is_given(
    config: Config, web: Service, on: tuple[str, ...], expected: DeclineReason
) -> None:
    result = plan(config, web, slices=endpoints(*on))
    assert reasons(result) == [expected]
    assert not result.routes
    assert all(one.detail for one in result.declined)


def test_local_policy_announces_where_an_endpoint_serves() -> None:
    assert plan(known(bgp("b", "n1")), service(held=["10.0.0.1"], **LOCAL)).routes


def test_cluster_policy_announces_from_every_node() -> None:
    assert plan(known(bgp("b", "n1")), WEB, slices=endpoints("n2")).routes


def test_exclude_label_can_be_ignored() -> None:
    view = NodeView(node="n1", ignore_exclude_label=True)
    assert plan(known(bgp("b", "n1"), nodes=[LABELED]), WEB, view=view).routes


def test_conflicting_preferences_are_separable_by_peers() -> None:
    peers = [peer("a", "n1", address="192.0.2.1"), peer("b", "n1", address="192.0.2.2")]
    one = bgp("one", "n1", local_pref=1, peers=frozenset({"a"}))
    two = bgp("two", "n1", local_pref=2, peers=frozenset({"b"}))
    assert sent(plan(known(one, two, peers=peers), WEB)) == {"10.0.0.1/32": {"a": (1, []), "b": (2, [])}}


def paths(result: GroupPlan) -> dict[str, tuple[int, tuple[int, ...]]]:
    """peer -> (MED, prepended AS numbers) of the only route"""
    (route,) = result.routes
    return {name: (attributes.med, attributes.prepended) for name, attributes in route.policy.per_peer}


MANY = [
    peer("external", "n1", address="192.0.2.1"),
    peer("internal", "n1", address="192.0.2.2", remote_as=Asn(64512)),
    peer("masked", "n1", address="192.0.2.3", local_asn=Asn(64999)),
]
FARTHER = bgp("b", "n1", med=50, as_path_prepend=2)


def test_path_grows_by_the_number_that_each_external_peer_knows_us_by() -> None:
    assert paths(plan(known(FARTHER, peers=MANY), WEB)) == {
        "external": (50, (64512, 64512)),
        "internal": (50, ()),
        "masked": (50, (64999, 64999)),
    }


def test_node_adds_to_the_path_and_its_med_goes_first() -> None:
    far = NodeFacts(name="n1", labels={}, as_path_prepend=1, med=0)
    result = plan(known(FARTHER, peers=MANY[:2], nodes=[far]), WEB)
    assert paths(result) == {"external": (0, (64512,) * 3), "internal": (0, ())}


def test_peers_that_share_an_out_map_are_sent_the_same() -> None:
    peers = [
        *MANY,
        peer("external-too", "n1", address="192.0.2.4"),
        peer("masked-too", "n1", address="192.0.2.5", local_asn=Asn(64999)),
        peer("blue", "n1", address="192.0.2.6", vrf="blue"),
    ]
    everybody = known(FARTHER, bgp("c", "n1", med=50, as_path_prepend=2, peers=frozenset({"masked"})), peers=peers)
    maps = out_maps(everybody, "n1", peers)
    (route,) = plan(everybody, WEB).routes
    assert {(maps[name], how) for name, how in route.policy.per_peer} == set(policy_of(route.policy, maps).per_map)
    assert maps["external"] == maps["external-too"]
    assert len(set(maps.values())) == len(peers) - 1


@pytest.mark.parametrize("field", ["med", "as_path_prepend"])
def test_of_two_services_with_different_meds_or_paths_the_younger_is_declined(field: str) -> None:
    near = bgp("near", "n1", service_selectors=(labeled(app="near"),), **{field: 1})
    far = bgp("far", "n1", service_selectors=(labeled(app="far"),), **{field: 2})
    shared: dict[str, Any] = {"held": ["10.0.0.1"], "annotations": {"metallb.io/allow-shared-ip": "k"}}
    old = service("old", labels={"app": "far"}, created="2026-01-01T00:00:00Z", **shared)
    young = service("new", labels={"app": "near"}, ports=[443], created="2026-01-02T00:00:00Z", **shared)
    result = plan(known(near, far), young, old)
    assert paths(result) == paths(plan(known(near, far), old))
    declined = [one for one in result.declined if one.protocol is Protocol.BGP]
    assert [(one.service, one.reason) for one in declined] == [(key("new"), DeclineReason.CONFLICTING_ADVERTISEMENTS)]


def test_one_service_that_two_advertisements_give_different_meds_is_declined() -> None:
    one, two = bgp("one", "n1", med=1, service_selectors=(labeled(app="web"),)), bgp("two", "n1", med=2)
    (declined,) = [each for each in plan(known(one, two), WEB).declined if each.protocol is Protocol.BGP]
    assert declined.reason is DeclineReason.CONFLICTING_ADVERTISEMENTS
    assert "one (med 1) and two (2)" in declined.detail


def test_of_two_services_with_different_preferences_preferences_the_younger_is_declined() -> None:
    gold = bgp("gold", "n1", local_pref=200, service_selectors=(labeled(app="gold"),))
    tin = bgp("tin", "n1", local_pref=50, service_selectors=(labeled(app="tin"),))
    shared: dict[str, Any] = {"held": ["10.0.0.1"], "annotations": {"metallb.io/allow-shared-ip": "k"}}
    old = service("old", labels={"app": "tin"}, created="2026-01-01T00:00:00Z", **shared)
    young = service("new", labels={"app": "gold"}, ports=[443], created="2026-01-02T00:00:00Z", **shared)
    result = plan(known(gold, tin), young, old)
    assert sent(result) == {"10.0.0.1/32": {"v4": (50, [])}}
    declined = [one for one in result.declined if one.protocol is Protocol.BGP]
    assert [(one.service, one.reason) for one in declined] == [(key("new"), DeclineReason.CONFLICTING_ADVERTISEMENTS)]


# --- weights ---


def weights(result: GroupPlan) -> dict[str, dict[str, int]]:
    """prefix -> peer -> weight"""
    return {
        str(route.prefix): {name: attributes.weight for name, attributes in route.policy.per_peer}
        for route in result.routes
    }


WEIGHED = bgp("b", "n1", weight=Weight.ENDPOINTS)
POD_BOUND: dict[str, Any] = {"held": ["10.0.0.1"], **LOCAL}


def test_weight_is_the_number_of_endpoints_on_this_node() -> None:
    assert weights(plan(known(WEIGHED), service(**POD_BOUND), slices=[pods(n1=3, n2=5)])) == {"10.0.0.1/32": {"v4": 3}}
    assert weights(plan(known(bgp("b", "n1")), service(**POD_BOUND), slices=[pods(n1=3)])) == {"10.0.0.1/32": {"v4": 0}}


def test_each_family_counts_its_own_endpoints() -> None:
    both = service(held=["10.0.0.1", "2001:db8::1"], **LOCAL)
    found = plan(known(WEIGHED, peers=(V4_PEER, V6_PEER)), both, slices=[pods(n1=3), pods("IPv6", n1=2)])
    assert weights(found) == {"10.0.0.1/32": {"v4": 3}, "2001:db8::1/128": {"v6": 2}}


def test_with_the_policy_cluster_every_node_weighs_the_same() -> None:
    anywhere = service(held=["10.0.0.1"])
    for where in (pods(n1=3), pods(n2=5)):
        assert weights(plan(known(WEIGHED), anywhere, slices=[where])) == {"10.0.0.1/32": {"v4": 1}}


def test_services_that_share_a_prefix_add_up() -> None:
    shared = {**POD_BOUND, "annotations": {"metallb.io/allow-shared-ip": "k"}}
    services = [service("one", **shared), service("two", ports=[443], **shared)]
    assert weights(plan(known(WEIGHED), *services, slices=[pods(n1=3)])) == {"10.0.0.1/32": {"v4": 6}}


def test_service_that_two_advertisements_weigh_counts_once_and_at_their_peers_only() -> None:
    peers = (V4_PEER, peer("other", "n1", address="192.0.2.2"))
    for_v4 = bgp("c", "n1", weight=Weight.ENDPOINTS, communities=(RED,), peers=frozenset({"v4"}))
    found = plan(known(for_v4, bgp("plain", "n1"), peers=peers), service(**POD_BOUND), slices=[pods(n1=3)])
    assert weights(found) == {"10.0.0.1/32": {"v4": 3, "other": 0}}
    found = plan(known(for_v4, WEIGHED, peers=peers), service(**POD_BOUND), slices=[pods(n1=3)])
    assert weights(found) == {"10.0.0.1/32": {"v4": 3, "other": 3}}
