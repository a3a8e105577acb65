"""Simulated nodes that send each other heartbeats: they agree, they do not flap, breaks heal, few things move."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.fsm.liveness import Timing, interval_for
from orchestrator.fsm.membership import Role
from tests.support.mesh_simulation import Cluster, Network
from tests.support.simulated_clusters import LOST_S, SIMULATION, TIMING, assert_one_owner, cluster_of, clusters


@SIMULATION
@given(clusters())
def test_all_agree_soon_after_the_start(cluster: Cluster) -> None:
    assert cluster.alive() == {cluster.names}
    assert_one_owner(cluster)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("size", [64, 200])
def test_large_clusters_agree_and_lose_some(size: int) -> None:
    """In units of their own interval they are as fast as small ones."""
    interval_s = interval_for(size)
    cluster = cluster_of(size, timing=Timing(interval_s=interval_s, hold_s=30.0, isolation_s=10.0))
    assert cluster.alive() == {cluster.names}
    cluster.kill(*cluster.names[: size // 16])
    cluster.run(5.5 * interval_s)
    survivors = cluster.names[size // 16 :]
    assert cluster.alive() == {survivors}
    assert_one_owner(cluster)


@SIMULATION
@given(clusters(3), st.data())
def test_killed_nodes_are_dead_to_all_and_come_back_after_the_hold(cluster: Cluster, data: st.DataObject) -> None:
    """As many as may die without making the rest believe that it is cut off."""
    most = max(1, (len(cluster.names) - 1) // 3)
    victims = data.draw(st.sets(st.sampled_from(cluster.names), max_size=most))
    cluster.kill(*victims)
    cluster.run(LOST_S)
    survivors = tuple(sorted(set(cluster.names) - victims))
    assert cluster.alive() == {survivors}
    assert_one_owner(cluster)
    cluster.start(*sorted(victims))
    cluster.run(TIMING.hold_s * 0.9)
    assert cluster.alive() == {survivors}
    cluster.run(TIMING.hold_s * 0.2)
    assert cluster.alive() == {cluster.names}


@SIMULATION
@given(clusters(3), st.data())
def test_leaver_is_gone_at_once(cluster: Cluster, data: st.DataObject) -> None:
    leaver = data.draw(st.sampled_from(cluster.names))
    cluster.leave(leaver)
    cluster.run(0.01)
    assert cluster.alive() == {tuple(name for name in cluster.names if name != leaver)}
    assert_one_owner(cluster)


@SIMULATION
@given(clusters(), st.data())
def test_three_lost_heartbeats_in_a_row_flap_nobody(cluster: Cluster, data: st.DataObject) -> None:
    since = cluster.now
    pairs = list(itertools.permutations(cluster.names, 2))
    for _ in range(10):
        cluster.block(data.draw(st.sets(st.sampled_from(pairs))))
        cluster.run(0.29)
        cluster.heal()
        cluster.run(0.11)
    assert max(cluster.changes_since(since).values()) == 0


@SIMULATION
@given(clusters(3), st.integers(0, 2**32))
def test_late_and_lost_heartbeats_are_ordinary(cluster: Cluster, seed: int) -> None:
    """5 % are lost, others are late by most of an interval and overtake each other."""
    since = cluster.now
    cluster.network = Network(loss=0.0, delays_s=(0.0, 0.09))
    cluster.run(5.0)
    assert max(cluster.changes_since(since).values()) == 0
    cluster.network = Network(loss=0.05)
    cluster.run(5.0)
    cluster.heal()
    cluster.run(2 * TIMING.hold_s + LOST_S)
    assert cluster.alive() == {cluster.names}


@SIMULATION
@given(clusters(3), st.data())
def test_smaller_part_takes_nothing_over_while_the_larger_one_serves(cluster: Cluster, data: st.DataObject) -> None:
    most = (len(cluster.names) - 1) // 2
    smaller = data.draw(st.sets(st.sampled_from(cluster.names), min_size=1, max_size=most))
    larger = set(cluster.names) - smaller
    before = cluster.owners()
    cluster.split(smaller, larger)
    for _ in range(30):
        cluster.run(0.1 * (TIMING.isolation_s / 3))
        outlooks = cluster.outlooks()
        assert all(outlooks[name].alive == cluster.names for name in smaller)
    assert {outlooks[name].alive for name in larger} == {tuple(sorted(larger))}
    assert {outlooks[name].role for name in smaller} == {Role.ISOLATED}
    assert all(owners & smaller <= owned for owners, owned in zip(cluster.owners(), before, strict=True))
    cluster.heal()
    cluster.run(LOST_S)
    assert cluster.alive() == {tuple(sorted(larger))}, "who was cut off is held"
    assert_one_owner(cluster)
    cluster.run(TIMING.hold_s)
    assert cluster.alive() == {cluster.names}


@SIMULATION
@given(st.integers(2, 4), st.integers(0, 2**32), st.floats(0.0, 8.0))
def test_of_two_halves_none_takes_over_for_a_while_and_nobody_is_held(half: int, seed: int, duration_s: float) -> None:
    cluster = cluster_of(2 * half, seed)
    cluster.split(cluster.names[:half], cluster.names[half:])
    cluster.run(TIMING.isolation_s)
    assert cluster.alive() == {cluster.names}
    cluster.run(duration_s)
    cluster.heal()
    cluster.run(LOST_S)
    assert cluster.alive() == {cluster.names}
    assert_one_owner(cluster)


@SIMULATION
@given(clusters(3), st.data())
def test_rest_of_a_cluster_that_died_serves_all_in_the_end(cluster: Cluster, data: st.DataObject) -> None:
    survivor = data.draw(st.sampled_from(cluster.names))
    others = [name for name in cluster.names if name != survivor]
    cluster.kill(*others)
    cluster.run(TIMING.isolation_s)
    assert cluster.alive() == {cluster.names}
    if data.draw(st.booleans()):
        cluster.call_unready(*others)
    else:
        cluster.run(LOST_S)
    assert cluster.alive() == {(survivor,)}


@SIMULATION
@given(clusters(3), st.data())
def test_pair_with_one_broken_direction_is_lost_to_each_other_alone(cluster: Cluster, data: st.DataObject) -> None:
    mute, deaf = data.draw(st.permutations(cluster.names))[:2]
    cluster.block([(mute, deaf)])
    cluster.run(1.0)
    for name, outlook in cluster.outlooks().items():
        lost = {mute: {deaf}, deaf: {mute}}.get(name, set())
        assert outlook.alive == tuple(sorted(set(cluster.names) - lost))
    cluster.heal()
    cluster.run(LOST_S)
    assert cluster.alive() == {cluster.names}, "neither is held: each lost the other"
    assert_one_owner(cluster)


@SIMULATION
@given(clusters(3), st.data())
def test_node_that_is_heard_by_nobody_or_hears_nobody_is_lost_and_takes_nothing_over(
    cluster: Cluster, data: st.DataObject
) -> None:
    broken = data.draw(st.sampled_from(cluster.names))
    others = tuple(name for name in cluster.names if name != broken)
    mute = data.draw(st.booleans())
    cluster.block([(broken, other) if mute else (other, broken) for other in others])
    cluster.run(1.0)
    assert {cluster.outlooks()[name].alive for name in others} == {others}
    assert cluster.outlooks()[broken].alive == cluster.names
    cluster.heal()
    cluster.run(TIMING.hold_s + LOST_S)
    assert cluster.alive() == {cluster.names}
    assert_one_owner(cluster)


@SIMULATION
@given(clusters(3), st.data(), st.floats(0.6, 5.0))
def test_node_that_slept_owns_nothing_when_it_wakes(cluster: Cluster, data: st.DataObject, duration_s: float) -> None:
    sleeper = data.draw(st.sampled_from(cluster.names))
    others = tuple(name for name in cluster.names if name != sleeper)
    cluster.put_to_sleep(sleeper)
    cluster.run(duration_s)
    assert cluster.alive() == {others}
    cluster.wake(sleeper)
    assert not cluster.outlooks()[sleeper].role.serves
    for _ in range(17):
        cluster.run(TIMING.hold_s / 20)
        assert cluster.outlooks()[sleeper].role is Role.STANDBY
        assert cluster.alive() == {others}
    cluster.run(TIMING.hold_s / 4)
    assert cluster.alive() == {cluster.names}


@settings(max_examples=15, deadline=None)
@given(clusters(3, 5), st.data())
def test_node_that_comes_and_goes_moves_addresses_once_per_hold_and_less_and_less(
    cluster: Cluster, data: st.DataObject
) -> None:
    """It dies, sleeps, loses its carrier or its network: whatever it is, the others count it seldom."""
    flapping = data.draw(st.sampled_from(cluster.names))
    others = [name for name in cluster.names if name != flapping]
    witness = others[0]
    began = cluster.now
    while cluster.now < began + 30 * TIMING.hold_s:
        kind = data.draw(st.sampled_from(["death", "sleep", "carrier", "network"]))
        away_s, back_s = data.draw(st.floats(0.6, 2.0)), data.draw(st.floats(0.1, 3.0))
        _take_away(cluster, flapping, kind)
        cluster.run(away_s)
        _bring_back(cluster, flapping, kind)
        cluster.run(back_s)
    returns = _returns(cluster, witness, flapping, began)
    assert all(later - earlier >= TIMING.hold_s for earlier, later in itertools.pairwise(returns))
    assert len(returns) <= 5, "2, 4, 8, 16 and 32 s add up to more than 60"


def _take_away(cluster: Cluster, name: str, kind: str) -> None:
    match kind:
        case "death":
            cluster.kill(name)
        case "sleep":
            cluster.put_to_sleep(name)
        case "carrier":
            cluster.set_able(name, False)
        case _:
            cluster.split([name], [other for other in cluster.names if other != name])


def _bring_back(cluster: Cluster, name: str, kind: str) -> None:
    match kind:
        case "death":
            cluster.start(name)
        case "sleep":
            cluster.wake(name)
        case "carrier":
            cluster.set_able(name, True)
        case _:
            cluster.heal()


def _returns(cluster: Cluster, witness: str, name: str, since: float) -> list[float]:
    """When the witness began to count the node again."""
    history = cluster.running[witness].history
    return [
        after.since
        for before, after in itertools.pairwise(history)
        if after.since > since and name in after.alive and name not in before.alive
    ]


@SIMULATION
@given(clusters(3, 6), st.data())
def test_one_event_changes_few_minds(cluster: Cluster, data: st.DataObject) -> None:
    """Lost, isolated, doubted no more, back, held no more: five changes per node that is concerned, at each other."""
    concerned = data.draw(st.sets(st.sampled_from(cluster.names), min_size=1, max_size=len(cluster.names) - 1))
    kind = data.draw(st.sampled_from(["kill", "split", "sleep"]))
    since = cluster.now
    match kind:
        case "kill":
            cluster.kill(*concerned)
        case "split":
            cluster.split(concerned, set(cluster.names) - concerned)
        case _:
            for name in concerned:
                cluster.put_to_sleep(name)
    cluster.run(2.0)
    assert max(cluster.changes_since(since).values()) <= len(cluster.names) + 1
    cluster.run(20.0)
    quiet = cluster.now - 10.0
    assert max(cluster.changes_since(quiet).values()) == 0


Trouble = tuple[str, frozenset[str], float]


@st.composite
def troubles(draw: st.DrawFn, names: tuple[str, ...]) -> Trouble:
    kind = draw(st.sampled_from(["restart", "kill", "one way", "split", "sleep", "carrier", "leave"]))
    some = draw(st.frozensets(st.sampled_from(names), min_size=1, max_size=max(1, len(names) // 2)))
    return kind, some, draw(st.floats(0.05, 4.0))


def _make_trouble(cluster: Cluster, trouble: Trouble) -> None:
    kind, some, duration_s = trouble
    awake = sorted(some & cluster.running.keys())
    match kind:
        case "restart":
            cluster.start(*sorted(some))
        case "kill":
            cluster.kill(*sorted(some))
        case "one way":
            cluster.block(itertools.product(some, set(cluster.names) - some))
        case "split":
            cluster.split(some, set(cluster.names) - some)
        case "sleep":
            for name in awake:
                cluster.put_to_sleep(name)
        case "leave":
            for name in awake:
                cluster.leave(name)
        case _:
            for name in awake:
                cluster.set_able(name, False)
    cluster.run(duration_s)
    if kind == "sleep":
        for name in awake:
            cluster.wake(name)


def _end_trouble(cluster: Cluster) -> None:
    cluster.heal()
    for name, process in cluster.running.items():
        if not process.membership.able:
            cluster.set_able(name, True)


@settings(max_examples=100, deadline=None)
@given(clusters(), st.data())
def test_whatever_happened_all_agree_when_the_network_is_whole(cluster: Cluster, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 5))):
        _make_trouble(cluster, data.draw(troubles(cluster.names)))
        if data.draw(st.booleans()):
            _end_trouble(cluster)
            cluster.run(0.3)
    _end_trouble(cluster)
    cluster.run(TIMING.isolation_s + LOST_S)
    if any(outlook.role is not Role.LEAVING for outlook in cluster.outlooks().values()):
        assert_one_owner(cluster)
        quiet = cluster.now
        cluster.run(1.0)
        assert_one_owner(cluster)
        assert max(cluster.changes_since(quiet).values()) <= len(cluster.names)


@SIMULATION
@given(clusters(), st.data())
def test_somebody_is_always_alive(cluster: Cluster, data: st.DataObject) -> None:
    """Whatever restarts and is cut off: every running node sees somebody who may own addresses."""
    pairs = list(itertools.permutations(cluster.names, 2))
    for _ in range(8):
        cluster.block(data.draw(st.sets(st.sampled_from(pairs), max_size=4)))
        cluster.start(data.draw(st.sampled_from(cluster.names)))
        cluster.run(data.draw(st.floats(0.05, 1.0)))
        assert all(outlook.alive for outlook in cluster.outlooks().values())
