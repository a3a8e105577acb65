"""The drain of a node: how far it is, and what that makes of its BGP routes (RFC 8326).

Routers are told first that this path is about to go: GRACEFUL_SHUTDOWN, which an external router answers with the
lowest preference by itself; an internal one is sent a low one (RFC 8326 §4.1 leaves that to who tags the route). Only
then are routes withdrawn, and of a Service that no other node announces not even then, unless a person forces it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from orchestrator.config.model import NodeName
from orchestrator.decide.node_plan import Route, RouteAttributes, RoutePolicy
from orchestrator.net.bgp import WELL_KNOWN, community_key
from orchestrator.resources.extensions import SpeakerState

GRACEFUL_SHUTDOWN = WELL_KNOWN["graceful-shutdown"]
LOWEST_LOCAL_PREF = 1
"""0 stands for `not set` in RouteAttributes."""


class DrainStage(Enum):
    """How far a node's drain is; the order is that of the steps."""

    SERVING = "serving"
    """Not drained."""
    MARKED = "marked"
    """All routes go out with GRACEFUL_SHUTDOWN; layer-2 addresses go to other nodes."""
    HANDED_OVER = "handed over"
    """Withdrawn is what another node announces; the rest is held back."""
    OUT = "out"
    """Withdrawn is everything, because a person forces it."""


@dataclass(frozen=True, slots=True)
class Drained:
    """A node that is drained, and since when: RFC 3339, or anything else that sorts."""

    stage: DrainStage
    since: str


def drains_in(states: Mapping[NodeName, SpeakerState]) -> dict[NodeName, Drained]:
    """Return the drained nodes, as their speakers say."""
    return {
        name: Drained(_stage_of(state), state.spec.drain.since)
        for name, state in states.items()
        if state.spec.drain.stage
    }


def _stage_of(state: SpeakerState) -> DrainStage:
    if state.spec.drain.stage == "marked":
        return DrainStage.MARKED
    return DrainStage.OUT if state.spec.is_out else DrainStage.HANDED_OVER


def successors(node: NodeName, nodes: Iterable[NodeName], drains: Mapping[NodeName, Drained]) -> frozenset[NodeName]:
    """Return those of `nodes` whose routes may take the place of this node's: who is not drained, or was later.

    Of nodes that are all drained only the last one holds back, and the others stay as they are.
    """
    order = _order(node, drains)
    return frozenset(
        other
        for other in nodes
        if other != node
        and (other not in drains or (drains[other].stage is not DrainStage.OUT and _order(other, drains) > order))
    )


def _order(node: NodeName, drains: Mapping[NodeName, Drained]) -> tuple[str, NodeName]:
    return (drains[node].since if node in drains else "", node)


def marked(route: Route, internal_peers: Collection[str]) -> Route:
    """Return the route as it is announced while its node is drained."""
    per_peer = ((peer, _lowered(sent, internal=peer in internal_peers)) for peer, sent in route.policy.per_peer)
    return replace(route, policy=RoutePolicy(per_peer=tuple(per_peer)))


def _lowered(sent: RouteAttributes, *, internal: bool) -> RouteAttributes:
    communities = tuple(sorted({*sent.communities, GRACEFUL_SHUTDOWN}, key=community_key))
    return replace(sent, local_pref=LOWEST_LOCAL_PREF if internal else sent.local_pref, communities=communities)
