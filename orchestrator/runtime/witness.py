"""What source and sink of a cluster tell of the API server, as metrics, readiness details and log lines.

An outage fails all watches at once and for one reason: it is one detail and one log line, with all that it concerns.
"""

from collections import Counter
from collections.abc import Mapping

import structlog

from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.meta import ObjectRef

log = structlog.get_logger()

SHOWN = 5
"""How many refused objects /readyz names; all are in the log."""


class ApiWitness:
    """Implements Witness."""

    def __init__(self, metrics: Metrics, readiness: Readiness) -> None:
        self._metrics = metrics
        self._readiness = readiness
        self._failing: dict[str, str] = {}
        self._refused: dict[ObjectRef, str] = {}

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:
        self._metrics.add(Name.API_REQUESTS, verb=verb, resource=resource, code=str(code))
        self._metrics.observe(Name.API_SECONDS, seconds, verb=verb)

    def watching(self, what: str) -> None:
        self._metrics.set(Name.WATCH_UP, 1, resource=what)
        if self._failing.pop(what, None) is not None:
            if not self._failing:
                log.info("API server watched again", last=what)
            self._show_failing()

    def failing(self, what: str, reason: str) -> None:
        self._metrics.set(Name.WATCH_UP, 0, resource=what)
        if reason not in self._failing.values():
            log.warning("API server not watched", resource=what, reason=reason)
        self._failing[what] = reason
        self._show_failing()

    def refused(self, ref: ObjectRef, reason: str) -> None:
        if self._refused.get(ref) != reason:
            log.error("write refused", object=str(ref), reason=reason)
        self._refused[ref] = reason
        self._show_refused()

    def accepted(self, ref: ObjectRef) -> None:
        if self._refused.pop(ref, None) is not None:
            log.info("write no longer refused", object=str(ref))
            self._show_refused()

    def _show_failing(self) -> None:
        self._readiness.detail("API server", "; ".join(_by_reason(self._failing)))

    def _show_refused(self) -> None:
        kinds = Counter(ref.kind for ref in self._refused)
        self._metrics.replace(Name.WRITES_REFUSED, {(kind,): float(count) for kind, count in kinds.items()})
        some = [f"{ref}: {reason}" for ref, reason in sorted(self._refused.items())[:SHOWN]]
        more = len(self._refused) - len(some)
        self._readiness.detail("writes refused", "; ".join([*some, *([f"and {more} more"] if more else [])]))


def _by_reason(failing: Mapping[str, str]) -> list[str]:
    """One text per reason, with all that it concerns."""
    reasons: dict[str, list[str]] = {}
    for what, reason in sorted(failing.items()):
        reasons.setdefault(reason, []).append(what)
    return [f"{', '.join(concerned)}: {reason}" for reason, concerned in reasons.items()]
