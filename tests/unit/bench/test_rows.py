import pytest

from tests.bench.rows import Scope, percentile, row_of


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [
        ([5.0], 99, 5.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        (range(1, 101), 99, 99),
        (range(1, 51), 99, 50),
        ([1.0, 2.0], 0, 1.0),
    ],
)
def test_percentile_is_a_sample(samples: list[float], percent: float, expected: float) -> None:
    assert percentile(samples, percent) == expected


def test_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


def test_a_single_sample_has_no_p99() -> None:
    row = row_of("x", [2.0], "ms")
    assert (row.figure, row.p99, row.n) == (2.0, None, 1)


def test_quick_scope_repeats_less_and_stays_small() -> None:
    assert Scope().times(100) == 100
    assert Scope(quick=True).times(100) == 10
    assert Scope(quick=True).times(5) == 3
    assert Scope(quick=True).sizes(1, 2, 3) == (1, 2)
