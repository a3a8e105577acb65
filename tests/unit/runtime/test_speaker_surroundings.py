"""Who may own addresses, how the others are reached, and what Nodes and Failovers add."""

from ipaddress import ip_address, ip_network

import pytest

from orchestrator.config.model import Config
from orchestrator.config.resolve import resolve
from orchestrator.decide.drain import DrainStage
from orchestrator.decide.eligibility import NodeLink, Placement
from orchestrator.fsm.liveness import NodeState
from orchestrator.fsm.responder_api import Liveness, PeerNode
from orchestrator.resources import core
from orchestrator.resources.extensions import (
    DrainReport,
    Failover,
    FailoverSpec,
    SpeakerInterface,
    SpeakerState,
    SpeakerStateSpec,
)
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import ObjectMeta
from orchestrator.runtime.speaker_surroundings import Surroundings, candidates, look_around, reserve
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import Upserted
from tests.support.objects import l2_object, pool_object

A, B, C = "node-a", "node-b", "node-c"


def speaker(node: str, *mesh: str, draining: bool = False, prefix: str = "") -> SpeakerState:
    link = SpeakerInterface(name="eth0", mac="02:00:00:00:00:02", carrier=True, prefixes=(prefix,))
    spec = SpeakerStateSpec(node=node, mesh_addresses=mesh, draining=draining, interfaces=(link,) if prefix else ())
    return SpeakerState(metadata=ObjectMeta(name=node), spec=spec)


def node(name: str, ready: str = "") -> core.Node:
    conditions = (core.NodeCondition(type="Ready", status=ready),) if ready else ()
    return core.Node(metadata=ObjectMeta(name=name), status=core.NodeStatus(conditions=conditions))


def failover(name: str, address: str, to: str = "", avoid: tuple[str, ...] = ()) -> Failover:
    return Failover(metadata=ObjectMeta(name=name), spec=FailoverSpec(address=address, to=to, avoid=avoid))


def around(*objects: KubeObject, own: tuple[SpeakerInterface, ...] = ()) -> Surroundings:
    """What node-a sees in a cluster whose one pool is advertised from every node."""
    store = ObjectStore("metallb-system", "ferrule-last-good")
    nodes = () if any(isinstance(each, core.Node) for each in objects) else (node(A), node(B), node(C))
    pool = pool_object("lan", "192.0.2.200-192.0.2.220")
    store.apply([Upserted(each) for each in (pool, l2_object("lan"), *nodes, *objects)])
    return look_around(A, resolve(store.snapshot(), {}).config, store, own)


SPEAKERS = {A: speaker(A, "192.0.2.11"), B: speaker(B, "192.0.2.12"), C: speaker(C, "192.0.2.13")}
AROUND = around(*SPEAKERS.values())


def alive(
    liveness: Liveness | None, speakers: dict[str, SpeakerState] = SPEAKERS, *, starting: bool = False
) -> frozenset[str]:
    return candidates(A, around(*speakers.values()), speakers, liveness, starting=starting, drain=DrainStage.SERVING)


def test_everybody_is_a_candidate_until_the_responder_reports() -> None:
    assert alive(None) == {A, B, C}


@pytest.mark.parametrize("forced", [False, True])
def test_drained_node_is_no_candidate_and_the_last_resort_unless_it_was_forced(forced: bool) -> None:
    report = DrainReport(stage="withdrawn", forced=forced)
    drained = {**SPEAKERS, B: SpeakerState(metadata=ObjectMeta(name=B), spec=SpeakerStateSpec(node=B, drain=report))}
    everybody = Liveness(states={B: NodeState.UP, C: NodeState.UP}, alive=(A, B, C))
    assert alive(everybody, drained) == {A, C}
    found = reserve(A, around(*drained.values()), drained, everybody, drain=DrainStage.SERVING)
    assert found == (frozenset() if forced else {B})


