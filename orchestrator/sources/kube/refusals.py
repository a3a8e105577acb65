"""Kinds that the API server does not let us list, as problems for people. Pure.

| kind                                                   | refused while starting                                       |
|--------------------------------------------------------|--------------------------------------------------------------|
| Service, EndpointSlice, Node                           | wait: without them everything would be withdrawn             |
| those that only serve a feature (`WITHOUT`)            | go on, and say what does not work                            |
| the others: configuration of metallb.io                | go on; the picture is `incomplete`, so absent means unknown  |
"""

from collections.abc import Mapping

from orchestrator.errors import KubeError
from orchestrator.resources.kinds import FERRULE, METALLB
from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.sources.interface import InputState

ESSENTIAL = frozenset({"Service", "EndpointSlice", "Node"})
PODS = "Pod"
WITHOUT: Mapping[str, str] = {
    "Namespace": "pools and advertisements that select namespaces by label match none",
    "Secret": "passwords of peers and the key of the heartbeats cannot be read",
    "ConfigMap": "last good specs, whose addresses rest, or extra FRR text are not known",
    "SpeakerState": "nodes do not know each other's interfaces and conflicts",
    "Failover": "layer-2 addresses cannot be moved by hand",
    "AddressReservation": "no address is kept for Services that are to come",
    "AddressQuota": "no namespace is limited in its addresses",
    "ServiceL2Status": "statuses of nodes that are gone are not removed",
    "ServiceBGPStatus": "statuses of nodes that are gone are not removed",
    "ConfigurationState": "states of nodes that are gone are not removed",
    PODS: "a MetalLB that runs beside Ferrule is not noticed",
}
NOT_FOUND = 404


LATE = "why a Service is not announced is not known"
"""Without a kind that only conditions are made of."""


def refusal(kind: str, group: str, plural: str, namespace: str, error: KubeError, *, late: bool = False) -> Problem:
    """Return what stands in the way of a kind, and the remedy; `late`: only conditions are made of it."""
    known = LATE if late else WITHOUT.get(kind)
    loss = f"; until then {known}" if known else ""
    return Problem(
        ref=ObjectRef(kind, namespace, ""),
        field="",
        message=f"cannot be listed: {error}; {_remedy(group, plural, error)}{loss}",
        severity=Severity.WARNING if known else Severity.ERROR,
    )


def _remedy(group: str, plural: str, error: KubeError) -> str:
    if error.status == NOT_FOUND and group in {METALLB, FERRULE}:
        return "apply deploy/crds"
    resource = f"{plural}.{group}" if group else plural
    return f"grant get, list and watch on {resource} to the ServiceAccount, see deploy/manifests"


class Refusals:
    """What is refused now, by what was to be watched."""

    def __init__(self) -> None:
        self._problems: dict[str, Problem] = {}

    def add(self, what: str, problem: Problem) -> InputState | None:
        """Return the new state of the input, None if it is the same as before."""
        if self._problems.get(what) == problem:
            return None
        self._problems[what] = problem
        return self._state()

    def clear(self, what: str) -> InputState | None:
        """What was refused can be listed; return the new state, None if nothing was refused."""
        return self._state() if self._problems.pop(what, None) is not None else None

    def _state(self) -> InputState:
        problems = tuple(problem for _, problem in sorted(self._problems.items()))
        return InputState(problems, incomplete=any(problem.severity is Severity.ERROR for problem in problems))
