from ipaddress import ip_network

from orchestrator.decide.node_plan import Layer2Address, Route, RouteAttributes, RoutePolicy, layer2_in_order
from orchestrator.net.bgp import Asn, Community, LargeCommunity, StandardCommunity
from tests.support.objects import ips, ref

RED, BLUE, LARGE = StandardCommunity(65000, 1), StandardCommunity(65000, 2), LargeCommunity(1, 2, 3)


def attributes(*communities: Community, local_pref: int = 0) -> RouteAttributes:
    return RouteAttributes(local_pref=local_pref, communities=communities)


def test_communities_are_united_in_order() -> None:
    union = attributes(BLUE, RED).union(attributes(LARGE, BLUE))
    assert union.communities == (LARGE, RED, BLUE)


def test_policies_unite_per_peer() -> None:
    one = RoutePolicy(per_peer=(("b", attributes(RED)),))
    other = RoutePolicy(per_peer=(("a", attributes()), ("b", attributes(BLUE))))
    assert one.union(other).per_peer == (("a", attributes()), ("b", attributes(RED, BLUE)))


def test_policies_conflict_when_one_peer_gets_two_preferences() -> None:
    one = RoutePolicy(per_peer=(("a", attributes(local_pref=1)), ("b", attributes(local_pref=1))))
    assert one.conflicts_with(RoutePolicy(per_peer=(("b", attributes(local_pref=2)),)))
    assert not one.conflicts_with(RoutePolicy(per_peer=(("c", attributes(local_pref=2)),)))


def test_policies_conflict_when_one_peer_gets_two_meds_or_paths() -> None:
    plain = RoutePolicy(per_peer=(("a", attributes(RED)),))
    for other in (RouteAttributes(med=1), RouteAttributes(prepended=(Asn(1),))):
        assert plain.conflicts_with(RoutePolicy(per_peer=(("a", other),)))
        assert not plain.conflicts_with(RoutePolicy(per_peer=(("b", other),)))


def test_weights_never_conflict_and_add_up_unless_told_otherwise() -> None:
    one, other = (RoutePolicy(per_peer=(("a", RouteAttributes(weight=weight)),)) for weight in (3, 4))
    assert not one.conflicts_with(other)
    assert one.union(other).per_peer == (("a", RouteAttributes(weight=7)),)
    assert one.union(one).per_peer == (("a", RouteAttributes(weight=6)),)
    assert one.union(other, weigh=max) == other


def test_policy_is_weighted_if_some_peer_is_sent_a_weight() -> None:
    mixed = RoutePolicy(per_peer=(("a", RouteAttributes(weight=3)), ("b", RouteAttributes())))
    assert mixed.is_weighted
    assert mixed.with_weights(lambda weight: weight * 2).per_peer[0][1].weight == 6
    assert not mixed.with_weights(lambda _: 0).is_weighted


def test_united_route_names_all_origins() -> None:
    prefix = ip_network("10.0.0.0/24")
    policy = RoutePolicy(per_peer=(("a", attributes()),))
    one = Route(prefix=prefix, policy=policy, origins=(ref("BGPAdvertisement", "y"),))
    other = Route(prefix=prefix, policy=policy, origins=(ref("BGPAdvertisement", "x"),))
    assert [origin.name for origin in one.union(other).origins] == ["x", "y"]
    assert one.union(None) == one


def test_layer2_entries_are_sorted_by_family_and_number() -> None:
    entries = [Layer2Address(address=address) for address in ips("2001:db8::1", "10.0.0.10", "10.0.0.9")]
    assert [str(entry.address) for entry in layer2_in_order(entries)] == ["10.0.0.9", "10.0.0.10", "2001:db8::1"]
