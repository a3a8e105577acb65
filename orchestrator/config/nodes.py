"""Node objects -> NodeFacts, and which of them a list of node selectors means."""

from collections.abc import Mapping, Sequence

from orchestrator.config.model import NodeFacts, NodeName
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.resources.core import LABEL_EXCLUDE_BALANCERS, Node
from orchestrator.resources.metallb import LabelSelector
from orchestrator.resources.selectors import matches_any


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
        created=node.metadata.creation_timestamp or "",
    )


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
