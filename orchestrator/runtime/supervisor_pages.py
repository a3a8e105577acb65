"""/metrics, /healthz and /readyz of the supervisor: which children there are, and which of them answer."""

from orchestrator.fsm.supervision import Child, Phase, Supervision
from orchestrator.observe.http import Readiness, serve
from orchestrator.observe.metrics import Metrics, Name


class Pages:
    """Served from construction on, by a thread that ends with the process. Raises StartupError."""

    def __init__(self, port: int) -> None:
        self._metrics = Metrics((Name.CHILD_UP, Name.CHILD_RESTARTS))
        self._readiness = Readiness()
        serve("0.0.0.0", port, self._metrics, self._readiness)

    def show(self, state: Supervision) -> None:
        """Make the pages say what is so now; only children that should run count for readiness."""
        children = {name: child for name, child in state.children.items() if child.running or name in state.wanted}
        self._metrics.replace(Name.CHILD_UP, {(name,): _up(child) for name, child in children.items()})
        self._metrics.replace(Name.CHILD_RESTARTS, {(name,): float(each.restarts) for name, each in children.items()})
        for name in state.children:
            child = children.get(name)
            if child is None or child.phase is Phase.READY:
                self._readiness.met(name)
            else:
                self._readiness.unmet(name, child.phase.value)


def _up(child: Child) -> float:
    return float(child.phase is Phase.READY)
