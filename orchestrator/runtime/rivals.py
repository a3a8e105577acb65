"""A MetalLB that runs on the same cluster: two that allocate, or answer for one address, break both.

Whoever was there first goes on: a process of ours that finds MetalLB's pods looks on until they are gone.
"""

from collections.abc import Collection

import structlog

from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import Metrics, Name

log = structlog.get_logger()

CONDITION = "rivals"


class Rivalry:
    """Whether to look on only; tells people when that changes."""

    def __init__(self, metrics: Metrics, readiness: Readiness) -> None:
        self._metrics = metrics
        self._readiness = readiness
        self._seen: frozenset[str] = frozenset()

    def told(self, pods: frozenset[str], *, acting: bool) -> bool:
        """Return whether to look on; `acting` says that this process has begun, and would take away what it gave."""
        observing = bool(pods) and not acting
        if pods != self._seen:
            self._seen = pods
            self._tell(pods, observing=observing)
        return observing

    def _tell(self, pods: Collection[str], *, observing: bool) -> None:
        self._metrics.set(Name.OBSERVING, int(observing))
        self._readiness.met(CONDITION)
        self._readiness.detail("MetalLB", "")
        names = ", ".join(sorted(pods))
        if observing:
            reason = f"observing: MetalLB's pods run: {names}; delete them to let Ferrule act"
            self._readiness.unmet(CONDITION, reason)
            log.warning("observing", reason=reason)
        elif pods:
            reason = f"MetalLB's pods run beside Ferrule, which goes on: {names}; delete them"
            self._readiness.detail("MetalLB", reason)
            log.error("two load balancers", reason=reason)
        else:
            log.info("no MetalLB runs here")
