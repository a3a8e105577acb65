from dataclasses import dataclass

import pytest

from orchestrator.config.claims import Claim, Claims
from orchestrator.config.findings import Findings
from orchestrator.config.spans import Span, Spans, check_apart, settle
from orchestrator.net.addresses import AddressRange, parse_range
from tests.support.objects import ref


@dataclass(frozen=True, slots=True)
class Wanted:
    entries: tuple[str, ...]

    @property
    def ranges(self) -> tuple[AddressRange, ...]:
        return tuple(map(parse_range, self.entries))


def claim(name: str, *variants: tuple[str, ...], proven: bool = False, before: bytes | None = None) -> Claim[Wanted]:
    """`variants`: what the object asks for, and what it has."""
    return Claim(
        ref=ref("AddressReservation", name),
        created="",
        variants=tuple(map(Wanted, variants)),
        proven=proven,
        fresh=name.encode(),
        before=before,
    )


def claims(*served: Claim[Wanted]) -> Claims[Wanted]:
    return Claims(served=served, problems=(), unclaimed=frozenset(), memories={})


def wording(entry: str, name: str, met: Span) -> str:
    return f"{entry} of {name} meets {met.entry} of {met.owner}"


@pytest.mark.parametrize(
    ("entry", "meets"),
    [
        ("10.0.0.0/24", True),
        ("10.0.0.5-10.0.0.6", True),
        ("9.0.0.0-11.0.0.0", True),
        ("10.0.0.3-10.0.0.4", True),
        ("10.0.0.0-10.0.0.3", False),
        ("10.0.0.8-10.0.0.9", False),
        ("::a00:0/120", False),
    ],
)
def test_range_meets_those_that_share_an_address_of_its_family(entry: str, meets: bool) -> None:
    spans = Spans()
    spans.add_all(Wanted(("10.0.0.4-10.0.0.7", "10.0.0.16/30")), "a")
    assert (spans.overlap(parse_range(entry)) is not None) is meets


def test_dropped_ranges_meet_nobody_and_those_of_others_stay() -> None:
    spans = Spans()
    spans.add_all(Wanted(("10.0.0.0/24", "10.0.1.0/24")), "a")
    spans.add_all(Wanted(("10.0.2.0/24",)), "b")
    spans.drop("a", (parse_range("10.0.0.0/24"), parse_range("10.0.2.0/24"), parse_range("10.0.9.0/24")))
    assert spans.overlap(parse_range("10.0.0.0/24")) is None
    assert spans.overlap(parse_range("10.0.1.0/24")) is not None
    assert spans.overlap(parse_range("10.0.2.0/24")) is not None


def test_who_is_served_first_keeps_its_ranges() -> None:
    settled = settle(claims(claim("b", ("10.0.0.0/24",)), claim("a", ("10.1.0.0/24", "10.0.0.128/25"))), wording)
    assert list(settled.kept) == ["b"]
    assert [(each.ref.name, each.field, each.message) for each in settled.problems] == [
        ("a", "spec.addresses[1]", "10.0.0.128/25 of a meets 10.0.0.0/24 of b")
    ]
    assert settled.memories == {ref("AddressReservation", "b"): b"b"}


def test_who_is_served_later_falls_back_to_what_it_had() -> None:
    later = claim("a", ("10.0.0.0/23",), ("10.0.1.0/24",), before=b"old")
    settled = settle(claims(claim("b", ("10.0.0.0/24",), proven=True), later), wording)
    assert settled.kept["a"] == (Wanted(("10.0.1.0/24",)),)
    assert settled.memories[later.ref] == b"old"


def test_kept_objects_are_in_the_order_of_their_names_with_their_earlier_variants() -> None:
    first = claim("b", ("10.0.0.0/24",), ("10.0.0.0/25",))
    settled = settle(claims(first, claim("a", ("10.1.0.0/24",))), wording)
    assert list(settled.kept) == ["a", "b"]
    assert settled.kept["b"] == first.variants


def test_entries_of_one_object_are_compared_with_each_other() -> None:
    entries = ("10.0.0.0/24", "nonsense", "10.0.0.1/32")
    findings = Findings(ref("AddressReservation", "a"))
    check_apart(entries, {0: parse_range(entries[0]), 2: parse_range(entries[2])}, wording, findings)
    assert [(each.field, each.message) for each in findings.problems] == [
        ("spec.addresses[2]", "10.0.0.1/32 of a meets 10.0.0.0/24 of a")
    ]


WANTS_ALL = ("10.0.0.0/16",)


def kept_entries(*served: Claim[Wanted]) -> dict[str, tuple[str, ...]]:
    return {name: variants[0].entries for name, variants in settle(claims(*served), wording).kept.items()}


def test_edit_that_asks_for_nothing_new_keeps_what_others_have_wanted_for_longer() -> None:
    older = claim("b", WANTS_ALL)
    edited = claim("a", ("10.0.0.0/24",), ("10.0.0.0/24", "10.1.0.0/24"))
    assert kept_entries(older, edited) == {"a": ("10.0.0.0/24",)}


def test_growing_keeps_what_others_have_wanted_for_longer() -> None:
    older = claim("b", WANTS_ALL)
    growing = claim("a", ("10.0.0.0/24", "10.2.0.0/24"), ("10.0.0.0/24",))
    assert kept_entries(older, growing) == {"a": ("10.0.0.0/24", "10.2.0.0/24")}


@pytest.mark.parametrize("grown", [("10.0.0.0/24", "10.2.0.0/24"), ("10.0.0.0/23",)])
def test_of_two_that_grow_neither_takes_what_the_other_has(grown: tuple[str, ...]) -> None:
    older = claim("b", WANTS_ALL, ("10.9.0.0/24",))
    growing = claim("a", grown, ("10.0.0.0/24",))
    assert kept_entries(older, growing) == {"a": grown, "b": ("10.9.0.0/24",)}


def test_who_grows_gets_what_another_gives_up_with_the_same_edit() -> None:
    older = claim("b", ("10.0.0.0/24", "10.9.0.0/24"), ("10.9.0.0/24",))
    moving = claim("a", ("10.2.0.0/24",), ("10.0.0.0/24",))
    assert kept_entries(older, moving) == {"a": ("10.2.0.0/24",), "b": ("10.0.0.0/24", "10.9.0.0/24")}
