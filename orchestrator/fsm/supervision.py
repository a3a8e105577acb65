"""When a supervised process is started, ended and started again: (state, event, now) -> (state, actions). No clock here.

`Program` says what is wanted, `Child` what is known of it. An event changes facts (a process died, it answered, the
demand is another one); then every child is brought one step nearer to the demand by the first row that fits:

    phase                     fact                                            -> phase         action
    idle, backing-off, crash-loop   not wanted, or its document is missing    -> idle
    idle, backing-off, crash-loop   its delay is over, its `after` are ready  -> starting      Start
    starting                  it answered                                     -> ready
    starting, ready           it died                                         -> backing-off   (delay by failures in a row)
    starting, ready           it died, and the delay is the longest one       -> crash-loop
    starting, ready           not wanted, or wanted with further features,
                              or what it is `bound_to` is ready and younger   -> ending        End
    ending                    it died                                         -> idle          (no failure)

Delays: `DELAYS_S[failures in a row - 1]`; a run of `HEALTHY_S` makes the row start anew; the fifth death within
`CRASH_WINDOW_S` goes to the longest delay at once and stays there until a run was healthy. A process that nobody wants
any more is ended only when no process that is being ended with it still needs it (bgpd before zebra).

`bound_to` is how a restart of zebra restarts bgpd: bgpd would find a new zebra by itself only after 10 s and drop its
sessions for 2 s then (FRR 8.4.4). It goes on without zebra until the new one answers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import assert_never

DELAYS_S = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
HEALTHY_S = 60.0
CRASH_WINDOW_S = 64.0
CRASH_DEATHS = 5


class Phase(Enum):
    IDLE = "idle"
    STARTING = "starting"
    READY = "ready"
    BACKING_OFF = "backing-off"
    CRASH_LOOP = "crash-loop"
    ENDING = "ending"


RUNNING = frozenset({Phase.STARTING, Phase.READY, Phase.ENDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A process that is wanted. `features` are command line choices: one that is missing needs a restart, one too many does
    not. It is started when all `after` are ready, and restarted when `bound_to` is ready again after a restart.
    """

    name: str
    features: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    bound_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What is known of one process; `program` is as it was started. Times are monotonic seconds."""

    program: Program
    phase: Phase = Phase.IDLE
    failures: int = 0
    deaths: tuple[float, ...] = ()
    retry_at: float = 0.0
    started_at: float | None = None
    ready_since: float | None = None
    starts: int = 0

    @property
    def running(self) -> bool:
        return self.phase in RUNNING

    @property
    def restarts(self) -> int:
        return max(0, self.starts - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """The whole state: the demand and every child that was ever started or is wanted."""

    wanted: Mapping[str, Program] = field(default_factory=dict)
    blocked: frozenset[str] = frozenset()
    children: Mapping[str, Child] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Demand:
    """What should run from now on; a `blocked` program (no document to start with) is not started, but not ended."""

    programs: tuple[Program, ...]
    blocked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answered:
    """The process is ready for work."""

    name: str


@dataclass(frozen=True, slots=True)
class Died:
    """The process is gone, or could not be started."""

    name: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed (see `next_deadline`)."""


@dataclass(frozen=True, slots=True)
class Start:
    program: Program


@dataclass(frozen=True, slots=True)
class End:
    name: str


Event = Demand | Answered | Died | Tick
Action = Start | End


def step(state: Supervision, event: Event, now: float) -> tuple[Supervision, tuple[Action, ...]]:
    """Take in one event; returns what to do now. A Start or End is given once, and is followed by Died some time."""
    return _advance(_take_in(state, event, now), now)


def next_deadline(state: Supervision) -> float | None:
    """When a Tick is due: the earliest end of a delay; None if nothing waits for time to pass."""
    waiting = (Phase.BACKING_OFF, Phase.CRASH_LOOP)
    return min((child.retry_at for child in state.children.values() if child.phase in waiting), default=None)


