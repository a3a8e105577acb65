from dataclasses import replace
from ipaddress import ip_network
from itertools import product

from orchestrator.decide.node_plan import GroupPlan, Layer2Address, Route, RouteAttributes, RoutePolicy, Seniority
from orchestrator.decide.plan_sum import PlanChange, PlanSum
from orchestrator.decide.weights import Precision
from orchestrator.net.bgp import StandardCommunity
from tests.support.objects import ips, key

A, B = key("a"), key("b")
NET = ip_network("10.0.0.0/24")
RED, BLUE = StandardCommunity(65000, 1), StandardCommunity(65000, 2)
OLD: Seniority = (False, "2026-01-01T00:00:00Z", A)
YOUNG: Seniority = (False, "2026-01-02T00:00:00Z", B)


def route(*communities: StandardCommunity, local_pref: int = 0, weight: int = 0, peer: str = "p") -> Route:
    attributes = RouteAttributes(local_pref=local_pref, weight=weight, communities=communities)
    return Route(prefix=NET, policy=RoutePolicy(per_peer=((peer, attributes),)))


def group(*routes: Route, seniority: Seniority = OLD, address: str | None = None) -> GroupPlan:
    layer2 = () if address is None else (Layer2Address(address=ips(address)[0]),)
    return GroupPlan(routes=routes, layer2=layer2, seniority=seniority)


def test_change_names_what_differs() -> None:
    total = PlanSum()
    change = total.replace(A, group(route(), address="10.0.0.1"))
    assert change == PlanChange(prefixes=frozenset({NET}), addresses=frozenset(ips("10.0.0.1")))
    assert total.plan.routes == {NET: route()}
    assert total.replace(A, group(route(), address="10.0.0.1")) == PlanChange()
    assert total.groups[A] == group(route(), address="10.0.0.1")


def test_group_that_is_gone_is_withdrawn() -> None:
    total = PlanSum()
    total.replace(A, group(route(), address="10.0.0.1"))
    assert total.replace(A, None).prefixes == {NET}
    assert not total.plan.routes
    assert not total.plan.layer2
    assert total.replace(A, None) == PlanChange()


def test_policies_of_groups_that_share_a_prefix_are_united() -> None:
    total = PlanSum()
    total.replace(A, group(route(RED)))
    total.replace(B, group(route(BLUE), seniority=YOUNG))
    assert total.plan.routes[NET] == route(RED, BLUE)
    assert total.replace(A, None).prefixes == {NET}
    assert total.plan.routes[NET] == route(BLUE)


def test_prefix_that_another_group_keeps_does_not_change() -> None:
    total = PlanSum()
    total.replace(A, group(route(RED)))
    total.replace(B, group(route(RED), seniority=YOUNG))
    assert total.replace(B, None) == PlanChange()


def test_of_two_preferences_at_one_peer_the_older_group_has_its_own() -> None:
    total = PlanSum()
    total.replace(B, group(route(BLUE, local_pref=2), seniority=YOUNG))
    total.replace(A, group(route(RED, local_pref=1)))
    assert total.plan.routes[NET] == route(RED, local_pref=1)


def test_younger_group_still_adds_other_peers() -> None:
    total = PlanSum()
    total.replace(A, group(route(local_pref=1, peer="p")))
    total.replace(B, group(route(local_pref=2, peer="q"), seniority=YOUNG))
    assert [peer for peer, _ in total.plan.routes[NET].policy.per_peer] == ["p", "q"]


def test_address_stays_while_a_group_is_joined() -> None:
    total = PlanSum()
    total.replace(B, group(address="10.0.0.1"))
    assert total.replace(A, group(address="10.0.0.1")) == PlanChange()
    assert total.replace(B, None) == PlanChange()
    assert list(total.plan.layer2) == list(ips("10.0.0.1"))


def test_preferences_are_weighed_again_when_a_group_gets_older() -> None:
    total = PlanSum()
    total.replace(A, group(route(local_pref=1), seniority=YOUNG))
    total.replace(B, group(route(local_pref=2), seniority=(False, "2026-01-01T12:00:00Z", B)))
    assert total.plan.routes[NET] == route(local_pref=2)
    assert total.replace(A, group(route(local_pref=1))).prefixes == {NET}
    assert total.plan.routes[NET] == route(local_pref=1)


def test_thousands_of_groups_in_one_prefix_are_summed_by_route() -> None:
    total = PlanSum()
    for number in range(3000):
        total.replace(key(str(number)), group(route(RED if number % 2 else BLUE)))
    assert total.plan.routes == {NET: route(RED, BLUE)}
    assert total.replace(key("7"), None) == PlanChange()


def test_weights_of_all_groups_in_one_prefix_add_up_and_are_rounded_then() -> None:
    total = PlanSum()
    for number in range(3):
        total.replace(key(str(number)), group(route(weight=7)))
    total.replace(A, group(route(weight=12)))
    assert total.plan.routes == {NET: route(weight=32)}
    total.replace(A, group(route(weight=9)))
    assert total.plan.routes == {NET: route(weight=30)}
    assert total.replace(A, group(route(weight=10))) == PlanChange()


def many_policies() -> PlanSum:
    """The sum of 105 prefixes that differ in weight or preference."""
    total = PlanSum()
    for count, (weight, local_pref) in enumerate(product(range(1, 16), range(7))):
        one = replace(route(weight=weight, local_pref=local_pref), prefix=ip_network(f"10.1.{count}.0/24"))
        total.replace(key(str(count)), group(one))
    return total


def weights_of(total: PlanSum) -> set[int]:
    return {attributes.weight for one in total.plan.routes.values() for _, attributes in one.policy.per_peer}


def test_weights_lose_digits_on_all_prefixes_when_policies_get_too_many() -> None:
    total = many_policies()
    assert total.precision is Precision.COARSE
    assert weights_of(total) == {*range(1, 8), 8, 10, 12, 14}


def test_weights_have_all_digits_again_where_more_policies_are_borne() -> None:
    total = many_policies()
    change = total.limit_policies(300)
    assert len(change.prefixes) == 4 * 7
    assert weights_of(total) == {*range(1, 16)}
    assert total.limit_policies(300) == PlanChange()


def test_plain_prefix_beside_weighed_ones_keeps_its_policy() -> None:
    total = PlanSum()
    total.replace(A, group(route(RED, weight=3)))
    assert total.replace(A, group(route(RED))).prefixes == {NET}
    assert total.plan.routes == {NET: route(RED)}
