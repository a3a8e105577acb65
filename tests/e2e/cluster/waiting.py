"""Waiting for what a user would look for again and again."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

INTERVAL_S = 0.05


class NotYet(AssertionError):
    """It did not come in time."""


def eventually(check: Callable[[], Found], what: str = "", *, within_s: float = 30.0) -> Found:
    """Return the check's first true value. Raises NotYet with the last value or failed assertion after the limit."""
    deadline = time.monotonic() + within_s
    while True:
        last: object
        try:
            found = check()
            if found:
                return found
            last = found
        except (AssertionError, OSError) as error:
            last = error
        if time.monotonic() > deadline:
            raise NotYet(f"{what or 'condition'}: not within {within_s:g} s; last seen: {last!r}")
        time.sleep(INTERVAL_S)
