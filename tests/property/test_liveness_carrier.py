"""Simulated nodes that lose the carrier of their announcing interfaces, or their only cable, and get it back."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.mesh_simulation import Cluster
from tests.support.simulated_clusters import LOST_S, SIMULATION, TIMING, assert_one_owner, cluster_of, clusters


@SIMULATION
@given(clusters(3), st.data())
def test_lost_carrier_is_known_at_once_and_its_return_is_held(cluster: Cluster, data: st.DataObject) -> None:
    unable = data.draw(st.sampled_from(cluster.names))
    others = tuple(name for name in cluster.names if name != unable)
    cluster.set_able(unable, False)
    cluster.run(0.01)
    assert cluster.alive() == {others}
    cluster.run(1.0)
    since = cluster.now
    cluster.set_able(unable, True)
    cluster.run(TIMING.hold_s * 0.9)
    assert cluster.alive() == {others}
    assert max(cluster.changes_since(since).values()) == 0
    cluster.run(TIMING.hold_s * 0.2)
    assert cluster.alive() == {cluster.names}


@SIMULATION
@given(clusters(), st.data(), st.floats(0.05, 8.0), st.floats(0.0, 1.2))
def test_only_cable_that_was_out_moves_addresses_once_and_nobody_answers_beside_the_new_owner(
    cluster: Cluster, data: st.DataObject, away_s: float, mute_s: float
) -> None:
    """The network comes back before this node knows, or up to 1.2 s after: neighbors have to be resolved anew."""
    cut = data.draw(st.sampled_from(cluster.names))
    others = tuple(name for name in cluster.names if name != cut)
    cluster.split([cut], others)
    cluster.run(data.draw(st.floats(0.0, 0.05)))
    cluster.set_able(cut, False)
    cluster.run(max(away_s, LOST_S))
    assert {cluster.outlooks()[name].alive for name in others} == {others}
    since = cluster.now
    if data.draw(st.booleans()):
        cluster.heal()
        cluster.run(data.draw(st.floats(0.0, 0.2)))
        cluster.set_able(cut, True)
    else:
        cluster.set_able(cut, True)
        cluster.run(mute_s)
        cluster.heal()
    cluster.run(TIMING.hold_s * 0.9)
    assert {cluster.outlooks()[name].alive for name in others} == {others}
    assert not [opinion for opinion in cluster.running[cut].history if opinion.since >= since and opinion.role.serves]
    cluster.run(TIMING.hold_s)
    assert cluster.alive() == {cluster.names}
    assert_one_owner(cluster)


@SIMULATION
@given(st.integers(2, 9), st.integers(0, 2**32))
def test_nodes_of_which_all_lose_their_only_cable_serve_as_soon_as_they_hear_each_other(size: int, seed: int) -> None:
    """A switch that restarts: nobody is held."""
    cluster = cluster_of(size, seed)
    cluster.split(*([name] for name in cluster.names))
    for name in cluster.names:
        cluster.set_able(name, False)
    cluster.run(5.0)
    cluster.heal()
    for name in cluster.names:
        cluster.set_able(name, True)
    cluster.run(0.2)
    assert cluster.alive() == {cluster.names}
    assert_one_owner(cluster)


@SIMULATION
@given(st.integers(2, 9), st.integers(0, 2**32))
def test_nodes_that_start_without_carrier_serve_as_soon_as_they_have_one(size: int, seed: int) -> None:
    cluster = Cluster(tuple(f"node-{number}" for number in range(size)), TIMING, seed)
    cluster.start(*cluster.names)
    for name in cluster.names:
        cluster.set_able(name, False)
    cluster.run(1.0)
    assert cluster.alive() == {()}
    for name in cluster.names:
        cluster.set_able(name, True)
    cluster.run(0.05)
    assert cluster.alive() == {cluster.names}
