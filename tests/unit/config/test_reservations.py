from typing import Any

import pytest

from orchestrator.config.claims import Claims, Knowledge
from orchestrator.config.model import LastGood, Reservation
from orchestrator.config.reservations import Draft, Surroundings, claims_of, settle
from orchestrator.config.spans import Spans
from orchestrator.net.addresses import parse_range
from orchestrator.resources.core import Namespace
from orchestrator.resources.extensions import AddressReservation, ServiceReference
from orchestrator.resources.meta import ObjectKey, ObjectMeta
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import labeled, named, reservation_object

OLD, YOUNG = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
NAMESPACES = {name: Namespace(metadata=ObjectMeta(name=name, labels={"team": name})) for name in ("red", "blue")}


def pools() -> Spans:
    spans = Spans()
    for entry in ("10.0.0.0/16", "2001:db8::/64"):
        spans.add(parse_range(entry), entry, "edge")
    return spans


def claims(
    *reservations: AddressReservation, last_good: LastGood | None = None, around: Spans | None = None
) -> Claims[Draft]:
    knowledge = Knowledge(ClusterSnapshot(reservations=named(*reservations)), last_good or {})
    return claims_of(knowledge, Surroundings(namespaces=NAMESPACES, pools=around))


def only(obj: AddressReservation) -> Reservation:
    found = claims(obj, around=pools())
    assert not found.problems
    return found.served[0].variants[0].reservation


def test_addresses_are_single_ones_prefixes_and_ranges() -> None:
    found = only(reservation_object("r", "10.0.0.9", "10.0.1.0/30", "10.0.2.1-10.0.2.2", "2001:db8::1"))
    assert list(map(str, found.ranges)) == [
        "10.0.0.9-10.0.0.9",
        "10.0.1.0-10.0.1.3",
        "10.0.2.1-10.0.2.2",
        "2001:db8::1-2001:db8::1",
    ]


def test_service_is_named_by_namespace_and_name() -> None:
    found = only(reservation_object("r", "10.0.0.9", service=ServiceReference(namespace="shop", name="web")))
    assert found.service == ObjectKey("shop", "web")
    assert found.namespaces is None


@pytest.mark.parametrize(
    ("spec", "service", "labels", "admitted"),
    [
        ({"service": ServiceReference(namespace="red", name="web")}, ObjectKey("red", "web"), {}, True),
        ({"service": ServiceReference(namespace="red", name="web")}, ObjectKey("red", "api"), {}, False),
        ({"namespaces": ("green",)}, ObjectKey("green", "web"), {}, True),
        ({"namespaces": ("green",)}, ObjectKey("red", "web"), {}, False),
        ({"namespace_selectors": (labeled(team="red"),)}, ObjectKey("red", "web"), {}, True),
        ({"namespace_selectors": (labeled(team="red"),)}, ObjectKey("blue", "web"), {}, False),
        ({"namespace_selectors": (labeled(team="none"),)}, ObjectKey("red", "web"), {}, False),
        ({"service_selectors": (labeled(app="a"),)}, ObjectKey("red", "web"), {"app": "a"}, True),
        ({"service_selectors": (labeled(app="a"),)}, ObjectKey("red", "web"), {"app": "b"}, False),
        (
            {"namespaces": ("red",), "service_selectors": (labeled(app="a"),)},
            ObjectKey("blue", "w"),
            {"app": "a"},
            False,
        ),
    ],
)
def test_addresses_are_for(spec: dict[str, Any], service: ObjectKey, labels: dict[str, str], admitted: bool) -> None:
    assert only(reservation_object("r", "10.0.0.9", **spec)).admits(service, labels) is admitted


@pytest.mark.parametrize(
    ("entries", "spec", "field", "message"),
    [
        (("web",), {}, "spec.addresses[0]", '"web" is not an IP address; write "192.0.2.10"'),
        (("10.0.0.1", "10.0.0.9-10.0.0.1"), {}, "spec.addresses[1]", 'range "10.0.0.9-10.0.0.1" ends before it starts'),
        (("10.0.0.0/30", "10.0.0.1"), {}, "spec.addresses[1]", '"10.0.0.1" overlaps with "10.0.0.0/30"; take'),
        (("10.0.0.1",), {"namespaces": ("a", "a")}, "spec.namespaces", "duplicate definition"),
        (
            ("10.0.0.1",),
            {"service_selectors": (labeled(a="b"), labeled(a="b"))},
            "spec.serviceSelectors[1]",
            "duplicate definition",
        ),
    ],
)
def test_bad_reservation_is_refused_with_the_place(
    entries: tuple[str, ...], spec: dict[str, Any], field: str, message: str
) -> None:
    found = claims(reservation_object("r", *entries, **spec))
    assert not found.served
    assert [problem.field for problem in found.problems] == [field]
    assert found.problems[0].message.startswith(message)


def test_address_outside_every_pool_is_only_warned_of() -> None:
    found = claims(reservation_object("r", "10.0.0.1", "192.0.2.1"), around=pools())
    assert [(problem.field, problem.severity.value) for problem in found.problems] == [("spec.addresses[1]", "warning")]
    assert "192.0.2.1" in found.problems[0].message
    assert found.served


def test_while_a_pool_cannot_be_used_nothing_is_called_outside() -> None:
    assert not claims(reservation_object("r", "192.0.2.1")).problems


def test_younger_of_two_overlapping_reservations_is_left_out() -> None:
    kept, problems, _ = settle(
        claims(
            reservation_object("a", "10.0.0.0/24", created=YOUNG),
            reservation_object("b", "10.0.0.7", created=OLD),
        )
    )
    assert list(kept) == ["b"]
    assert [(problem.ref.name, problem.field) for problem in problems] == [("a", "spec.addresses[0]")]
    assert problems[0].message.startswith('"10.0.0.0/24" overlaps with "10.0.0.7" of AddressReservation b; take')


def test_reservation_grown_into_another_keeps_its_last_good_addresses() -> None:
    other = reservation_object("b", "10.0.1.0/24")
    _, _, memory = settle(claims(reservation_object("a", "10.0.0.0/24"), other))
    kept, problems, after = settle(claims(reservation_object("a", "10.0.0.0/23"), other, last_good=memory))
    assert list(map(str, kept["a"].ranges)) == ["10.0.0.0-10.0.0.255"]
    assert [problem.ref.name for problem in problems] == ["a"]
    assert after == memory


def test_broken_reservation_keeps_its_last_good_addresses() -> None:
    _, _, memory = settle(claims(reservation_object("a", "10.0.0.1")))
    kept, _, after = settle(claims(reservation_object("a", "10.0.0.300"), last_good=memory))
    assert list(map(str, kept["a"].ranges)) == ["10.0.0.1-10.0.0.1"]
    assert after == memory
