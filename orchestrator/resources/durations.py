"""Durations as Kubernetes writes them: Go's `1h30m`, `90s`, `1.5s`, `100ms`."""

import re
from datetime import timedelta
from fractions import Fraction

from orchestrator.errors import InvalidConfig

_UNITS_S = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "\u00b5s": Fraction(1, 10**6),
    "\u03bcs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)", re.ASCII)


def parse_seconds(text: str) -> Fraction:
    """Return the exact number of seconds. Raises InvalidConfig. Source: Go's time.ParseDuration."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return Fraction(0)
    parts = _PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise InvalidConfig(f'"{text}" is not a duration; write a number with its unit, such as "90s"')
    return sign * sum((Fraction(number.rstrip(".")) * _UNITS_S[unit] for number, unit in parts), Fraction(0))


def parse_duration(text: str) -> timedelta:
    """Return the duration, cut to microseconds. Raises InvalidConfig."""
    try:
        return timedelta(microseconds=int(parse_seconds(text) * 10**6))
    except OverflowError:
        raise InvalidConfig(f'"{text}" is too long for a duration') from None
