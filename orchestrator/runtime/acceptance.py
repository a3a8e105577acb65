"""The condition `Accepted` of configuration objects, kept true behind everything else.

Every verdict is computed again when the configuration has settled, and written only where it is another one: other than
what the object says, or than what was written last. A server that drops the field (MetalLB's own CRDs) is so told once.
"""

from collections.abc import Mapping

import structlog

from orchestrator.config.advice import advise
from orchestrator.config.model import Resolved
from orchestrator.decide.accepted import ACCEPTED, InUse, accepted, in_use
from orchestrator.decide.conditions import since
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.meta import Condition, ObjectRef, Problem
from orchestrator.runtime.controller_report import now_text
from orchestrator.runtime.store import Changes, ObjectStore
from orchestrator.sources.interface import Sink

log = structlog.get_logger()

SETTLE_S = 0.3
"""A person applies several objects at once, and one names another that comes a moment later."""
SPEAKERS_SETTLE_S = 10.0
WRITE_INTERVAL_S = 0.02
RETRY_S = 1.0
IDLE_S = 0.001


class Acceptance:
    """Which verdicts have to be written. One leader's, over one store."""

    def __init__(self, sink: Sink, store: ObjectStore, metrics: Metrics) -> None:
        self._sink = sink
        self._store = store
        self._metrics = metrics
        self._resolved: Resolved | None = None
        self._due: float | None = None
        self._written: dict[ObjectRef, Condition] = {}
        self._waiting: dict[ObjectRef, Condition] = {}
        self._next_write = 0.0

    def configured(self, resolved: Resolved, now: float) -> None:
        """Judge by this from now on; `now` is monotonic."""
        self._resolved = resolved
        self.edited(now)

    def changed(self, changes: Changes, now: float) -> None:
        """Take in what the store was told."""
        if changes.standings:
            self.edited(now)
        if changes.speakers:
            self.speakers_changed(now)

    def edited(self, now: float) -> None:
        """Objects were written by somebody, which may change nothing but which edit a verdict is about."""
        self._due = now + SETTLE_S if self._due is None else min(self._due, now + SETTLE_S)

    def speakers_changed(self, now: float) -> None:
        """What the speakers say gives a warning at most: it can wait, and they say a lot."""
        self._due = now + SPEAKERS_SETTLE_S if self._due is None else self._due

    def patience(self, now: float) -> float | None:
        """Seconds until `work` has something to do; None: nothing is waiting."""
        times = [] if self._due is None else [self._due]
        if self._waiting:
            times.append(self._next_write)
        return max(min(times) - now, IDLE_S) if times else None

    async def work(self, now: float) -> None:
        """Judge if it is time to, and write one verdict that has changed."""
        if self._due is not None and self._due <= now and self._resolved is not None:
            self._due = None
            self._judge(self._resolved)
        if self._waiting and now >= self._next_write:
            await self._write(next(iter(self._waiting)), now)

    def _judge(self, resolved: Resolved) -> None:
        standings = self._store.standings
        self._written = {ref: said for ref, said in self._written.items() if ref in standings}
        self._waiting.clear()
        problems = self._problems(resolved)
        for ref, standing in sorted(standings.items()):
            held = next((each for each in standing.conditions if each.type == ACCEPTED), None)
            said = self._written.get(ref, held)
            found = problems.get(ref, ())
            verdict = accepted(found, in_use(ref, resolved) if found else InUse.NOTHING, standing.generation)
            verdict = since(said, verdict, now_text())
            if verdict != said:
                self._waiting[ref] = verdict

    def _problems(self, resolved: Resolved) -> Mapping[ObjectRef, list[Problem]]:
        snapshot = self._store.snapshot()
        speakers = [state.spec for state in self._store.speakers.values()]
        advice = advise(resolved.config, snapshot, speakers=speakers)
        found: dict[ObjectRef, list[Problem]] = {}
        for problem in dict.fromkeys((*self._store.problems(), *resolved.problems, *advice)):
            found.setdefault(problem.ref, []).append(problem)
        return found

    async def _write(self, ref: ObjectRef, now: float) -> None:
        self._next_write = now + WRITE_INTERVAL_S
        verdict = self._waiting[ref]
        try:
            await self._sink.write_condition(ref, verdict)
        except OSError as error:
            self._next_write = now + RETRY_S
            self._metrics.add(Name.UPDATE_ERRORS)
            log.error("verdict not written", object=str(ref), reason=error.strerror)
            return
        del self._waiting[ref]
        self._written[ref] = verdict
        log.info("verdict written", object=str(ref), status=verdict.status, reason=verdict.reason)
