"""ConfigurationState: what a component thinks of the configuration (contract 3.11), written on change only."""

from collections.abc import Sequence

from orchestrator.resources.meta import Condition, ObjectMeta, Problem, Severity
from orchestrator.resources.metallb import ConfigurationState, ConfigurationStateStatus

CONTROLLER = "controller"


def configuration_state(
    *, node: str | None, namespace: str, problems: Sequence[Problem], previous: ConfigurationState | None, now: str
) -> ConfigurationState:
    """Return the object of the controller (`node` None) or of a node's speaker.

    `now` is RFC 3339; a condition keeps its transition time while its status stays.
    """
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    summary = "\n".join(f"configuration error: {problem}" for problem in errors)
    status, reason = ("False", "ConfigurationError") if errors else ("True", "Reconciled")
    condition = Condition(
        type="poolReconcilerValid" if node is None else "configReconcilerValid",
        status=status,
        reason=reason,
        message=summary,
        last_transition_time=_since(previous, status) or now,
    )
    labels = {"metallb.io/component-type": CONTROLLER if node is None else "speaker"}
    if node is not None:
        labels["metallb.io/node-name"] = node
    return ConfigurationState(
        metadata=ObjectMeta(name=CONTROLLER if node is None else f"speaker-{node}", namespace=namespace, labels=labels),
        status=ConfigurationStateStatus(
            result="Invalid" if errors else "Valid", error_summary=summary, conditions=(condition,)
        ),
    )


def _since(previous: ConfigurationState | None, status: str) -> str:
    if previous is None:
        return ""
    return next((held.last_transition_time for held in previous.status.conditions if held.status == status), "")
