"""The speaker's side of its node's drain: what the Node object asks for, how far that is, and what is told of it.

The node's own speaker alone decides how far its drain is, from the Node and its flags; the other nodes and the
controller believe its SpeakerState. So they need not have the same flags, and nobody withdraws for anybody else.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal

import structlog

from orchestrator.config.drains import Wish, wish_of
from orchestrator.config.model import NodeName
from orchestrator.decide.drain import Drained, DrainStage, drains_in, successors
from orchestrator.decide.node_plan import GroupPlan
from orchestrator.fsm.drain import Drain
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.extensions import DrainReport, SpeakerStateSpec
from orchestrator.resources.meta import ObjectRef
from orchestrator.runtime.speaker_statuses import COMPONENT
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import SpeakerSettings
from orchestrator.sources.interface import EventType, ObjectEvent

log = structlog.get_logger()

HELD_BACK_LIMIT = 20
"""So many Services a report names."""
STAGES: Mapping[DrainStage, Literal["", "marked", "withdrawn"]] = {
    DrainStage.SERVING: "",
    DrainStage.MARKED: "marked",
    DrainStage.HANDED_OVER: "withdrawn",
    DrainStage.OUT: "withdrawn",
}


class NodeDrain:
    """How far the drain of this node is."""

    def __init__(self, settings: SpeakerSettings, store: ObjectStore, metrics: Metrics) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._state = Drain()
        self._by = ""
        self._since = ""
        self._told = DrainReport()

    def resume(self, written: DrainReport) -> None:
        """Go on where an earlier speaker of this node left off: what it had withdrawn does not come back."""
        self._told, self._since = written, written.since
        if written.stage == "withdrawn":
            self._state = Drain(since=-math.inf)

    def look(self, now: float) -> None:
        """Take in what the Node asks for; one that is not there asks for nothing new."""
        node = self._store.nodes.get(self._settings.node)
        if node is None:
            return
        wish, by = wish_of(node, self._settings.drain_taints)
        self._state = self._state.wished(wish, now)
        if wish is Wish.NONE:
            self._by = self._since = ""
        else:
            self._by, self._since = by, self._since or datetime.now(UTC).isoformat()

    def stage(self, now: float) -> DrainStage:
        return self._state.stage(now, self._settings.drain_wait_s)

    def deadline(self, now: float) -> float:
        """When (monotonic) time alone takes the next step; infinite if it does not."""
        return self._state.deadline(now, self._settings.drain_wait_s)

    def successors(self, now: float, unready: Collection[NodeName]) -> frozenset[NodeName]:
        """Return the nodes whose routes may take the place of ours: empty while nothing depends on it.

        One without any session that is up is none, whatever it should announce.
        """
        if self.stage(now) is not DrainStage.HANDED_OVER:
            return frozenset()
        me, speakers = self._settings.node, self._store.speakers
        speaking = {name for name, state in speakers.items() if _speaks(state.spec)}
        return successors(
            me, speaking - set(unready), {**drains_in(speakers), me: Drained(DrainStage.HANDED_OVER, self._since)}
        )

    def report(self, plans: Iterable[GroupPlan], now: float) -> DrainReport:
        """Return what is to be told; `plans` are what this node announces now."""
        stage = self.stage(now)
        held: set[str] = set()
        if stage is DrainStage.HANDED_OVER:
            held = {str(part.service) for plan in plans for part in plan.announced}
        return DrainReport(
            stage=STAGES[stage],
            forced=self._state.wish is Wish.FORCE,
            by=self._by,
            since=self._since,
            held_back=tuple(sorted(held)[:HELD_BACK_LIMIT]),
            held_back_count=len(held),
        )

    def news(self, report: DrainReport) -> ObjectEvent | None:
        """Log and count what is new in a report; return the event of the Node if it is a step."""
        before, self._told = self._told, report
        self._metrics.set(Name.DRAIN_STAGE, {"": 0, "marked": 1, "withdrawn": 2}[report.stage])
        self._metrics.set(Name.DRAIN_HELD_BACK, report.held_back_count)
        if report == before:
            return None
        reason, message, kind = _told_of(report)
        log.info("drain", step=reason, node=self._settings.node, reason=message)
        ref = ObjectRef("Node", "", self._settings.node)
        return ObjectEvent(ref=ref, type=kind, reason=reason, message=message, component=COMPONENT)


def _speaks(spec: SpeakerStateSpec) -> bool:
    return not spec.draining and any(session.established for session in spec.sessions)


def _told_of(report: DrainReport) -> tuple[str, str, EventType]:
    """Reason, message and type of the event."""
    if not report.stage:
        return "DrainEnded", "this node announces again what it should", EventType.NORMAL
    if report.stage == "marked":
        return "DrainStarted", f"routes are marked with GRACEFUL_SHUTDOWN: {report.by}", EventType.NORMAL
    if report.held_back:
        more = report.held_back_count - len(report.held_back)
        names = ", ".join(report.held_back) + (f" and {more} more" if more else "")
        return "DrainHeldBack", f"still announced, because no other node would: {names}", EventType.WARNING
    return "Drained", "this node announces nothing any more", EventType.NORMAL
