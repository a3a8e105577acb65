"""Counts how often a line of ours goes: somebody who takes it away again and again shall not be fought for ever."""

from collections import deque
from collections.abc import Iterable

from orchestrator.render.canonical import Line

WINDOW_S = 60.0
LIMIT = 3


class Drift:
    """When each line was last found missing, within the last minute."""

    def __init__(self) -> None:
        self._seen: dict[Line, deque[float]] = {}

    def failing(self, gone: Iterable[Line], now: float) -> tuple[Line, ...]:
        """Note the lines that are gone now, and return those that went for the third time within a minute."""
        for line in gone:
            times = self._seen.setdefault(line, deque(maxlen=LIMIT))
            times.append(now)
        self._seen = {line: times for line, times in self._seen.items() if now - times[-1] < WINDOW_S}
        gone_now = (line for line, times in self._seen.items() if times[-1] == now)
        return tuple(sorted(line for line in gone_now if _too_often(self._seen[line], now)))


def _too_often(times: deque[float], now: float) -> bool:
    return len(times) == LIMIT and now - times[0] < WINDOW_S