def delay_s(failures: int) -> float:
    """Seconds before the start that follows this many failures in a row (at least one)."""
    return DELAYS_S[min(failures, len(DELAYS_S)) - 1]


def _take_in(state: Supervision, event: Event, now: float) -> Supervision:
    match event:
        case Demand(programs, blocked):
            return _demanded(state, programs, blocked)
        case Answered(name):
            return _with(state, _answered(state.children[name], now))
        case Died(name):
            return _with(state, _died(state.children[name], now))
        case Tick():
            return state
        case _:
            assert_never(event)


def _demanded(state: Supervision, programs: Iterable[Program], blocked: frozenset[str]) -> Supervision:
    wanted = {program.name: program for program in programs}
    new = {name: Child(program=program) for name, program in wanted.items() if name not in state.children}
    return Supervision(wanted=wanted, blocked=blocked, children={**state.children, **new})


def _with(state: Supervision, child: Child) -> Supervision:
    return replace(state, children={**state.children, child.program.name: child})


def _answered(child: Child, now: float) -> Child:
    return replace(child, phase=Phase.READY, ready_since=now) if child.phase is Phase.STARTING else child


def _died(child: Child, now: float) -> Child:
    gone = replace(child, started_at=None, ready_since=None)
    if child.phase is Phase.ENDING:
        return replace(gone, phase=Phase.IDLE, retry_at=now)
    deaths = (*(death for death in child.deaths if now - death < CRASH_WINDOW_S), now)
    failures = _failures(child, len(deaths), now)
    delay = delay_s(failures)
    phase = Phase.CRASH_LOOP if delay == DELAYS_S[-1] else Phase.BACKING_OFF
    return replace(gone, phase=phase, failures=failures, deaths=deaths, retry_at=now + delay)


def _failures(child: Child, recent_deaths: int, now: float) -> int:
    """Failures in a row, this death included; enough deaths in the window count as the whole row."""
    if recent_deaths >= CRASH_DEATHS:
        return len(DELAYS_S)
    healthy = child.started_at is not None and now - child.started_at >= HEALTHY_S
    return 1 if healthy else child.failures + 1


def _advance(state: Supervision, now: float) -> tuple[Supervision, tuple[Action, ...]]:
    """Bring every child one step nearer to the demand, in order of name."""
    actions: list[Action] = []
    for name in sorted(state.children):
        child, action = _next(state, state.children[name], now)
        state = _with(state, child)
        actions += [action] if action else []
    return state, tuple(actions)


def _next(state: Supervision, child: Child, now: float) -> tuple[Child, Action | None]:
    program = state.wanted.get(child.program.name)
    if child.phase in (Phase.STARTING, Phase.READY):
        if _must_end(state, child, program):
            return replace(child, phase=Phase.ENDING, ready_since=None), End(child.program.name)
        return child, None
    if child.phase is Phase.ENDING:
        return child, None
    if program is None or program.name in state.blocked:
        return replace(child, phase=Phase.IDLE), None
    if now < child.retry_at or not _all_ready(state, program.after):
        return child, None
    started = replace(child, program=program, phase=Phase.STARTING, started_at=now, starts=child.starts + 1)
    return started, Start(program)


def _must_end(state: Supervision, child: Child, program: Program | None) -> bool:
    if program is None:
        return not _still_needed(state, child.program.name)
    return not program.features <= child.program.features or _outlived(state, child, program)


def _still_needed(state: Supervision, name: str) -> bool:
    """Some process that is to end as well still runs and was started after this one."""
    return any(
        other.running and name in other.program.after and other.program.name not in state.wanted
        for other in state.children.values()
    )


def _outlived(state: Supervision, child: Child, program: Program) -> bool:
    """What the child is bound to is ready and was started after it."""
    master = state.children.get(program.bound_to or "")
    if master is None or master.phase is not Phase.READY:
        return False
    return (master.started_at or 0.0) > (child.started_at or 0.0)


def _all_ready(state: Supervision, names: Iterable[str]) -> bool:
    return all(name in state.children and state.children[name].phase is Phase.READY for name in names)
