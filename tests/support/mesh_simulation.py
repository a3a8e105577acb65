"""Many nodes' memberships in simulated time, on a network that loses, delays, cuts; nodes that stop, sleep, return.

Every node does what `runtime.mesh` does: it beats, answers new acquaintances at once, tells the lost and tells all when
its role changes, looks when `next_change` says so, and starts anew when it slept for too long.
"""

import functools
import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from orchestrator.decide.election import elect
from orchestrator.fsm import membership
from orchestrator.fsm.heartbeat import Heartbeat, HeartbeatFlag
from orchestrator.fsm.liveness import MISSED_INTERVALS, NodeState, Timing, is_new_acquaintance, is_news
from orchestrator.fsm.membership import Membership, Outlook, Role
from orchestrator.net.addresses import parse_address

ADDRESSES = tuple(parse_address(f"192.0.2.{number}") for number in range(1, 9))

BATCH_S = 0.001


@dataclass
class Network:
    """`blocked` are (sender, receiver); `loss` is a probability; every delay is drawn from `delays_s`."""

    blocked: frozenset[tuple[str, str]] = frozenset()
    loss: float = 0.0
    delays_s: tuple[float, float] = (0.0001, 0.002)


class Opinion(NamedTuple):
    """What a node thought from a moment on."""

    since: float
    alive: tuple[str, ...]
    role: Role


@dataclass
class Process:
    """One run of a node's responder."""

    membership: Membership
    instance: int
    sequences: Counter[str] = field(default_factory=Counter)
    patience_ends: float = 0.0
    asleep: bool = False
    waiting: list[Heartbeat] = field(default_factory=list)
    beat_at: float = 0.0
    look_at: float | None = None
    history: list[Opinion] = field(default_factory=list)


