"""Slices and Services arrive in any order; what is delivered is the same."""

from itertools import permutations

import pytest

from orchestrator.resources.meta import ObjectKey
from orchestrator.sources.kube.slices import SliceFilter, Verdict, service_of

WEB, DB = ObjectKey("default", "web"), ObjectKey("default", "db")
SLICE, OTHER = ObjectKey("default", "web-1"), ObjectKey("default", "web-2")


@pytest.fixture
def slices() -> SliceFilter:
    return SliceFilter()


def test_slice_of_an_unknown_service_is_dropped(slices: SliceFilter) -> None:
    assert slices.arrived(SLICE, WEB, "1") is Verdict.DROP


def test_slice_of_a_known_service_is_delivered(slices: SliceFilter) -> None:
    assert not slices.service_known(WEB)
    assert slices.arrived(SLICE, WEB, "1") is Verdict.DELIVER
    assert not slices.service_known(WEB)


def test_service_that_comes_late_gets_its_slices_fetched(slices: SliceFilter) -> None:
    slices.arrived(SLICE, WEB, "1")
    assert slices.service_known(WEB)
    assert slices.fetched(SLICE, WEB, "1")
    assert not slices.wants(WEB)
    assert not slices.fetched(SLICE, WEB, "1")


def test_watch_beats_what_is_fetched_meanwhile(slices: SliceFilter) -> None:
    slices.arrived(SLICE, WEB, "1")
    slices.service_known(WEB)
    assert slices.arrived(SLICE, WEB, "2") is Verdict.DELIVER
    assert not slices.fetched(SLICE, WEB, "1")


def test_slice_that_went_meanwhile_stays_gone(slices: SliceFilter) -> None:
    slices.arrived(SLICE, WEB, "1")
    slices.service_known(WEB)
    assert not slices.gone(SLICE)
    assert not slices.fetched(SLICE, WEB, "1")


def test_service_that_went_meanwhile_gets_nothing(slices: SliceFilter) -> None:
    slices.arrived(SLICE, WEB, "1")
    slices.service_known(WEB)
    assert slices.service_gone(WEB) == ()
    assert not slices.fetched(SLICE, WEB, "1")


def test_watch_does_not_go_back_behind_what_was_fetched(slices: SliceFilter) -> None:
    slices.arrived(SLICE, WEB, "8")
    slices.service_known(WEB)
    assert slices.fetched(SLICE, WEB, "10")
    assert [slices.arrived(SLICE, WEB, version) for version in ("9", "10", "11")] == [
        Verdict.DROP,
        Verdict.DROP,
        Verdict.DELIVER,
    ]


def test_versions_that_are_no_numbers_are_not_compared(slices: SliceFilter) -> None:
    slices.arrived(SLICE, WEB, "a")
    slices.service_known(WEB)
    assert slices.fetched(SLICE, WEB, "c")
    assert slices.arrived(SLICE, WEB, "b") is Verdict.DELIVER


def test_service_that_goes_takes_its_slices_along_and_may_come_back(slices: SliceFilter) -> None:
    slices.service_known(WEB)
    slices.arrived(SLICE, WEB, "1")
    slices.arrived(OTHER, WEB, "2")
    assert set(slices.service_gone(WEB)) == {SLICE, OTHER}
    assert slices.arrived(SLICE, WEB, "3") is Verdict.DROP
    assert slices.service_known(WEB)
    assert slices.fetched(SLICE, WEB, "3")


def test_gone_slice_is_told_only_if_it_was_delivered(slices: SliceFilter) -> None:
    slices.service_known(WEB)
    slices.arrived(SLICE, WEB, "1")
    slices.arrived(OTHER, DB, "1")
    assert slices.gone(SLICE)
    assert not slices.gone(SLICE)
    assert not slices.gone(OTHER)
    assert not slices.service_known(DB)


def test_slice_that_changes_hands_leaves_its_service(slices: SliceFilter) -> None:
    slices.service_known(WEB)
    slices.arrived(SLICE, WEB, "1")
    assert slices.arrived(SLICE, DB, "2") is Verdict.WITHDRAW
    assert slices.service_known(DB)
    assert slices.service_gone(WEB) == ()


@pytest.mark.parametrize("order", list(permutations(["service", "slice", "other"])))
def test_any_order_ends_the_same(order: tuple[str, ...]) -> None:
    slices, delivered = SliceFilter(), set()
    for step in order:
        if step == "service":
            if slices.service_known(WEB):
                delivered |= {key for key in (SLICE, OTHER) if slices.fetched(key, WEB, "1")}
        else:
            key = SLICE if step == "slice" else OTHER
            if slices.arrived(key, WEB, "1") is Verdict.DELIVER:
                delivered.add(key)
    assert delivered == {SLICE, OTHER}


def test_service_is_read_from_the_label() -> None:
    raw = b'{"metadata":{"name":"web-1","labels":{"a":"b","kubernetes.io/service-name":"web"}},"endpoints":null}'
    assert service_of(SLICE, raw) == WEB


@pytest.mark.parametrize("metadata", [b"{}", b'{"labels":null}', b'{"labels":{"a":"b"}}'])
def test_slice_without_label_belongs_to_nobody(metadata: bytes) -> None:
    assert service_of(SLICE, b'{"metadata":' + metadata + b"}") == ObjectKey("default", "")
