"""Between the plan and the document: the routes of the plan, but for the prefixes that damping keeps back."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import structlog

from orchestrator.decide.node_plan import NodePlan, Route
from orchestrator.decide.withdrawal import lost_service
from orchestrator.fsm.damping import Damping
from orchestrator.net.addresses import Prefix, prefix_key
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.runtime.planning import Outcome

log = structlog.get_logger()

NAMED = 10
"""So many prefixes a line names."""


class SpeakerRoutes:
    """The routes of one node. A withdrawal counts as flapping if service was lost, not if people changed objects."""

    def __init__(self, damping_limit_s: float, metrics: Metrics) -> None:
        self._damping = Damping(damping_limit_s)
        self._metrics = metrics
        self._routes: dict[Prefix, Route] = {}

    @property
    def routes(self) -> Mapping[Prefix, Route]:
        """What is announced; follows later changes."""
        return MappingProxyType(self._routes)

    @property
    def dampened(self) -> Mapping[Prefix, float]:
        """What is kept back, and until when (monotonic)."""
        return self._damping.waiting

    @property
    def deadline(self) -> float:
        """When time alone changes something, in monotonic seconds; infinite if never."""
        return self._damping.deadline

    def follow(self, plan: NodePlan, outcomes: Iterable[Outcome], now: float) -> frozenset[Prefix]:
        """Take in how the plan changed, and that time passed; return the prefixes that are announced otherwise now."""
        rounds = tuple(outcomes)
        flapping = lost_service(pair for outcome in rounds for pair in outcome.groups.values())
        touched = {prefix for outcome in rounds for prefix in outcome.change.prefixes}
        waited = frozenset(self._damping.waiting)
        changed = frozenset(
            prefix
            for prefix in touched.union(self._damping.over(now))
            if self._follow(prefix, plan.routes.get(prefix), now, flaps=prefix in flapping)
        )
        self._tell(waited)
        return changed

    def _follow(self, prefix: Prefix, route: Route | None, now: float, *, flaps: bool) -> bool:
        before = self._routes.get(prefix)
        if route is None:
            self._damping.unwanted(prefix)
            if before is None:
                return False
            del self._routes[prefix]
            if flaps:
                self._damping.withdrawn(prefix, now)
            return True
        if before is None and not self._damping.admits(prefix, now):
            return False
        self._routes[prefix] = route
        return route != before

    def _tell(self, before: frozenset[Prefix]) -> None:
        waiting = frozenset(self._damping.waiting)
        if waiting == before:
            return
        self._metrics.set(Name.DAMPENED, len(waiting))
        if new := waiting - before:
            self._metrics.add(Name.DAMPENED_TOTAL, len(new))
            log.warning("dampened", prefixes=len(new), waiting=len(waiting), withdrawals=self._withdrawals(new))
        if over := before - waiting:
            log.info(
                "no longer dampened", prefixes=len(over), waiting=len(waiting), first=list(self._withdrawals(over))
            )

    def _withdrawals(self, prefixes: frozenset[Prefix]) -> Mapping[str, int]:
        """How often the first of these went in the last five minutes."""
        return {str(each): self._damping.times(each) for each in sorted(prefixes, key=prefix_key)[:NAMED]}