@dataclass
class Cluster:
    """`names` are sorted. Time goes on in `run` only."""

    names: tuple[str, ...]
    timing: Timing
    seed: int = 0
    now: float = 0.0
    network: Network = field(default_factory=Network)
    running: dict[str, Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._order = itertools.count()
        self._instances = itertools.count(1)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []

    def start(self, *names: str) -> None:
        """Start, or kill and start anew."""
        for name in names:
            self.kill(name)
            peers = [other for other in self.names if other != name]
            process = Process(membership.started(name, peers, self.timing, self.now), next(self._instances))
            self.running[name] = process
            self._at(self.now + self._random.uniform(0, 0.05), functools.partial(self._begin, process))

    def kill(self, *names: str) -> None:
        for name in names:
            self.running.pop(name, None)

    def leave(self, name: str) -> None:
        process = self.running[name]
        process.membership = membership.leaving(process.membership)
        self._look(process)

    def set_able(self, name: str, able: bool) -> None:
        process = self.running[name]
        process.membership = membership.with_carrier(process.membership, able, self.now)
        self._send_to_all(process)
        self._look(process)

    def call_unready(self, *names: str) -> None:
        """The cluster tells all who can be reached."""
        for process in self.running.values():
            process.membership = replace(process.membership, unready=frozenset(names))
            self._look(process)

    def put_to_sleep(self, name: str) -> None:
        self.running[name].asleep = True

    def wake(self, name: str) -> None:
        process = self.running[name]
        process.asleep = False
        if self.now < process.patience_ends:
            for heartbeat in process.waiting:
                self._take(process, heartbeat)
        else:
            process.membership = membership.awoken(process.membership, self.now)
        process.waiting.clear()
        self._begin(process)

    def split(self, *parts: Iterable[str]) -> None:
        """Only those in the same part hear each other."""
        part_of = {name: number for number, part in enumerate(parts) for name in part}
        self.block(
            (one, other) for one, other in itertools.permutations(self.names, 2) if part_of[one] != part_of[other]
        )

    def block(self, directions: Iterable[tuple[str, str]]) -> None:
        self.network = replace(self.network, blocked=frozenset(directions))

    def heal(self) -> None:
        self.network = Network()

    def run(self, duration_s: float) -> None:
        end = self.now + duration_s
        while self._agenda and self._agenda[0][0] <= end:
            self.now, _, action = heapq.heappop(self._agenda)
            action()
        self.now = end

    def outlooks(self) -> Mapping[str, Outlook]:
        """Those of all who are awake."""
        return {
            name: membership.outlook(process.membership, self.now)
            for name, process in self.running.items()
            if not process.asleep
        }

    def alive(self) -> set[tuple[str, ...]]:
        """The different opinions about who is alive."""
        return {outlook.alive for outlook in self.outlooks().values()}

    def owners(self) -> list[set[str]]:
        """For every address, who takes it for its own and answers."""
        outlooks = self.outlooks()
        return [
            {
                name
                for name, outlook in outlooks.items()
                if outlook.role.serves and elect(address, outlook.alive, {}) == name
            }
            for address in ADDRESSES
        ]

    def changes_since(self, moment: float) -> Mapping[str, int]:
        """How often each node changed its mind since then."""
        return {
            name: sum(opinion.since > moment for opinion in process.history) for name, process in self.running.items()
        }  # fmt: skip

    def _at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._order), action))

    def _acts(self, process: Process) -> bool:
        return self.running.get(process.membership.node) is process and not process.asleep

    def _begin(self, process: Process) -> None:
        if self._acts(process):
            self._beat(process)
            self._look(process)

    def _beat(self, process: Process) -> None:
        self._send_to_all(process)
        process.beat_at = self.now + self.timing.interval_s
        self._at(process.beat_at, functools.partial(self._beat_again, process, process.beat_at))

    def _beat_again(self, process: Process, when: float) -> None:
        if self._acts(process) and process.beat_at == when:
            self._beat(process)

    def _send_to_all(self, process: Process) -> None:
        process.patience_ends = self.now + MISSED_INTERVALS * self.timing.interval_s
        flags = membership.own_flags(process.membership, self.now)
        for peer in process.membership.views:
            self._send(process, peer, flags)

    def _send(self, process: Process, peer: str, flags: HeartbeatFlag | None = None) -> None:
        own = membership.own_flags(process.membership, self.now) if flags is None else flags
        process.sequences[peer] += 1
        heartbeat = Heartbeat(
            sender=process.membership.node,
            receiver=peer,
            interval_ms=round(self.timing.interval_s * 1000),
            instance=process.instance,
            sequence=process.sequences[peer],
            flags=own | membership.flags_about(process.membership, peer, self.now),
        )
        lost = (heartbeat.sender, peer) in self.network.blocked or self._random.random() < self.network.loss
        if not lost:
            self._at(self.now + self._random.uniform(*self.network.delays_s), lambda: self._deliver(heartbeat))

    def _deliver(self, heartbeat: Heartbeat) -> None:
        process = self.running.get(heartbeat.receiver)
        if process is None:
            return
        if process.asleep:
            process.waiting.append(heartbeat)
        elif self._take(process, heartbeat):
            self._look_soon(process)

    def _take(self, process: Process, heartbeat: Heartbeat) -> bool:
        before = process.membership.views[heartbeat.sender]
        received = membership.receive(process.membership, heartbeat, self.now)
        if not isinstance(received, Membership):
            return False
        process.membership, after = received, received.views[heartbeat.sender]
        if is_new_acquaintance(before, after):
            self._send(process, heartbeat.sender)
        return is_news(before, after)

    def _look(self, process: Process) -> None:
        before, process.membership = process.membership, membership.at(process.membership, self.now)
        for peer, view in process.membership.views.items():
            if view is not before.views[peer] and view.state is NodeState.DOWN:
                self._send(process, peer)
        self._publish(process, membership.outlook(process.membership, self.now))
        process.look_at = membership.next_change(process.membership, self.now)
        if process.look_at is not None:
            self._at(process.look_at, functools.partial(self._look_again, process, process.look_at))

    def _look_soon(self, process: Process) -> None:
        """What arrives together is looked at together."""
        when = self.now + BATCH_S
        if process.look_at is None or process.look_at > when:
            process.look_at = when
            self._at(when, functools.partial(self._look_again, process, when))

    def _look_again(self, process: Process, when: float) -> None:
        """An appointment that was moved is void."""
        if self._acts(process) and process.look_at == when:
            self._look(process)

    def _publish(self, process: Process, outlook: Outlook) -> None:
        before = process.history[-1] if process.history else None
        opinion = Opinion(self.now, outlook.alive, outlook.role)
        if before is not None and before[1:] == opinion[1:]:
            return
        process.history.append(opinion)
        if before is not None and before.role is not outlook.role:
            self._send_to_all(process)
