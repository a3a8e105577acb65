"""The conditions `Accepted` of configuration objects and `Established` of BGPPeers, kept true behind everything else.

Every verdict is computed again when the configuration has settled, and written only where it is another one: other than
what the object says, or than what was written last. A server that drops the field (MetalLB's own CRDs) is so told once.
"""

from collections.abc import Mapping
from typing import NamedTuple

import structlog

from orchestrator.config.advice import advise
from orchestrator.config.model import Resolved
from orchestrator.decide.accepted import InUse, accepted, in_use
from orchestrator.decide.conditions import since
from orchestrator.decide.sessions import established
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.meta import Condition, ObjectRef, Problem
from orchestrator.runtime.controller_report import now_text
from orchestrator.runtime.store import Changes, ObjectStore
from orchestrator.sources.interface import Sink

log = structlog.get_logger()

SETTLE_S = 0.3
"""A person applies several objects at once, and one names another that comes a moment later."""
SPEAKERS_SETTLE_S = 10.0
SESSIONS_SETTLE_S = 1.0
"""A router goes, and all nodes say so."""
WRITE_INTERVAL_S = 0.02
RETRY_S = 1.0
IDLE_S = 0.001


class Subject(NamedTuple):
    """An object and the type of a condition of it."""

    ref: ObjectRef
    type: str


class Acceptance:
    """Which verdicts have to be written. One leader's, over one store."""

    def __init__(self, sink: Sink, store: ObjectStore, metrics: Metrics) -> None:
        self._sink = sink
        self._store = store
        self._metrics = metrics
        self._resolved: Resolved | None = None
        self._due: float | None = None
        self._sessions_due: float | None = None
        self._written: dict[Subject, Condition] = {}
        self._waiting: dict[Subject, Condition] = {}
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
        self._sessions_due = now + SESSIONS_SETTLE_S if self._sessions_due is None else self._sessions_due

    def patience(self, now: float) -> float | None:
        """Seconds until `work` has something to do; None: nothing is waiting."""
        times = [due for due in (self._due, self._sessions_due) if due is not None]
        if self._waiting:
            times.append(self._next_write)
        return max(min(times) - now, IDLE_S) if times else None

    async def work(self, now: float) -> None:
        """Judge if it is time to, and write one verdict that has changed."""
        if self._resolved is not None and self._due is not None and self._due <= now:
            self._due = self._sessions_due = None
            self._judge(self._resolved)
            self._judge_sessions(self._resolved)
        elif self._resolved is not None and self._sessions_due is not None and self._sessions_due <= now:
            self._sessions_due = None
            self._judge_sessions(self._resolved)
        if self._waiting and now >= self._next_write:
            await self._write(next(iter(self._waiting)), now)

    def _judge(self, resolved: Resolved) -> None:
        standings = self._store.standings
        self._written = {subject: said for subject, said in self._written.items() if subject.ref in standings}
        self._waiting.clear()
        problems = self._problems(resolved)
        for ref, standing in sorted(standings.items()):
            found = problems.get(ref, ())
            self._compare(ref, accepted(found, in_use(ref, resolved) if found else InUse.NOTHING, standing.generation))

    def _judge_sessions(self, resolved: Resolved) -> None:
        peers = {**resolved.config.peers, **resolved.config.locked_peers}
        for ref, standing in sorted(self._store.standings.items()):
            if ref.kind == "BGPPeer":
                nodes = peers[ref.name].nodes if ref.name in peers else None
                self._compare(ref, established(ref.name, nodes, self._store.speakers, standing.generation))

    def _compare(self, ref: ObjectRef, verdict: Condition) -> None:
        """Have the verdict written if it is another one than what was said."""
        subject = Subject(ref, verdict.type)
        conditions = self._store.standings[ref].conditions
        held = next((each for each in conditions if each.type == verdict.type), None)
        said = self._written.get(subject, held)
        verdict = since(said, verdict, now_text())
        if verdict == said:
            self._waiting.pop(subject, None)
        else:
            self._waiting[subject] = verdict

    def _problems(self, resolved: Resolved) -> Mapping[ObjectRef, list[Problem]]:
        snapshot = self._store.snapshot()
        speakers = [state.spec for state in self._store.speakers.values()]
        advice = advise(resolved.config, snapshot, speakers=speakers)
        found: dict[ObjectRef, list[Problem]] = {}
        for problem in dict.fromkeys((*self._store.problems(), *resolved.problems, *advice)):
            found.setdefault(problem.ref, []).append(problem)
        return found

    async def _write(self, subject: Subject, now: float) -> None:
        self._next_write = now + WRITE_INTERVAL_S
        verdict = self._waiting[subject]
        try:
            await self._sink.write_condition(subject.ref, verdict)
        except OSError as error:
            self._next_write = now + RETRY_S
            self._metrics.add(Name.UPDATE_ERRORS)
            log.error("verdict not written", object=str(subject.ref), condition=subject.type, reason=error.strerror)
            return
        del self._waiting[subject]
        self._written[subject] = verdict
        said = {"condition": subject.type, "status": verdict.status, "reason": verdict.reason}
        log.info("verdict written", object=str(subject.ref), **said)
