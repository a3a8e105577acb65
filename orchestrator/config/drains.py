"""Whether a Node object asks for its node to be drained, and by what."""

from collections.abc import Iterator
from enum import Enum

from orchestrator.resources.core import ANNOTATION_DRAIN, Node
from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.resources.taints import TaintRule

SHUTTING_DOWN = "node is shutting down"
"""What kubelet's graceful node shutdown puts into the message of the condition Ready, before it ends the first pod."""


class Wish(Enum):
    """What somebody wants of a node."""

    NONE = "none"
    DRAIN = "drain"
    FORCE = "force"


VALUES = {"true": Wish.DRAIN, "force": Wish.FORCE, "false": Wish.NONE, "": Wish.NONE}
"""What the annotation may say."""


def wish_of(node: Node, taints: tuple[TaintRule, ...]) -> tuple[Wish, str]:
    """Return what the node's object asks for, and by what; the annotation goes first, `false` against all else."""
    text = node.metadata.annotations.get(ANNOTATION_DRAIN, "")
    if text and text in VALUES:
        return VALUES[text], f"annotation {ANNOTATION_DRAIN}"
    for taint in node.spec.taints:
        if any(rule.admits(taint.key, taint.value, taint.effect) for rule in taints):
            return Wish.DRAIN, f"taint {taint.key}"
    if any(each.type == "Ready" and SHUTTING_DOWN in each.message for each in node.status.conditions):
        return Wish.DRAIN, SHUTTING_DOWN
    return Wish.NONE, ""


def problems_of(node: Node) -> Iterator[Problem]:
    """Yield what is wrong with the annotation."""
    text = node.metadata.annotations.get(ANNOTATION_DRAIN, "")
    if text not in VALUES:
        yield Problem(
            ref=ObjectRef("Node", "", node.metadata.name),
            field=f"metadata.annotations[{ANNOTATION_DRAIN}]",
            message=f'"{text}" is none of true, force and false and has no effect; write one, or remove the annotation',
            severity=Severity.WARNING,
        )
