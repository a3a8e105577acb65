"""Damping: a prefix that comes and goes is announced again with growing delay, from the fourth time in five minutes.

    prefix     | lost           | wanted                                      | time
    announced  | gone, counted  | announced
    gone       | gone           | announced, or WAITING if it went too often
    WAITING    | gone           | WAITING                                     | its delay is over: announced

Losing is always immediate. A delay begins when the prefix is wanted again and runs on while it is lost once more, so
nothing is kept back for longer than the limit after it was wanted. The delay doubles with every further withdrawal of
the last five minutes; quiet for so long, all is forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf

from orchestrator.net.addresses import Prefix

WINDOW_S = 300.0
FREE = 3
"""So often in WINDOW_S a prefix comes back at once."""
FIRST_DELAY_S = 5.0


@dataclass(frozen=True, slots=True)
class Restless:
    """When a prefix went, in monotonic seconds, the oldest first; `until` when it was or is kept back (None: not yet)."""

    went: tuple[float, ...] = ()
    until: float | None = None

    def lost(self, now: float) -> "Restless":
        """Return the same with one more withdrawal."""
        return Restless((*self._lately(now), now))

    def wanted(self, now: float, limit_s: float) -> "Restless":
        """Return the same with `until`: not later than now if it may be announced."""
        if self.until is not None:
            return self
        times = len(self._lately(now))
        delay = min(FIRST_DELAY_S * 2 ** (times - FREE - 1), limit_s) if times > FREE else 0.0
        return replace(self, until=now + delay)

    def _lately(self, now: float) -> tuple[float, ...]:
        return tuple(at for at in self.went if at > now - WINDOW_S)


class Damping:
    """Of all prefixes of a node those that went lately; an accumulator. `limit_s` is the longest delay, 0: there is none."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._known: dict[Prefix, Restless] = {}
        self._waiting: dict[Prefix, float] = {}

    @property
    def waiting(self) -> Mapping[Prefix, float]:
        """The prefixes that are wanted and kept back, and until when."""
        return self._waiting

    @property
    def deadline(self) -> float:
        """When the first delay is over, in monotonic seconds; infinite if there is none."""
        return min(self._waiting.values(), default=inf)

    def times(self, prefix: Prefix) -> int:
        """How often it went lately."""
        return len(self._known[prefix].went) if prefix in self._known else 0

    def withdrawn(self, prefix: Prefix, now: float) -> None:
        """Count it: the prefix was announced, and is lost."""
        before = self._known.pop(prefix, Restless())  # the last to go stands last
        self._known[prefix] = before.lost(now)
        self._forget(now)

    def unwanted(self, prefix: Prefix) -> None:
        """A prefix that waits is lost once more."""
        self._waiting.pop(prefix, None)

    def admits(self, prefix: Prefix, now: float) -> bool:
        """Whether a prefix that is wanted may be announced; if not, it waits."""
        known = self._known.get(prefix)
        if known is None:
            return True
        self._known[prefix] = after = known.wanted(now, self._limit_s)
        if after.until is None or after.until <= now:
            self._waiting.pop(prefix, None)
            return True
        self._waiting[prefix] = after.until
        return False

    def over(self, now: float) -> tuple[Prefix, ...]:
        """The prefixes whose delay is over; `admits` lets them pass."""
        return tuple(prefix for prefix, until in self._waiting.items() if until <= now)

    def _forget(self, now: float) -> None:
        """Those that went longest ago stand first."""
        while (first := next(iter(self._known))) not in self._waiting and self._known[first].went[-1] <= now - WINDOW_S:
            del self._known[first]
