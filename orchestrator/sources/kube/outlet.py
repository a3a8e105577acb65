"""What the watches found, on its way to whoever reads the source: batches in order, and `Synced` in its place."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from orchestrator.resources.meta import Problem
from orchestrator.sources.interface import SourceEvent, Synced
from orchestrator.sources.kube.refusals import ESSENTIAL, Refusals

BELIEVED_REFUSALS = 4
"""A starting API server refuses what it will allow a moment later: this many tries take about 0.3 s."""


class Outlet:
    """One queue for all watches. `expect` names what the first list consists of, each time by what is watched.

    What is `late` follows the first list, which does not wait for it: neither for its list nor for the right to have it.
    """

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Sequence[SourceEvent]] = asyncio.Queue()
        self._refusals = Refusals()
        self._awaited: set[str] = set()
        self._late: set[str] = set()
        self._put_off: set[str] = set()
        self._listed: set[str] = set()
        self._refused: Counter[str] = Counter()
        self._synced = False

    async def next(self) -> Sequence[SourceEvent]:
        """Return the next batch."""
        return await self._queue.get()

    def put(self, events: Sequence[SourceEvent]) -> None:
        if events:
            self._queue.put_nowait(events)

    def expect(self, what: str, *, late: bool = False) -> None:
        """`Synced` waits for this, too; if it is late, only that it is complete."""
        if late:
            self._late.add(what)
        (self._put_off if late else self._awaited).add(what)

    def listed(self, what: str) -> None:
        """The list of this has been delivered."""
        self._listed.add(what)
        self._settled(what)

    def refused(self, what: str, problem: Problem) -> None:
        """The server does not let us list this. What has been listed once stays as it is known."""
        self._refused[what] += 1
        essential = problem.ref.kind in ESSENTIAL and what not in self._late
        if what in self._listed or essential or self._refused[what] < BELIEVED_REFUSALS:
            return
        if state := self._refusals.add(what, problem):
            self.put((state,))
        self._arrived(what)

    def forget(self, what: str) -> None:
        """Nobody wants this any more."""
        self._listed.discard(what)
        self._settled(what)

    def _settled(self, what: str) -> None:
        del self._refused[what]
        if state := self._refusals.clear(what):
            self.put((state,))
        self._arrived(what)

    def _arrived(self, what: str) -> None:
        waited = bool(self._put_off)
        self._awaited.discard(what)
        self._put_off.discard(what)
        if self._awaited:
            return
        if not self._synced or (waited and not self._put_off):
            self._synced = True
            self.put((Synced(complete=not self._put_off),))
