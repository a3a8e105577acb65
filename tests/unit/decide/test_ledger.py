from orchestrator.decide.ledger import MAX_COUNT, Assignment, Ledger
from orchestrator.decide.space import Tenancy
from orchestrator.net.addresses import IpFamily
from tests.support.objects import ips, key, pool, pools

FREE = Tenancy()


def ledger(*ranges: str) -> Ledger:
    result = Ledger()
    result.set_pools(pools(pool("p", *ranges)))
    return result


def assignment(name: str, *addresses: str, pool_name: str = "p", tenancy: Tenancy = FREE) -> Assignment:
    return Assignment(service=key(name), pool=pool_name, addresses=ips(*addresses), tenancy=tenancy)


def test_held_address_is_used_until_released() -> None:
    target = ledger("10.0.0.0/30")
    target.hold(assignment("a", "10.0.0.0"))
    assert list(target.users(ips("10.0.0.0")[0])) == [key("a")]
    assert target.lowest("p", IpFamily.IPV4, FREE) == ips("10.0.0.1")[0]
    assert target.release(key("a")) == assignment("a", "10.0.0.0")
    assert not target.users(ips("10.0.0.0")[0])
    assert target.lowest("p", IpFamily.IPV4, FREE) == ips("10.0.0.0")[0]


def test_releasing_nothing_is_fine() -> None:
    assert ledger("10.0.0.0/30").release(key("a")) is None


def test_hold_replaces_what_the_service_held() -> None:
    target = ledger("10.0.0.0/30")
    target.hold(assignment("a", "10.0.0.0"))
    target.hold(assignment("a", "10.0.0.1"))
    assert not target.users(ips("10.0.0.0")[0])
    assert target.usage("p", IpFamily.IPV4).assigned == 1


def test_shared_address_counts_once() -> None:
    target = ledger("10.0.0.0/30")
    for name, port in (("a", 80), ("b", 443)):
        tenancy = Tenancy(sharing_key="k", ports=frozenset({("TCP", port)}))
        target.hold(assignment(name, "10.0.0.0", tenancy=tenancy))
    usage = target.usage("p", IpFamily.IPV4)
    assert (usage.assigned, usage.capacity, usage.available) == (1, 4, 3)
    target.release(key("a"))
    assert target.usage("p", IpFamily.IPV4).assigned == 1


def test_capacity_of_a_huge_pool_is_capped() -> None:
    usage = ledger("10.0.0.0/30", "2001:db8::/64").usage("p", IpFamily.IPV6)
    assert usage.capacity == MAX_COUNT


def test_addresses_of_two_pools_are_of_no_pool() -> None:
    target = Ledger()
    target.set_pools(pools(pool("a", "10.0.0.0/30"), pool("b", "10.0.0.4-10.0.0.7")))
    found = target.pool_of(ips("10.0.0.5"))
    assert found is not None
    assert found.name == "b"
    assert target.pool_of(ips("10.0.0.1", "10.0.0.5")) is None
    assert target.pool_of(ips("10.0.0.8")) is None
    assert target.pool_of(ips("9.255.255.255")) is None


def test_buggy_address_is_of_no_pool_that_avoids_it() -> None:
    target = Ledger()
    target.set_pools(pools(pool("a", "10.0.0.0/24", avoid_buggy_ips=True)))
    assert target.pool_of(ips("10.0.0.0")) is None


def test_held_address_survives_pool_growth() -> None:
    target = ledger("10.0.0.8/30")
    target.hold(assignment("a", "10.0.0.8"))
    target.set_pools(pools(pool("p", "10.0.0.0/24")))
    assert target.assignment(key("a")) == assignment("a", "10.0.0.8")
    assert target.usage("p", IpFamily.IPV4).assigned == 1


def test_assignment_moves_to_the_pool_that_has_its_address_now() -> None:
    target = ledger("10.0.0.0/30")
    target.hold(assignment("a", "10.0.0.0"))
    target.set_pools(pools(pool("renamed", "10.0.0.0/30")))
    assert target.assignment(key("a")) == assignment("a", "10.0.0.0", pool_name="renamed")
    assert target.orphans == ()


def test_assignment_of_a_removed_pool_is_an_orphan_until_its_pool_is_back() -> None:
    target = ledger("10.0.0.0/30")
    target.hold(assignment("a", "10.0.0.0"))
    target.set_pools({})
    assert list(target.orphans) == [key("a")]
    assert target.is_orphan(key("a"))
    assert list(target.users(ips("10.0.0.0")[0])) == [key("a")]
    target.set_pools(pools(pool("p", "10.0.0.0/30")))
    assert list(target.orphans) == []
    assert target.lowest("p", IpFamily.IPV4, FREE) == ips("10.0.0.1")[0]


def test_second_address_of_an_orphan_stays_taken() -> None:
    target = ledger("10.0.0.0/30", "2001:db8::/126")
    target.hold(assignment("a", "10.0.0.0", "2001:db8::"))
    target.set_pools(pools(pool("p", "10.0.0.0/30")))
    assert target.orphans == (key("a"),)
    assert target.lowest("p", IpFamily.IPV4, FREE) == ips("10.0.0.1")[0]
    target.release(key("a"))
    assert target.lowest("p", IpFamily.IPV4, FREE) == ips("10.0.0.0")[0]


def test_pools_of_the_same_ranges_are_replaced_without_moving_anything() -> None:
    target = ledger("10.0.0.0/30")
    target.hold(assignment("a", "10.0.0.0"))
    target.set_pools(pools(pool("p", "10.0.0.0/30", auto_assign=False)))
    assert not target.pools["p"].auto_assign
    assert target.assignments[key("a")] == assignment("a", "10.0.0.0")
