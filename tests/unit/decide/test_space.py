import pytest

from orchestrator.decide.space import Space, Tenancy, is_buggy
from orchestrator.net.addresses import IpFamily
from tests.support.objects import ips, pool

FREE = Tenancy()
SHARED = Tenancy(sharing_key="k", ports=frozenset({("TCP", 80)}))
SHARED_443 = Tenancy(sharing_key="k", ports=frozenset({("TCP", 443)}))


def space(*ranges: str, avoid: bool = False, family: IpFamily = IpFamily.IPV4) -> Space:
    return Space(pool("p", *ranges, avoid_buggy_ips=avoid), family)


def take(target: Space, *texts: str, tenancy: Tenancy = FREE) -> None:
    for address in ips(*texts):
        target.take(address, tenancy, first_user=True)


@pytest.mark.parametrize(
    ("ranges", "avoid", "expected"),
    [
        (("10.0.0.0/24",), False, 256),
        (("10.0.0.0/24", "10.0.1.0/25"), False, 384),
        (("10.0.0.0/24", "10.0.1.0/25"), True, 381),
        (("1.2.3.0/31", "1000::/127"), True, 1),
        (("1.2.3.0/32",), True, 0),
        (("10.0.0.254-10.0.1.1",), True, 2),
    ],
)
def test_capacity_counts_usable_addresses(ranges: tuple[str, ...], avoid: bool, expected: int) -> None:
    assert space(*ranges, avoid=avoid).capacity == expected


def test_ranges_are_used_in_the_order_of_the_pool() -> None:
    target = space("10.0.9.0/31", "10.0.1.0/31")
    found = []
    for _ in range(4):
        address = target.lowest(FREE)
        assert address is not None
        found.append(str(address))
        target.take(address, FREE, first_user=True)
    assert found == ["10.0.9.0", "10.0.9.1", "10.0.1.0", "10.0.1.1"]
    assert target.lowest(FREE) is None


def test_buggy_addresses_are_never_offered() -> None:
    target = space("10.0.0.254-10.0.1.1", avoid=True)
    assert target.lowest(FREE) == ips("10.0.0.254")[0]
    take(target, "10.0.0.254")
    assert target.lowest(FREE) == ips("10.0.1.1")[0]
    take(target, "10.0.1.1")
    assert target.lowest(FREE) is None


def test_given_back_address_is_offered_again() -> None:
    target = space("10.0.0.0/30")
    take(target, "10.0.0.0", "10.0.0.1")
    target.give_back(ips("10.0.0.0")[0], FREE, last_user=True)
    assert target.lowest(FREE) == ips("10.0.0.0")[0]


def test_shareable_address_goes_before_a_higher_free_one() -> None:
    target = space("10.0.0.0/30")
    take(target, "10.0.0.0", tenancy=SHARED)
    assert target.lowest(SHARED_443) == ips("10.0.0.0")[0]


def test_free_address_goes_before_a_higher_shareable_one() -> None:
    target = space("10.0.0.0/30")
    take(target, "10.0.0.2", tenancy=SHARED)
    assert target.lowest(SHARED_443) == ips("10.0.0.0")[0]


def test_address_with_a_taken_port_is_passed_over() -> None:
    target = space("10.0.0.0/30")
    take(target, "10.0.0.0", "10.0.0.1", tenancy=SHARED)
    take(target, "10.0.0.2", tenancy=SHARED_443)
    assert target.lowest(SHARED) == ips("10.0.0.2")[0]


def test_shared_address_without_users_is_only_free() -> None:
    target = space("10.0.0.0/32")
    take(target, "10.0.0.0", tenancy=SHARED)
    target.give_back(ips("10.0.0.0")[0], SHARED, last_user=True)
    assert target.lowest(FREE) == ips("10.0.0.0")[0]


def test_huge_pool_is_numbered_not_scanned() -> None:
    target = space("2001:db8::/64", family=IpFamily.IPV6)
    assert target.capacity == 2**64
    assert target.lowest(FREE) == ips("2001:db8::")[0]


@pytest.mark.parametrize(
    ("text", "expected"), [("10.0.0.0", True), ("10.0.0.255", True), ("10.0.0.1", False), ("2001:db8::", False)]
)
def test_buggy_addresses_end_in_0_or_255(text: str, expected: bool) -> None:
    assert is_buggy(ips(text)[0]) is expected
