from ipaddress import ip_address

import pytest

from orchestrator.decide.node_plan import Layer2Address
from orchestrator.fsm.responder import DropReason, Scope, WireOrders, not_announced, scope
from orchestrator.net.addresses import IpFamily

V4, V6 = ip_address("192.0.2.10"), ip_address("2001:db8::10")
ELSEWHERE, WATCHED = ip_address("192.0.2.11"), ip_address("192.0.2.12")
ORDERS = WireOrders(
    answered=(
        Layer2Address(address=V4),
        Layer2Address(address=V6, interfaces=("eth0",)),
        Layer2Address(address=ELSEWHERE, interfaces=("eth1",)),
    ),
    quiet=frozenset({V6.packed}),
    watched=(Layer2Address(address=WATCHED), Layer2Address(address=ip_address("192.0.2.13"), interfaces=("eth1",))),
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
    assert ([entry.address for entry in left.answered], left.quiet) == ([V4, ELSEWHERE], frozenset())
    assert [str(entry.address) for entry in left.watched] == ["192.0.2.13"]


def test_reason_says_whether_another_interface_has_it() -> None:
    around = scope(ORDERS, "eth0", IpFamily.IPV4)
    assert not_announced(ELSEWHERE.packed, around) is DropReason.INTERFACE_NOT_MATCHING
    assert not_announced(WATCHED.packed, around) is DropReason.ADDRESS_NOT_ANNOUNCED
