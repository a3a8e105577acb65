"""Several candidates for one Lease, whatever the network, the scheduler and the clocks do to them.

Time is global here; each candidate has clocks of its own, with any beginning and a rate that is nearly right. Requests
take time, get lost before or after they had their effect, and arrive after their sender gave them up. Processes stand
still for any length (SIGSTOP), die, and start anew.
"""

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fsm import leadership
from orchestrator.fsm.leadership import Candidate, Leadership, LeaseRecord, Read, Write

DURATION_S, RENEW_S, RETRY_S = 15.0, 10.0, 2.0
LIMIT_S = RENEW_S / 2
LONGEST_WAIT_S = 1.5 * RETRY_S


@dataclass
class Server:
    """One object with a version: a write of what is there already changes nothing, as in the API server."""

    record: LeaseRecord = field(default_factory=LeaseRecord)
    version: int = 0

    def write(self, record: LeaseRecord) -> str | None:
        """The version afterwards; None: somebody else was faster."""
        if record.resource_version != self.record.resource_version:
            return None
        if record != self.record:
            self.version += 1
            self.record = replace(record, resource_version=str(self.version))
        return self.record.resource_version


@dataclass
class Process:
    name: str
    rate: float
    offset: float
    wall_rate: float
    state: Leadership = field(default_factory=Leadership)
    alive: bool = True
    paused_until: float = 0.0
    request: int = 0
    """Number of the request whose answer is waited for; 0: none."""
    alarm: int = 0
    """Number of the wake-up that counts: the last that was asked for."""

    @property
    def candidate(self) -> Candidate:
        return Candidate(identity=self.name, duration_s=DURATION_S, renew_s=RENEW_S, retry_s=RETRY_S)

    def now(self, at: float) -> float:
        return self.offset + self.rate * at

    def leads(self, at: float) -> bool:
        return self.alive and self.state.leads(self.now(at))


