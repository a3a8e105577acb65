"""What source and sink of a cluster tell of the API server, as metrics, readiness details and log lines.

An outage fails all watches at once: it is one detail and one log line, with what it concerns. The words change while it
lasts (the connections break, nobody listens, then a server answers that is not ready yet); it stays the same outage.
"""

from collections import Counter
from collections.abc import Iterable

import structlog

from orchestrator.config.wording import shortened
from orchestrator.errors import KubeError
from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.meta import ObjectRef

log = structlog.get_logger()

SHOWN = 5
"""How many refused objects or failing watches of one cause /readyz names."""
OUTAGE = "outage"
TOO_BUSY, SERVER_ERRORS = 429, 500


class ApiWitness:
    """Implements Witness."""

    def __init__(self, metrics: Metrics, readiness: Readiness) -> None:
        self._metrics = metrics
        self._readiness = readiness
        self._failing: dict[str, str] = {}
        self._words: dict[str, str] = {}
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

    def failing(self, what: str, error: KubeError) -> None:
        self._metrics.set(Name.WATCH_UP, 0, resource=what)
        trouble = OUTAGE if _is_outage(error) else error.cause
        if trouble not in self._failing.values():
            log.warning("API server not watched", first=what, reason=error.cause)
        self._failing[what] = trouble
        self._words[trouble] = error.cause
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
        """One text per trouble, in its latest words."""
        concerned: dict[str, list[str]] = {}
        for what, trouble in sorted(self._failing.items()):
            concerned.setdefault(trouble, []).append(what)
        self._words = {trouble: self._words[trouble] for trouble in concerned}
        texts = (f"{self._words[trouble]} ({_some(whats)})" for trouble, whats in concerned.items())
        self._readiness.detail("API server", "; ".join(texts))

    def _show_refused(self) -> None:
        kinds = Counter(ref.kind for ref in self._refused)
        self._metrics.replace(Name.WRITES_REFUSED, {(kind,): float(count) for kind, count in kinds.items()})
        texts = (f"{ref}: {reason}" for ref, reason in sorted(self._refused.items()))
        self._readiness.detail("writes refused", _some(texts, "; "))


def _is_outage(error: KubeError) -> bool:
    """Whether there is no server, or one that does not serve, as it says while it starts; else it refuses this request."""
    if error.status == 0:
        return not error.reason
    return error.status == TOO_BUSY or error.status >= SERVER_ERRORS


def _some(texts: Iterable[str], separator: str = ", ") -> str:
    """The first ones, and how many more there are."""
    return separator.join(shortened(list(texts), SHOWN))
