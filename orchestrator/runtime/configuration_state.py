"""ConfigurationState: what a component thinks of the configuration (contract 3.11), written on change only."""

from collections.abc import Sequence

import msgspec

from orchestrator.resources.meta import Condition, ObjectMeta, Problem, Severity
from orchestrator.resources.metallb import ConfigurationState, ConfigurationStateStatus

CONTROLLER = "controller"
OBSERVING = "ferrule.io/Observing"
"""The condition of a component that only looks on, because a MetalLB runs on the cluster."""


def configuration_state(
    *,
    node: str | None,
    namespace: str,
    problems: Sequence[Problem],
    previous: ConfigurationState | None,
    now: str,
    observing: str = "",
) -> ConfigurationState:
    """Return the object of the controller (`node` None) or of a node's speaker.

    `now` is RFC 3339; a condition keeps its transition time while its status stays. `observing` says why the component
    only looks on.
    """
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    summary = "\n".join(f"configuration error: {problem}" for problem in errors)
    status, reason = ("False", "ConfigurationError") if errors else ("True", "Reconciled")
    valid = Condition(
        type="poolReconcilerValid" if node is None else "configReconcilerValid",
        status=status,
        reason=reason,
        message=summary,
    )
    looks_on = Condition(type=OBSERVING, status="True", reason="MetalLBRuns", message=observing)
    conditions = [valid, looks_on] if observing else [valid]
    labels = {"metallb.io/component-type": CONTROLLER if node is None else "speaker"}
    if node is not None:
        labels["metallb.io/node-name"] = node
    return ConfigurationState(
        metadata=ObjectMeta(name=CONTROLLER if node is None else f"speaker-{node}", namespace=namespace, labels=labels),
        status=ConfigurationStateStatus(
            result="Invalid" if errors else "Valid", error_summary=summary, conditions=_timed(conditions, previous, now)
        ),
    )


def _timed(conditions: Sequence[Condition], previous: ConfigurationState | None, now: str) -> tuple[Condition, ...]:
    held = {} if previous is None else {each.type: each for each in previous.status.conditions}
    return tuple(
        msgspec.structs.replace(condition, last_transition_time=_since(held.get(condition.type), condition) or now)
        for condition in conditions
    )


def _since(held: Condition | None, condition: Condition) -> str:
    return held.last_transition_time if held is not None and held.status == condition.status else ""