class World:
    def __init__(self, random: Random, count: int, wall_rates: Sequence[float] = (1.0, -1.0)) -> None:
        self.random = random
        self.server = Server()
        self.at = 0.0
        self.calm = False
        self.processes = [
            Process(
                name=f"c{number}",
                rate=random.uniform(0.98, 1.02),
                offset=random.uniform(0, 1e5),
                wall_rate=random.choice(wall_rates),
            )
            for number in range(count)
        ]
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        for process in self.processes:
            self.wake(process, random.uniform(0, 3))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.at + seconds, next(self._numbers), action))

    def wake(self, process: Process, seconds: float) -> None:
        number = process.alarm = next(self._numbers)
        self.after(seconds, lambda: self.step(process) if process.alarm == number else None)

    def run(self, until: float) -> None:
        while self._queue and self._queue[0][0] <= until:
            self.at, _, action = heapq.heappop(self._queue)
            action()
            leaders = [process.name for process in self.processes if process.leads(self.at)]
            assert len(leaders) < 2, f"{leaders} at {self.at}"
        self.at = until

    # One process ----------------------------------------------------------------------------------------------------

    def step(self, process: Process) -> None:
        """What the loop of a process does when it wakes up; a paused one does it later."""
        if not process.alive or process.request:
            return
        if self.at < process.paused_until:
            self.wake(process, process.paused_until - self.at)
            return
        now = process.now(self.at)
        asked = leadership.request(process.state, process.candidate, now, f"{process.wall_rate * self.at:.6f}")
        if asked is not None:
            self.send(process, asked)
        elif not process.state.leaving or process.state.next_at > now:
            self.wake(process, max((process.state.next_at - now) / process.rate, 0.001))

    def send(self, process: Process, asked: Read | Write) -> None:
        number = process.request = next(self._numbers)
        there, back = (self.random.uniform(0, 0.05 if self.calm else self.random.choice([0.05, 8])) for _ in range(2))
        lost_there, lost_back = (not self.calm and self.random.random() < 0.15 for _ in range(2))

        def serve() -> None:
            answer = self.server.write(asked.record) if isinstance(asked, Write) else self.server.record
            if not lost_back:
                self.after(back, lambda: self.answered(process, number, asked, answer))

        if not lost_there:
            self.after(there, serve)
        self.after(LIMIT_S, lambda: self.given_up(process, number))

    def answered(self, process: Process, number: int, asked: Read | Write, answer: LeaseRecord | str | None) -> None:
        if not process.alive or process.request != number:
            return
        if self.at < process.paused_until:
            self.after(process.paused_until - self.at, lambda: self.answered(process, number, asked, answer))
            return
        process.request = 0
        now, jitter = process.now(self.at), self.random.random()
        if isinstance(answer, LeaseRecord):
            process.state = leadership.found(process.state, process.candidate, answer, now, jitter)
        elif isinstance(answer, str) and isinstance(asked, Write):
            process.state = leadership.written(process.state, process.candidate, asked, answer, now, jitter)
        else:
            process.state = leadership.refused(process.state, now)
        self.step(process)

    def given_up(self, process: Process, number: int) -> None:
        if not process.alive or process.request != number:
            return
        if self.at < process.paused_until:
            self.after(process.paused_until - self.at, lambda: self.given_up(process, number))
            return
        process.request = 0
        process.state = leadership.failed(process.state, process.candidate, process.now(self.at), self.random.random())
        self.step(process)

    # What happens to it ---------------------------------------------------------------------------------------------

    def disturb(self) -> None:
        process = self.random.choice(self.processes)
        match self.random.choice(["pause", "die", "leave", "restart"]):
            case "pause":
                process.paused_until = self.at + self.random.uniform(0, 40)
            case "die":
                process.alive = False
            case "leave" if process.alive and self.at >= process.paused_until:
                now = process.now(self.at)
                if process.request:
                    process.request = 0
                    process.state = leadership.failed(process.state, process.candidate, now, 0)
                process.state = leadership.leave(process.state, now)
                self.step(process)
            case "restart" if not process.alive:
                self.begin(process)
            case _:
                pass

    def begin(self, process: Process) -> None:
        """A new process of the same name: it remembers nothing."""
        process.state, process.alive, process.request, process.paused_until = Leadership(), True, 0, 0.0
        self.step(process)

    def troubled(self, times: int) -> None:
        for _ in range(times):
            self.run(self.at + self.random.expovariate(1 / 8))
            self.disturb()

    def calm_down(self) -> None:
        """Every answer comes soon from now on; what is on its way has arrived, who was paused goes on."""
        self.calm = True
        self.run(self.at + 60)
        for process in self.processes:
            process.alive = process.alive and not process.state.leaving


RANDOM = st.randoms(use_true_random=True)
WORLDS = st.builds(World, RANDOM, st.integers(2, 4))
WITH_STOPPED_WALL_CLOCKS = st.builds(World, RANDOM, st.integers(2, 4), st.just((0.0, 1.0)))


@given(WORLDS | WITH_STOPPED_WALL_CLOCKS, st.integers(0, 40))
def test_never_two_may_write_at_one_instant(world: World, disturbances: int) -> None:
    world.troubled(disturbances)
    world.calm_down()


@given(WORLDS, st.integers(0, 15))
def test_somebody_leads_soon_after_a_death(world: World, disturbances: int) -> None:
    world.troubled(disturbances)
    world.calm_down()
    for process in world.processes:
        if not process.alive:
            world.begin(process)
    world.run(world.at + 60)
    leader = next(process for process in world.processes if process.leads(world.at))
    leader.alive = False
    world.run(world.at + (DURATION_S + 4 * LONGEST_WAIT_S) * 1.03)
    assert any(process.leads(world.at) for process in world.processes)


@given(WORLDS)
def test_somebody_leads_at_once_after_a_release(world: World) -> None:
    world.calm_down()
    leader = next(process for process in world.processes if process.leads(world.at))
    leader.state = leadership.leave(leadership.failed(leader.state, leader.candidate, 0, 0), leader.now(world.at))
    leader.request = 0
    world.step(leader)
    world.run(world.at + LONGEST_WAIT_S * 1.03 + 0.5)
    assert any(process.leads(world.at) for process in world.processes)


@given(WORLDS)
def test_leader_keeps_leading_and_its_term_while_answers_come(world: World) -> None:
    world.calm_down()
    leader = next(process for process in world.processes if process.leads(world.at))
    term = leader.state.term
    world.run(world.at + 300)
    assert leader.leads(world.at)
    assert leader.state.term == term
