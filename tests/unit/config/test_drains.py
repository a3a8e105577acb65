from typing import Any

import pytest

from orchestrator.config.drains import Wish, problems_of, wish_of
from orchestrator.resources.core import ANNOTATION_DRAIN, Node, NodeCondition, NodeSpec, NodeStatus, Taint
from orchestrator.resources.meta import ObjectMeta
from orchestrator.resources.taints import CORDON, DEFAULT_TAINTS, parse_taints

RULES = parse_taints(DEFAULT_TAINTS)
AUTOSCALER = "ToBeDeletedByClusterAutoscaler"


def node(annotation: str | None = None, *, taint: str = "", message: str = "", **spec: Any) -> Node:
    taints = (Taint(key=taint, effect="NoSchedule"),) if taint else ()
    return Node(
        metadata=ObjectMeta(name="n1", annotations={} if annotation is None else {ANNOTATION_DRAIN: annotation}),
        spec=NodeSpec(taints=taints, **spec),
        status=NodeStatus(conditions=(NodeCondition(type="Ready", status="False", message=message),)),
    )


@pytest.mark.parametrize(
    ("text", "wish"),
    [("true", Wish.DRAIN), ("force", Wish.FORCE), ("false", Wish.NONE), ("", Wish.NONE), ("yes", Wish.NONE)],
)
def test_annotation_says_what_is_wanted(text: str, wish: Wish) -> None:
    assert wish_of(node(text), RULES)[0] is wish


def test_listed_taint_drains_and_is_named() -> None:
    assert wish_of(node(taint=AUTOSCALER), RULES) == (Wish.DRAIN, f"taint {AUTOSCALER}")
    assert wish_of(node(taint=AUTOSCALER), ()) == (Wish.NONE, "")


def test_cordon_does_not_drain() -> None:
    assert wish_of(node(taint=CORDON, unschedulable=True), RULES)[0] is Wish.NONE


def test_false_keeps_a_tainted_node_announcing() -> None:
    assert wish_of(node("false", taint=AUTOSCALER), RULES)[0] is Wish.NONE


def test_node_that_kubelet_shuts_down_is_drained_and_one_that_is_only_not_ready_is_not() -> None:
    assert wish_of(node(message="[container runtime is down, node is shutting down]"), RULES)[0] is Wish.DRAIN
    assert wish_of(node(message="container runtime is down"), RULES)[0] is Wish.NONE


def test_annotation_that_says_nothing_known_is_told() -> None:
    (problem,) = problems_of(node("yes"))
    assert '"yes" is none of true, force and false' in problem.message
    assert not list(problems_of(node("force")))
