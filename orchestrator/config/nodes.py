"""Node objects -> NodeFacts, and which of them a list of node selectors means.

An annotation that cannot be read has no effect and is told: a Node has no last good version, and is needed in any case.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from orchestrator.config.model import Config, NodeFacts, NodeName
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.net.bgp import MAX_U32
from orchestrator.resources.core import ANNOTATION_AS_PATH_PREPEND, ANNOTATION_MED, LABEL_EXCLUDE_BALANCERS, Node
from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.resources.metallb import LabelSelector
from orchestrator.resources.selectors import matches_any

MOST_NOT_READY_PERCENT = 30
MAX_PREPEND = 10
LIMITS = {ANNOTATION_AS_PATH_PREPEND: MAX_PREPEND, ANNOTATION_MED: MAX_U32}
"""The numbers that a Node may be annotated with, and the greatest of each."""


def facts_of(node: Node) -> NodeFacts:
    """Return what decisions need of a Node; an InternalIP that is no address is passed over."""
    return NodeFacts(
        name=node.metadata.name,
        labels=node.metadata.labels,
        internal_addresses=_internal_addresses(node),
        network_unavailable=any(
            condition.type == "NetworkUnavailable" and condition.status == "True"
            for condition in node.status.conditions
        ),
        excluded_from_balancers=LABEL_EXCLUDE_BALANCERS in node.metadata.labels,
        as_path_prepend=_number(node, ANNOTATION_AS_PATH_PREPEND) or 0,
        med=_number(node, ANNOTATION_MED),
        created=node.metadata.creation_timestamp or "",
    )


def problems_of(node: Node) -> Iterator[Problem]:
    """Yield what is wrong with the annotations that we read."""
    for name, most in LIMITS.items():
        if name in node.metadata.annotations and _number(node, name) is None:
            yield Problem(
                ref=ObjectRef("Node", "", node.metadata.name),
                field=f"metadata.annotations[{name}]",
                message=f'"{node.metadata.annotations[name]}" is no number from 0 to {most} and has no effect; write '
                "one, or remove the annotation",
                severity=Severity.WARNING,
            )


def heeding_readiness(config: Config, node: NodeName, nodes: Mapping[NodeName, Node]) -> Config:
    """Return the configuration in which this node is `not_ready` if it is, unless too many of all nodes are.

    When many are NotReady at once, what watches them is at fault more often than they are. Of other nodes nothing is
    said: each decides for itself, and none has to plan again when another one fails.
    """
    unready = [name for name, each in nodes.items() if _is_not_ready(each)]
    if node not in config.nodes or node not in unready or 100 * len(unready) > MOST_NOT_READY_PERCENT * len(nodes):
        return config
    return replace(config, nodes={**config.nodes, node: replace(config.nodes[node], not_ready=True)})


def _is_not_ready(node: Node) -> bool:
    """Whether somebody says so; Unknown is what the control plane says of a node that it does not hear."""
    return any(condition.type == "Ready" and condition.status != "True" for condition in node.status.conditions)


def _number(node: Node, name: str) -> int | None:
    """The number that an annotation gives; None without one in its limits."""
    text = node.metadata.annotations.get(name, "")
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_U32))
    return int(text) if is_number and int(text) <= LIMITS[name] else None


def _internal_addresses(node: Node) -> tuple[IpAddress, ...]:
    addresses: list[IpAddress] = []
    for entry in node.status.addresses:
        if entry.type == "InternalIP":
            try:
                addresses.append(parse_address(entry.address))
            except InvalidConfig:
                continue
    return tuple(addresses)


def selected(selectors: Sequence[LabelSelector], nodes: Mapping[NodeName, NodeFacts]) -> frozenset[NodeName]:
    """Return the nodes that any selector matches; all nodes if there is no selector."""
    if not selectors:
        return frozenset(nodes)
    return frozenset(name for name, facts in nodes.items() if matches_any(selectors, facts.labels))
