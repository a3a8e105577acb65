"""Laws of election, groups and sums: no order counts, and what is kept up to date equals what is computed anew."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.decide import weights
from orchestrator.decide.election import elect
from orchestrator.decide.groups import AddressGroups
from orchestrator.decide.node_plan import GroupPlan
from orchestrator.decide.plan_sum import PlanSum
from orchestrator.net.addresses import IpAddress
from orchestrator.resources.meta import ObjectKey
from tests.property import strategies_decide as some

node_names = st.text("abc-", min_size=1, max_size=4)


@some.patiently
@given(some.addresses, st.lists(node_names, unique=True), st.dictionaries(node_names, st.integers(0, 2)))
def test_election_ignores_candidate_order(address: IpAddress, nodes: list[str], preference: dict[str, int]) -> None:
    assert elect(address, nodes, preference) == elect(address, list(reversed(nodes)), preference)


@some.patiently
@given(some.addresses, st.sets(node_names, min_size=2), st.dictionaries(node_names, st.integers(0, 2)), st.data())
def test_only_the_owner_leaving_moves_an_address(
    address: IpAddress, nodes: set[str], preference: dict[str, int], data: st.DataObject
) -> None:
    owner = elect(address, nodes, preference)
    leaver = data.draw(st.sampled_from(sorted(nodes)))
    if leaver != owner:
        assert elect(address, nodes - {leaver}, preference) == owner


Event = tuple[ObjectKey, frozenset[IpAddress] | None]
events = st.lists(st.tuples(some.keys, st.none() | st.frozensets(some.addresses, max_size=3)), max_size=20)


def components(services: dict[ObjectKey, frozenset[IpAddress]]) -> set[frozenset[ObjectKey]]:
    """Join groups until none can be joined."""
    groups = [({key}, set(addresses)) for key, addresses in services.items()]
    while pair := next(((one, two) for one, two in combinations(groups, 2) if one[1] & two[1]), None):
        one, two = pair
        groups.remove(two)
        one[0].update(two[0])
        one[1].update(two[1])
    return {frozenset(keys) for keys, _ in groups}


@some.patiently
@given(events)
def test_groups_equal_connected_components(history: list[Event]) -> None:
    groups, services = AddressGroups(), dict[ObjectKey, frozenset[IpAddress]]()
    for key, addresses in history:
        before = {group: groups.members(group) for group in groups.groups}
        if addresses is None:
            services.pop(key, None)
            affected = groups.remove(key)
        else:
            services[key] = addresses
            affected = groups.update(key, addresses)
        after = {group: groups.members(group) for group in groups.groups}
        assert {frozenset(members) for members in after.values()} == components(services)
        changed = {group for group in {*before, *after} if before.get(group) != after.get(group)}
        assert changed <= set(affected)


@some.patiently
@given(st.lists(st.tuples(some.keys, st.none() | some.group_plans()), max_size=15))
def test_sum_equals_the_sum_from_scratch(history: list[tuple[ObjectKey, GroupPlan | None]]) -> None:
    total, groups = PlanSum(), dict[ObjectKey, GroupPlan]()
    for group, plan in history:
        routes, layer2 = dict(total.plan.routes), dict(total.plan.layer2)
        change = total.replace(group, plan)
        groups.pop(group, None)
        if plan is not None:
            groups[group] = plan
        fresh = PlanSum()
        for key, one in sorted(groups.items()):
            fresh.replace(key, one)
        assert total.plan == fresh.plan
        after = total.plan
        assert change.prefixes == {
            prefix for prefix in {*routes, *after.routes} if routes.get(prefix) != after.routes.get(prefix)
        }
        assert change.addresses == {
            address for address in {*layer2, *after.layer2} if layer2.get(address) != after.layer2.get(address)
        }


@given(st.lists(st.integers(1, 30000), min_size=2), st.sampled_from(weights.DIGITS))
def test_more_endpoints_never_weigh_less(counts: list[int], digits: int) -> None:
    in_order = [weights.rounded(count, digits) for count in sorted(counts)]
    assert in_order == sorted(in_order)
    assert all(weights.rounded(weight, digits) == weight for weight in in_order)
    assert all(0 < weight <= weights.MAX_WEIGHT for weight in in_order)


@some.patiently
@given(st.dictionaries(some.keys, some.group_plans(), min_size=1))
def test_weight_of_a_prefix_is_the_sum_of_what_does_not_conflict(plans: dict[ObjectKey, GroupPlan]) -> None:
    total = PlanSum()
    for key, plan in plans.items():
        total.replace(key, plan)
    for prefix, route in total.plan.routes.items():
        parts = [part for plan in plans.values() for part in plan.routes if part.prefix == prefix]
        if any(one.policy.conflicts_with(other.policy) for one, other in combinations(parts, 2)):
            continue
        for peer, sent in route.policy.per_peer:
            counted = sum(
                dict(part.policy.per_peer)[peer].weight for part in parts if peer in dict(part.policy.per_peer)
            )
            assert sent.weight == weights.rounded(counted, weights.DIGITS[0])
