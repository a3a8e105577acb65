"""What a speaker knows of the other nodes, from Node objects, SpeakerStates, Failovers and its configuration.

Nothing here asks who is alive: that is the responders' word, and `candidates` joins the two.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from orchestrator.config.model import Config, NodeName
from orchestrator.decide import layer2
from orchestrator.decide.drain import DrainStage
from orchestrator.decide.eligibility import NodeLink, Placement
from orchestrator.errors import InvalidConfig
from orchestrator.fsm.peers import node_links, peer_node
from orchestrator.fsm.responder_api import Liveness, PeerNode
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.resources.core import Node
from orchestrator.resources.extensions import Failover, SpeakerInterface, SpeakerState
from orchestrator.runtime.store import ObjectStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """`neighbors` could own the same addresses as this node; `peers` are those of them that heartbeats can reach.

    `announcing` are the interfaces that announcements of this node are for, None means any. `unready` are the nodes
    that the cluster calls dead. `links` leaves out nodes whose responders have not reported theirs yet.
    """

    neighbors: frozenset[NodeName] = frozenset()
    peers: tuple[PeerNode, ...] = ()
    announcing: tuple[str, ...] | None = None
    unready: tuple[str, ...] = ()
    links: Mapping[NodeName, tuple[NodeLink, ...]] = field(default_factory=dict)
    placements: Mapping[IpAddress, Placement] = field(default_factory=dict)


def look_around(node: NodeName, config: Config, store: ObjectStore, own: tuple[SpeakerInterface, ...]) -> Surroundings:
    """Return the surroundings of `node`, whose interfaces are `own`."""
    neighbors = layer2.heartbeat_peers(config, node)
    announcing = layer2.announcing_interfaces(config, node)
    others = [store.speakers[name] for name in sorted(neighbors & store.speakers.keys())]
    spoken = {name: state.spec.interfaces for name, state in store.speakers.items()} | {node: own}
    return Surroundings(
        neighbors=neighbors,
        peers=_peers(own, announcing, others, config),
        announcing=announcing,
        unready=tuple(sorted(name for name, each in store.nodes.items() if name != node and _is_unready(each))),
        links={name: node_links(interfaces) for name, interfaces in spoken.items() if interfaces},
        placements=_placements(store.failovers.values()),
    )


def candidates(
    node: NodeName,
    around: Surroundings,
    speakers: Mapping[NodeName, SpeakerState],
    liveness: Liveness | None,
    *,
    starting: bool,
    drain: DrainStage,
) -> frozenset[NodeName]:
    """Return the nodes that may own addresses: they have a speaker and a responder that live, and are not drained.

    A node of which the responder has not reported yet counts as alive (unknown is not dead): a node that took itself
    for the only one, because its responder had heard of no other, would remove the others' statuses. While this
    speaker is `starting`, that goes for nodes that have no SpeakerState yet: in a cluster that starts as a whole,
    nobody takes what another is about to have.
    """
    willing = _willing(node, speakers, drain)
    if starting:
        willing |= around.neighbors - speakers.keys()
    return _living(node, willing, around, speakers, liveness)


def _willing(node: NodeName, speakers: Mapping[NodeName, SpeakerState], drain: DrainStage) -> set[NodeName]:
    """What this node does itself is known sooner than what it said of itself."""
    others = {name for name, state in speakers.items() if not state.spec.is_leaving and name != node}
    return others | {node} if drain is DrainStage.SERVING else others


def _living(
    node: NodeName,
    willing: Collection[NodeName],
    around: Surroundings,
    speakers: Mapping[NodeName, SpeakerState],
    liveness: Liveness | None,
) -> frozenset[NodeName]:
    if liveness is None:
        return frozenset(willing)
    mute = (around.neighbors & speakers.keys()) - {peer.node for peer in around.peers}
    unheard = set(willing) - liveness.states.keys() - mute - {node}
    return frozenset(set(willing) & (unheard | {*liveness.alive}))


def reserve(
    node: NodeName,
    around: Surroundings,
    speakers: Mapping[NodeName, SpeakerState],
    liveness: Liveness | None,
    *,
    drain: DrainStage,
) -> frozenset[NodeName]:
    """Return the nodes that may own only what no candidate may own: drained ones, and those held since they came back."""
    back = frozenset(() if liveness is None else liveness.reserve) & _willing(node, speakers, drain)
    drained = {name for name, state in speakers.items() if state.spec.is_last_resort and name != node}
    if drain in {DrainStage.MARKED, DrainStage.HANDED_OVER}:
        drained.add(node)
    return back | _living(node, drained, around, speakers, liveness)


def _peers(
    own: tuple[SpeakerInterface, ...],
    announcing: tuple[str, ...] | None,
    others: Iterable[SpeakerState],
    config: Config,
) -> tuple[PeerNode, ...]:
    found = (
        peer_node(own, announcing, state, layer2.announcing_interfaces(config, state.spec.node)) for state in others
    )
    return tuple(peer for peer in found if peer is not None)


def _is_unready(node: Node) -> bool:
    """A node without that condition has no kubelet that could tell."""
    return any(condition.type == "Ready" and condition.status != "True" for condition in node.status.conditions)


def _placements(failovers: Iterable[Failover]) -> dict[IpAddress, Placement]:
    """Of two Failovers for one address the one with the lower name counts."""
    placements: dict[IpAddress, Placement] = {}
    for each in sorted(failovers, key=lambda failover: failover.metadata.name, reverse=True):
        try:
            address = parse_address(each.spec.address)
        except InvalidConfig as error:
            log.warning("Failover is not used", reason=str(error), failover=each.metadata.name)
            continue
        placements[address] = Placement(to=each.spec.to, avoid=frozenset(each.spec.avoid))
    return placements
