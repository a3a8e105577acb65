import pytest

from orchestrator.decide.intervals import Intervals


def filled(*numbers: int) -> Intervals:
    intervals = Intervals()
    for number in numbers:
        intervals.add(number)
    return intervals


@pytest.mark.parametrize(
    ("numbers", "start", "expected"),
    [
        ((), 5, 5),
        ((5,), 5, 6),
        ((5, 6, 7), 5, 8),
        ((5, 7, 6), 6, 8),
        ((4, 6), 5, 5),
        ((4, 6), 6, 7),
        ((5, 5), 5, 6),
    ],
)
def test_next_absent_skips_the_run_that_holds_the_start(numbers: tuple[int, ...], start: int, expected: int) -> None:
    assert filled(*numbers).next_absent(start) == expected


@pytest.mark.parametrize(("gone", "expected"), [(5, 5), (6, 6), (7, 7), (9, 8)])
def test_discarded_number_is_absent_again(gone: int, expected: int) -> None:
    intervals = filled(5, 6, 7)
    intervals.discard(gone)
    assert intervals.next_absent(5) == expected


def test_discarding_the_only_number_leaves_nothing() -> None:
    intervals = filled(5)
    intervals.discard(5)
    assert 5 not in intervals
