"""Simulated nodes that send each other heartbeats: they agree, they do not flap, a break heals."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.fsm import membership
from orchestrator.fsm.heartbeat import Heartbeat
from orchestrator.fsm.liveness import Timing
from orchestrator.fsm.membership import Membership, Outlook

TIMING = Timing(interval_s=0.1, hold_s=2.0)
STEP_S = 0.02
"""Resolution of the simulation; a heartbeat arrives in the step in which it is sent."""

SIMULATION = settings(max_examples=40, deadline=None)

Link = Callable[[str, str], bool]
"""Whether a heartbeat from one node to another arrives."""


def everything_arrives(_sender: str, _receiver: str) -> bool:
    return True


def all_but(blocked: set[tuple[str, str]]) -> Link:
    return lambda sender, receiver: (sender, receiver) not in blocked


@dataclass
class Cluster:
    """`phases`: how long after a round of the first node each other one has its own, in seconds."""

    names: tuple[str, ...]
    phases: dict[str, float]
    now: float = 0.0
    running: dict[str, Membership] = field(default_factory=dict)
    instances: dict[str, int] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    sequence: int = 0

    def start(self, name: str) -> None:
        peers = [other for other in self.names if other != name]
        self.running[name] = membership.started(name, peers, TIMING, self.now)
        self.instances[name] = self.instances.get(name, 0) + 1
        self.due[name] = self.now + self.phases[name]

    def kill(self, name: str) -> None:
        del self.running[name]

    def run(self, duration_s: float, arrives: Link = everything_arrives) -> None:
        end = self.now + duration_s
        while self.now < end:
            self._step(arrives)
            self.now += STEP_S

    def _step(self, arrives: Link) -> None:
        for name in sorted(self.running):
            self.running[name] = membership.at(self.running[name], self.now)
            if self.due[name] <= self.now:
                self.due[name] += TIMING.interval_s
                self._beat(name, arrives)

    def _beat(self, name: str, arrives: Link) -> None:
        for receiver in sorted(self.running.keys() - {name}):
            self.sequence += 1
            beat = Heartbeat(
                sender=name,
                receiver=receiver,
                instance=self.instances[name],
                sequence=self.sequence,
                flags=membership.flags_for(self.running[name], receiver, self.now),
            )
            if arrives(name, receiver):
                after = membership.receive(self.running[receiver], beat, self.now)
                assert isinstance(after, Membership)
                self.running[receiver] = after

    def outlooks(self) -> dict[str, Outlook]:
        return {name: membership.outlook(state, self.now) for name, state in self.running.items()}

    def alive(self) -> set[tuple[str, ...]]:
        """The different opinions about who is alive."""
        return {outlook.alive for outlook in self.outlooks().values()}


@st.composite
def clusters(draw: st.DrawFn, smallest: int = 2) -> Cluster:
    names = tuple(f"node-{number}" for number in range(draw(st.integers(smallest, 8))))
    cluster = Cluster(names, {name: draw(st.floats(0, TIMING.interval_s)) for name in names})
    for name in names:
        cluster.start(name)
    return cluster


@SIMULATION
@given(clusters())
def test_all_agree_soon_after_the_start(cluster: Cluster) -> None:
    cluster.run(0.3)
    assert cluster.alive() == {cluster.names}


@SIMULATION
@given(clusters(), st.data())
def test_killed_nodes_are_dead_to_all_and_come_back_after_the_hold(cluster: Cluster, data: st.DataObject) -> None:
    cluster.run(0.3)
    victims = data.draw(st.sets(st.sampled_from(cluster.names), max_size=len(cluster.names) - 1))
    for name in victims:
        cluster.kill(name)
    cluster.run(0.5)
    survivors = tuple(sorted(set(cluster.names) - victims))
    assert cluster.alive() == {survivors}
    for name in victims:
        cluster.start(name)
    cluster.run(TIMING.hold_s / 2)
    assert cluster.alive() == {survivors}
    cluster.run(TIMING.hold_s)
    assert cluster.alive() == {cluster.names}


@SIMULATION
@given(clusters(), st.data())
def test_three_lost_heartbeats_in_a_row_flap_nobody(cluster: Cluster, data: st.DataObject) -> None:
    cluster.run(0.3)
    lost: dict[tuple[str, str], int] = {}

    def arrives(sender: str, receiver: str) -> bool:
        run = lost.get((sender, receiver), 0)
        loses = run < 3 and data.draw(st.booleans())
        lost[sender, receiver] = run + 1 if loses else 0
        return not loses

    for _ in range(20):
        cluster.run(STEP_S * 3, arrives)
        assert cluster.alive() == {cluster.names}


@SIMULATION
@given(clusters(smallest=3), st.data())
def test_broken_network_heals_without_a_hold(cluster: Cluster, data: st.DataObject) -> None:
    cluster.run(0.3)
    one_side = data.draw(st.sets(st.sampled_from(cluster.names), min_size=1, max_size=len(cluster.names) - 1))
    cluster.run(1.0, lambda sender, receiver: (sender in one_side) is (receiver in one_side))
    halves = {tuple(sorted(one_side)), tuple(sorted(set(cluster.names) - one_side))}
    assert cluster.alive() == halves
    cluster.run(0.3)
    assert cluster.alive() == {cluster.names}
    for _ in range(100):
        cluster.run(0.05)
        assert cluster.alive() == {cluster.names}


@SIMULATION
@given(clusters(), st.data())
def test_somebody_is_always_alive(cluster: Cluster, data: st.DataObject) -> None:
    """Whatever restarts and is cut off: every running node sees somebody who may own addresses."""
    pairs = [(one, other) for one in cluster.names for other in cluster.names if one != other]
    for _ in range(8):
        blocked = data.draw(st.sets(st.sampled_from(pairs), max_size=4))
        restarted = data.draw(st.sampled_from(cluster.names))
        cluster.start(restarted)
        cluster.run(data.draw(st.floats(0.05, 1.0)), all_but(blocked))
        assert all(outlook.alive for outlook in cluster.outlooks().values())
