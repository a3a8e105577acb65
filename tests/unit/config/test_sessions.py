from typing import Any

from orchestrator.config.claims import Knowledge
from orchestrator.config.model import LastGood, NodeFacts
from orchestrator.config.peers import Surroundings, claims_of
from orchestrator.config.sessions import Sessions, settle
from orchestrator.resources.metallb import BGPPeer, SecretReference
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import labeled, named, peer_object

NODES = {name: NodeFacts(name=name, labels={"rack": name}) for name in ("n1", "n2")}
OLD, YOUNG = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
FIRST = labeled(rack="n1")


def sessions(*peers: BGPPeer, last_good: LastGood | None = None, nodes: Any = NODES) -> Sessions:
    around = Surroundings(nodes=nodes, bfd_profiles={}, secrets={})
    claims = claims_of(Knowledge(ClusterSnapshot(peers=named(*peers)), last_good or {}), around)
    return settle(claims, nodes_known=bool(nodes))


def nodes_of(result: Sessions) -> dict[str, list[str]]:
    return {name: sorted(peer.nodes) for name, peer in result.peers.items()}


def test_different_neighbors_run_side_by_side() -> None:
    result = sessions(peer_object("a"), peer_object("b", "192.0.2.2"))
    assert nodes_of(result) == {"a": ["n1", "n2"], "b": ["n1", "n2"]}
    assert not result.problems


def test_same_neighbor_goes_to_the_older_peer() -> None:
    result = sessions(peer_object("a", "10.200.200.2", created=YOUNG), peer_object("b", "10.200.200.2", created=OLD))
    assert list(result.peers) == ["b"]
    assert [problem.ref.name for problem in result.problems] == ["a"]
    assert result.problems[0].message.startswith(
        "peer 10.200.200.2 already exists, FRR mode doesn't support duplicate BGPPeers selecting the same node; "
        "BGPPeer b goes first (on n1, n2)"
    )


def test_loser_keeps_the_nodes_without_conflict() -> None:
    result = sessions(peer_object("a", node_selectors=(FIRST,), created=OLD), peer_object("b", created=YOUNG))
    assert nodes_of(result) == {"a": ["n1"], "b": ["n2"]}


def test_same_neighbor_in_another_vrf_is_another_neighbor() -> None:
    assert len(sessions(peer_object("a"), peer_object("b", vrf="blue", my_asn=65000)).peers) == 2


def test_one_asn_per_vrf_on_a_node() -> None:
    result = sessions(peer_object("a"), peer_object("b", "192.0.2.2", my_asn=65000))
    assert list(result.peers) == ["a"]
    assert result.problems[0].message.startswith("peer b has myAsn different from a, in FRR mode")


def test_one_router_id_per_node() -> None:
    result = sessions(peer_object("a"), peer_object("b", "192.0.2.2", router_id="10.0.0.1"))
    assert list(result.peers) == ["a"]
    assert result.problems[0].message.startswith("peer b has RouterID different from a, in FRR mode")


def test_running_peer_wins_over_an_older_object() -> None:
    running = peer_object("b", created=YOUNG)
    memory = sessions(running).memories
    result = sessions(peer_object("a", created=OLD), running, last_good=memory)
    assert list(result.peers) == ["b"]
    assert result.memories == memory


def test_peer_edited_into_a_conflict_keeps_its_last_good_session() -> None:
    memory = sessions(peer_object("a"), peer_object("b", "192.0.2.2")).memories
    result = sessions(peer_object("a"), peer_object("b", "192.0.2.1"), last_good=memory)
    assert {name: peer.neighbor for name, peer in result.peers.items()} == {"a": "192.0.2.1", "b": "192.0.2.2"}
    assert [problem.ref.name for problem in result.problems] == ["b"]
    assert result.memories == memory


def test_without_known_nodes_all_peers_may_meet() -> None:
    result = sessions(peer_object("a"), peer_object("b"), nodes={})
    assert list(result.peers) == ["a"]
    assert "(on" not in result.problems[0].message


def test_locked_peer_is_held_and_blocks_its_neighbor() -> None:
    locked = peer_object("a", password_secret=SecretReference(name="s"))
    result = sessions(locked, peer_object("b"))
    assert not result.peers
    assert list(result.locked) == ["a"]
    assert result.held == {"a"}
    assert not result.memories


def test_peer_pointed_at_a_missing_secret_goes_on_with_its_last_good_spec() -> None:
    memory = sessions(peer_object("a")).memories
    result = sessions(peer_object("a", password_secret=SecretReference(name="s")), last_good=memory)
    assert list(result.peers) == ["a"]
    assert not result.held


def test_broken_peer_without_memory_is_held() -> None:
    assert sessions(peer_object("a", my_asn=0)).held == {"a"}


def test_without_nodes_peers_of_other_selectors_do_not_meet() -> None:
    first = peer_object("a", router_id="10.0.0.1", node_selectors=(FIRST,))
    second = peer_object("b", router_id="10.0.0.2", node_selectors=(labeled(rack="n2"),))
    assert not sessions(first, second, nodes={}).problems


def test_without_nodes_peers_of_equal_selectors_meet() -> None:
    result = sessions(*(peer_object(name, node_selectors=(FIRST,)) for name in ("a", "b")), nodes={})
    assert [problem.ref.name for problem in result.problems] == ["b"]
    assert "(on " not in result.problems[0].message


def test_without_nodes_a_peer_without_selectors_meets_all() -> None:
    result = sessions(peer_object("a", node_selectors=(FIRST,)), peer_object("b"), nodes={})
    assert [problem.ref.name for problem in result.problems] == ["b"]
