from ipaddress import ip_address

import pytest

from orchestrator.fsm.responder import DropReason, Scope, WireOrders, not_announced, scope
from orchestrator.net.addresses import IpFamily

V4, V6 = ip_address("192.0.2.10"), ip_address("2001:db8::10")
ELSEWHERE, WATCHED, WATCHED_ELSEWHERE = (ip_address(f"192.0.2.{number}") for number in (11, 12, 13))
ORDERS = WireOrders(
    answered={V4.packed: None, V6.packed: ("eth0",), ELSEWHERE.packed: ("eth1",)},
    quiet=frozenset({V6.packed}),
    watched={WATCHED.packed: None, WATCHED_ELSEWHERE.packed: ("eth1",)},
)


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (
            IpFamily.IPV4,
            Scope(
                here=frozenset({V4.packed}),
                elsewhere=frozenset({ELSEWHERE.packed}),
                heard=frozenset({V4.packed, WATCHED.packed}),
            ),
        ),
        (IpFamily.IPV6, Scope(here=frozenset({V6.packed}), heard=frozenset({V6.packed}))),
    ],
)
def test_scope_is_of_one_interface_and_family(family: IpFamily, expected: Scope) -> None:
    assert scope(ORDERS, "eth0", family) == expected


def test_quiet_addresses_are_not_announced() -> None:
    assert ORDERS.announced == {V4.packed, ELSEWHERE.packed}


def test_orders_forget_what_is_taken_out() -> None:
    left = ORDERS.without({V6.packed, WATCHED.packed})
    assert (left.answered, left.quiet) == ({V4.packed: None, ELSEWHERE.packed: ("eth1",)}, frozenset())
    assert left.watched == {WATCHED_ELSEWHERE.packed: ("eth1",)}


def test_reason_says_whether_another_interface_has_it() -> None:
    around = scope(ORDERS, "eth0", IpFamily.IPV4)
    assert not_announced(ELSEWHERE.packed, around) is DropReason.INTERFACE_NOT_MATCHING
    assert not_announced(WATCHED.packed, around) is DropReason.ADDRESS_NOT_ANNOUNCED
