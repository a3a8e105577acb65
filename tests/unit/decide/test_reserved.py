from typing import Any

import pytest

from orchestrator.config.model import Reservation
from orchestrator.decide.reserved import ReservedAddresses
from orchestrator.net.addresses import parse_range
from tests.support.objects import ips, key, labeled, ref


def reservation(name: str, *ranges: str, **fields: Any) -> Reservation:
    return Reservation(
        name=name,
        origin=ref("AddressReservation", name),
        ranges=tuple(parse_range(text) for text in ranges),
        **fields,
    )


def reserved(*all_of_them: Reservation) -> ReservedAddresses:
    return ReservedAddresses({each.name: each for each in all_of_them})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.3", None),
        ("10.0.0.4", "b"),
        ("10.0.0.7", "b"),
        ("10.0.0.8", None),
        ("10.0.1.0", "a"),
        ("2001:db8::1", "b"),
        ("::1", None),
    ],
)
def test_address_is_covered_by_the_reservation_that_has_it(address: str, expected: str | None) -> None:
    target = reserved(reservation("a", "10.0.1.0/32"), reservation("b", "10.0.0.4/30", "2001:db8::/64"))
    found = target.covering(ips(address)[0])
    assert (found.name if found else None) == expected


def test_service_that_is_named_comes_first_then_names() -> None:
    target = reserved(
        reservation("a", "10.0.0.1/32", namespaces=frozenset({"default"})),
        reservation("b", "10.0.0.2/32"),
        reservation("c", "10.0.0.3/32", service_selectors=(labeled(app="web"),)),
        reservation("d", "10.0.0.4/32", service=key("web")),
        reservation("e", "10.0.0.5/32", service=key("other")),
        reservation("f", "10.0.0.6/32", namespaces=frozenset({"other"})),
    )
    assert [each.name for each in target.admitting(key("web"), {"app": "web"})] == ["d", "a", "b", "c"]
    assert [each.name for each in target.admitting(key("x", "other"), {})] == ["b", "f"]
    assert target.naming(key("web"))
    assert not target.naming(key("web", "other"))


def test_address_is_kept_from_those_that_are_not_admitted() -> None:
    target = reserved(reservation("a", "10.0.0.1/32", service=key("web")))
    address, free = ips("10.0.0.1", "10.0.0.2")
    assert target.against(key("web"), {}, address) is None
    assert target.against(key("other"), {}, address) == target.reservations["a"]
    assert target.against(key("other"), {}, free) is None


def test_part_of_a_range_that_is_reserved_is_cut_out() -> None:
    target = reserved(reservation("a", "10.0.0.0/30", "10.0.0.8-10.0.0.9"), reservation("b", "10.0.0.14-10.0.0.20"))
    inside = [str(part) for part in target.inside(parse_range("10.0.0.2-10.0.0.15"))]
    assert inside == ["10.0.0.2-10.0.0.3", "10.0.0.8-10.0.0.9", "10.0.0.14-10.0.0.15"]
    assert list(target.inside(parse_range("2001:db8::/64"))) == []
