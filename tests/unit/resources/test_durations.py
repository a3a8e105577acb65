from datetime import timedelta
from fractions import Fraction

import pytest

from orchestrator.errors import InvalidConfig
from orchestrator.resources.durations import parse_duration, parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", Fraction(90)),
        ("1m30s", Fraction(90)),
        ("1h", Fraction(3600)),
        ("1.5s", Fraction(3, 2)),
        (".5s", Fraction(1, 2)),
        ("5.s", Fraction(5)),
        ("250ms", Fraction(1, 4)),
        ("1ns", Fraction(1, 10**9)),
        ("2\u00b5s", Fraction(2, 10**6)),
        ("0", Fraction(0)),
        ("-3s", Fraction(-3)),
        ("+3s", Fraction(3)),
    ],
)
def test_go_durations_are_read_exactly(text: str, seconds: Fraction) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "s", "1d", "1 s", "1s ", "-", "--1s", "1e3s", "\u0661s", "1s,2s"])
def test_other_text_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidConfig, match='such as "90s"'):
        parse_seconds(text)


def test_duration_is_cut_to_microseconds() -> None:
    assert parse_duration("1s1999ns") == timedelta(seconds=1, microseconds=1)


def test_duration_beyond_every_clock_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="too long"):
        parse_duration("9" * 30 + "h")