@pytest.mark.parametrize(
    ("stage", "in_reserve"),
    [(DrainStage.MARKED, True), (DrainStage.HANDED_OVER, True), (DrainStage.OUT, False)],
)
def test_own_drain_counts_before_it_was_told(stage: DrainStage, in_reserve: bool) -> None:
    everybody = Liveness(states={B: NodeState.UP, C: NodeState.UP}, alive=(A, B, C))
    known = around(*SPEAKERS.values())
    assert candidates(A, known, SPEAKERS, everybody, starting=False, drain=stage) == {B, C}
    assert reserve(A, known, SPEAKERS, everybody, drain=stage) == ({A} if in_reserve else set())


def test_dead_node_is_no_last_resort() -> None:
    report = DrainReport(stage="withdrawn")
    drained = {**SPEAKERS, B: SpeakerState(metadata=ObjectMeta(name=B), spec=SpeakerStateSpec(node=B, drain=report))}
    dead = Liveness(states={B: NodeState.DOWN, C: NodeState.UP}, alive=(A, C))
    assert reserve(A, around(*drained.values()), drained, dead, drain=DrainStage.SERVING) == set()


def test_node_that_the_responder_has_not_heard_of_yet_is_a_candidate() -> None:
    assert alive(Liveness(states={}, alive=(A,))) == {A, B, C}


def test_node_that_the_responder_calls_dead_is_none() -> None:
    assert alive(Liveness(states={B: NodeState.UP, C: NodeState.DOWN}, alive=(A, B))) == {A, B}


def test_this_node_is_none_while_it_stands_by() -> None:
    assert alive(Liveness(states={B: NodeState.UP, C: NodeState.UP}, alive=(B, C))) == {B, C}


def test_draining_nodes_and_nodes_without_address_are_none() -> None:
    speakers = {A: SPEAKERS[A], B: speaker(B, "192.0.2.12", draining=True), C: speaker(C)}
    assert alive(Liveness(states={}, alive=(A,)), speakers) == {A}


def test_nodes_whose_speakers_have_not_spoken_count_at_the_start_only() -> None:
    speakers = {A: SPEAKERS[A], B: SPEAKERS[B]}
    settled = Liveness(states={B: NodeState.UP}, alive=(A, B))
    assert alive(settled, speakers, starting=True) == {A, B, C}
    assert alive(settled, speakers) == {A, B}


def test_own_node_is_no_peer_and_others_are_reached_on_link() -> None:
    own = SpeakerInterface(name="eth0", prefixes=("192.0.2.1/24",))
    seen = around(speaker(A, "10.0.0.1"), speaker(B, "10.0.0.2", prefix="192.0.2.2/24"), own=(own,))
    assert seen.peers == (PeerNode(B, ("192.0.2.2",), ("02:00:00:00:00:02",)),)
    network = ip_network("192.0.2.0/24")
    link = NodeLink(interface="eth0", carrier=True, networks=(network,))
    assert seen.links[B] == (link,)
    assert seen.links[A] == (NodeLink(interface="eth0", carrier=False, networks=(network,)),)


def test_only_the_cluster_says_that_a_node_is_not_ready() -> None:
    assert around(node(A, "False"), node(B, "Unknown"), node(C)).unready == (B,)
    assert around(node(A), node(B, "True"), node(C, "False")).unready == (C,)


def test_lowest_failover_of_an_address_places_it_and_nonsense_is_left_out() -> None:
    seen = around(
        failover("b", "192.0.2.200", to=C), failover("a", "192.0.2.200", avoid=(B,)), failover("c", "nonsense")
    )
    assert seen.placements == {ip_address("192.0.2.200"): Placement(avoid=frozenset({B}))}


def test_without_advertisements_there_are_no_neighbors() -> None:
    store = ObjectStore("metallb-system", "ferrule-last-good")
    store.apply([Upserted(each) for each in SPEAKERS.values()])
    assert look_around(A, Config(), store, ()).peers == ()
