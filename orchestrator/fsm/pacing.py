"""How often: an agenda of what is due when, and limits on how often something may be done.

Both are bounded by what they are told about, in time (logarithmic, or constant) and in memory.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Agenda:
    """At most one time per address (its octets). Times are monotonic seconds."""

    def __init__(self) -> None:
        self._times: dict[bytes, float] = {}
        self._heap: list[tuple[float, bytes]] = []

    def __contains__(self, address: bytes) -> bool:
        return address in self._times

    def plan(self, address: bytes, at: float) -> None:
        """Make the address due at this time and no other."""
        self._times[address] = at
        heapq.heappush(self._heap, (at, address))

    def cancel(self, address: bytes) -> None:
        """Make the address due no more; an unknown one is fine."""
        self._times.pop(address, None)

    def due(self, now: float, limit: int | None = None) -> list[bytes]:
        """Return at most `limit` addresses whose time has come, the longest due first; they are planned no more."""
        ready: list[bytes] = []
        while (limit is None or len(ready) < limit) and (at := self.next_at()) is not None and at <= now:
            _, address = heapq.heappop(self._heap)
            del self._times[address]
            ready.append(address)
        return ready

    def next_at(self) -> float | None:
        """Return when the next one is due; None if nothing is planned."""
        while self._heap:
            at, address = self._heap[0]
            if self._times.get(address) == at:
                return at
            heapq.heappop(self._heap)
        return None


class Limiter(Generic[Key]):
    """Admits each key at most once per `interval_s`, and no more than `capacity` keys in that time altogether."""

    def __init__(self, interval_s: float, capacity: int) -> None:
        self._interval_s = interval_s
        self._capacity = capacity
        self._admitted: dict[Key, float] = {}
        """The oldest first."""

    def admits(self, key: Key, now: float) -> bool:
        """Whether it may be done now; then it counts as done."""
        self._forget(now)
        if key in self._admitted or len(self._admitted) >= self._capacity:
            return False
        self._admitted[key] = now
        return True

    def _forget(self, now: float) -> None:
        while self._admitted and now - next(iter(self._admitted.values())) >= self._interval_s:
            del self._admitted[next(iter(self._admitted))]


class Bucket:
    """A token bucket: `burst` at once, `per_s` each second in the long run."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether there is a token; then it is gone."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def next_at(self) -> float:
        """Return when there is a token; a time that is past if there is one already."""
        return self._at + (1 - self._tokens) / self._per_s
