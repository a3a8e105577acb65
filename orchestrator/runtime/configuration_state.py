"""ConfigurationState: what a component thinks of the configuration (contract 3.11), written on change only."""

from collections.abc import Iterable, Sequence
from itertools import accumulate

import msgspec

from orchestrator.resources.meta import Condition, ObjectMeta, Problem, Severity
from orchestrator.resources.metallb import ConfigurationState, ConfigurationStateStatus

CONTROLLER = "controller"
OBSERVING = "ferrule.io/Observing"
"""The condition of a component that only looks on, because a MetalLB runs on the cluster."""
MOST_CHARACTERS = 32768
"""How long the message of a condition may be (metav1.Condition); the API server refuses the whole object otherwise."""


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
    summary = _summary(errors)
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


def _summary(errors: Iterable[Problem]) -> str:
    """One text per error, MetalLB's where it has one; those that do not fit are counted."""
    texts = list(dict.fromkeys(f"configuration error: {error.summary or error}" for error in errors))
    whole = "\n".join(texts)
    if len(whole) <= MOST_CHARACTERS:
        return whole
    room = MOST_CHARACTERS - len("\n(and 1000000 more; ferrule lint shows all)")
    ends = accumulate(len(text) + 1 for text in texts)
    shown = sum(end <= room for end in ends)
    return "\n".join((*texts[:shown], f"(and {len(texts) - shown} more; ferrule lint shows all)"))


def _timed(conditions: Sequence[Condition], previous: ConfigurationState | None, now: str) -> tuple[Condition, ...]:
    held = {} if previous is None else {each.type: each for each in previous.status.conditions}
    return tuple(
        msgspec.structs.replace(condition, last_transition_time=_since(held.get(condition.type), condition) or now)
        for condition in conditions
    )


def _since(held: Condition | None, condition: Condition) -> str:
    return held.last_transition_time if held is not None and held.status == condition.status else ""
