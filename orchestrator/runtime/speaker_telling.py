"""After each round of planning: what people and other nodes are to know of it, written once.

What is told runs behind what is planned in one case: an address that is asked for before its first use is announced
only once it is found free, so its status waits until then.
"""

import math
from collections.abc import Iterable

import msgspec
import structlog

from orchestrator.decide.groups import GroupId
from orchestrator.decide.node_plan import GroupPlan
from orchestrator.decide.withdrawal import without_dampened
from orchestrator.fsm.tenure import on_air
from orchestrator.net.addresses import IpAddress, parse_address, prefix_key
from orchestrator.resources.extensions import DAMPENED_LIMIT, DrainReport, PeerSession, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectKey, ObjectMeta
from orchestrator.runtime.planning import Outcome, Planner
from orchestrator.runtime.speaker_layer2 import Layer2
from orchestrator.runtime.speaker_report import SpeakerReport
from orchestrator.runtime.speaker_routes import SpeakerRoutes
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import Sink
from orchestrator.version import __version__

log = structlog.get_logger()

COUNTS_INTERVAL_S = 5.0
"""How often counts and sessions alone are told: they change often, and all nodes and the controller hear of it."""
DAMPENED_INTERVAL_S = 1.0
"""The same of prefixes that are kept back: the first delay is 5 s."""

NOTHING = GroupPlan()


class Telling:
    """Joins plans, tenures and damping to what the report and this node's SpeakerState say."""

    def __init__(
        self,
        instance: str,
        sink: Sink,
        report: SpeakerReport,
        planner: Planner,
        layer2: Layer2,
        routes: SpeakerRoutes,
    ) -> None:
        self._node = planner.view.node
        self._instance = instance
        self._sink = sink
        self._report = report
        self._planner = planner
        self._layer2 = layer2
        self._routes = routes
        self._partly: dict[GroupId, GroupPlan] = {}
        self._state: SpeakerState | None = None
        self._told_at = -math.inf
        self.sessions: tuple[PeerSession, ...] = ()
        """What is to be told of the node's BGP sessions, by peer."""
        self.deadline = math.inf
        """When (monotonic) `state` has something to tell though nothing happens."""

    async def begin(self, store: ObjectStore) -> None:
        """Find what an earlier speaker of this node said, so that it is not said again."""
        left: set[IpAddress] = set()
        if (written := store.speakers.get(self._node)) is not None:
            self._layer2.resume(written)
            self.sessions = written.spec.sessions
            left = {parse_address(each.address) for each in written.spec.conflicts if each.action != "defended"}
        await self._report.remember(key for key in store.services if left & set(store.addresses(key)))

    async def planned(self, outcomes: Iterable[Outcome], store: ObjectStore) -> None:
        """Tell what the outcomes and the responder's word changed."""
        changes = self._changes(outcomes)
        living = self._planner.view.alive or frozenset()
        before, after = (_joined(plans) for plans in zip(*changes, strict=True)) if changes else (NOTHING, NOTHING)
        await self._report.plans_changed(before, after, store, living)
        for conflict in self._layer2.tenures.tell():
            if conflict.action == "defended":
                await self._report.conflict(conflict, self._services_of(parse_address(conflict.address)))
        if changes:
            addresses = len(self._planner.plan.layer2)
            log.info("planned", groups=len(changes), prefixes=len(self._routes.routes), addresses=addresses)

    async def forget_leftovers(self) -> None:
        await self._report.forget_leftovers(self._planner.group_plans.values())

    def forget_state(self) -> None:
        """What was told about this node is gone: tell it again."""
        self._state = None

    async def state(self, now: float, drain: DrainReport, *, draining: bool = False) -> None:
        """Tell the other nodes about this one, if that changed; counts and sessions alone may wait for a while."""
        facts = self._planner.config.nodes.get(self._node)
        tenures = self._layer2.tenures
        state = SpeakerState(
            metadata=ObjectMeta(name=self._node),
            spec=SpeakerStateSpec(
                node=self._node,
                instance=self._instance,
                version=__version__,
                mesh_addresses=tuple(str(address) for address in facts.internal_addresses) if facts else (),
                interfaces=self._layer2.interfaces,
                draining=draining,
                drain=drain,
                announced_addresses=len(tenures.held),
                announced_prefixes=len(self._routes.routes),
                weights=self._planner.precision.value,
                conflicts=tenures.conflicts,
                dampened=tuple(map(str, sorted(self._routes.dampened, key=prefix_key)))[:DAMPENED_LIMIT],
                node_not_ready=facts is not None and facts.not_ready,
                sessions=self.sessions,
            ),
        )
        self.deadline = math.inf
        if state == self._state:
            return
        due = -math.inf if self._state is None else self._told_at + _patience(self._state.spec, state.spec)
        if now < due:
            self.deadline = due
            return
        if state.spec.weights != ("fine" if self._state is None else self._state.spec.weights):
            log.warning("another precision of weights", weights=state.spec.weights)
        await self._sink.write(state)
        self._state, self._told_at = state, now

    def _changes(self, outcomes: Iterable[Outcome]) -> list[tuple[GroupPlan, GroupPlan]]:
        """Per group what was told and what is to be told.

        Groups of which addresses are off the air, or prefixes kept back, are looked at again.
        """
        told = dict(self._partly)
        for outcome in outcomes:
            for group, (before, _) in outcome.groups.items():
                told.setdefault(group, before)
        off_air = self._layer2.tenures.off_air
        changes = []
        self._partly = {}
        for group, before in told.items():
            plan = self._planner.group_plans.get(group, GroupPlan())
            after = without_dampened(on_air(plan, off_air), self._routes.dampened)
            if after is not plan:
                self._partly[group] = after
            if after != before:
                changes.append((before, after))
        return changes

    def _services_of(self, address: IpAddress) -> frozenset[ObjectKey]:
        plans = self._planner.group_plans.values()
        return frozenset(part.service for plan in plans for part in plan.announced if address in part.addresses)


def _patience(before: SpeakerStateSpec, after: SpeakerStateSpec) -> float:
    """How long what is told stands at least."""
    if _lasting(before) != _lasting(after):
        return 0.0
    return COUNTS_INTERVAL_S if before.dampened == after.dampened else DAMPENED_INTERVAL_S


def _lasting(spec: SpeakerStateSpec) -> SpeakerStateSpec:
    return msgspec.structs.replace(spec, announced_addresses=0, announced_prefixes=0, dampened=(), sessions=())


def _joined(plans: Iterable[GroupPlan]) -> GroupPlan:
    """What several groups tell of Services, as one: a Service moves between groups, and has not gone then."""
    chosen = tuple(plans)
    return GroupPlan(
        announced=tuple(part for plan in chosen for part in plan.announced),
        declined=tuple(part for plan in chosen for part in plan.declined),
    )
