"""One queue into which everything flows that a process reacts to, and the batches that come out of it.

The first input is handed out at once; whatever has arrived by then comes with it. What arrives while a batch is being
handled forms the next one: no timers on the way.
"""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.sources.interface import Source, SourceEvent


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """Events of the source that arrived together."""

    events: Sequence[SourceEvent]


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline passed, for which the loop had asked."""


@dataclass(frozen=True, slots=True)
class Stop:
    """SIGTERM or SIGINT: end in order."""


class Feed:
    """Inputs of one process, in order of arrival."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[object] = asyncio.Queue()

    def put(self, item: object) -> None:
        self._queue.put_nowait(item)

    async def pump(self, source: Source) -> None:
        """Put every batch of the source in, until cancelled."""
        async for events in source.watch():
            self.put(SourceBatch(events))

    async def batch(self, timeout_s: float | None = None) -> list[object]:
        """Return the next input with all that is queued behind it; a lone Tick after `timeout_s` seconds of nothing."""
        try:
            items = [await asyncio.wait_for(self._queue.get(), timeout_s)]
        except TimeoutError:
            return [Tick()]
        while not self._queue.empty():
            items.append(self._queue.get_nowait())
        return items

    def stop_on_signals(self) -> None:
        """Turn SIGTERM and SIGINT into Stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.put, Stop())
