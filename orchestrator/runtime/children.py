"""Carries out what `fsm.supervision` decides: starts and ends processes, and tells what became of them.

A started process gets a task that lives as long as it does: it forwards the output as log lines, asks for readiness
and reports the end. The list of children on disk is written after each start and end, for a successor to reap.
"""

import asyncio
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_chain, wait_fixed

from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.supervision import Action, Answered, Died, End, Event, Program, Start
from orchestrator.supervise import leftovers, output
from orchestrator.supervise.process import ChildProcess, Identity, Output

log = structlog.get_logger()

_FREQUENT = 50


def _until_ready() -> AsyncRetrying:
    """Ask often at first (a daemon answers after 30 to 60 ms), then rarely: a long document takes its time."""
    return AsyncRetrying(
        wait=wait_chain(*[wait_fixed(0.01)] * _FREQUENT, wait_fixed(0.1)),
        retry=retry_if_exception_type((NotReady, DaemonError, OSError)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a program is started and known to be ready.

    `prepare` removes what an earlier process left, and raises DaemonError if this one must not start; `probe` raises
    NotReady, DaemonError or OSError until it is ready; `clear` gets the pid of a process that has ended.
    """

    command: tuple[str, ...]
    output: Output
    limit_s: float
    prepare: Callable[[], None]
    probe: Callable[[], Awaitable[None]]
    clear: Callable[[int], None]


@dataclass(slots=True)
class Life:
    """One process between its start and its end; `process` is None until the system has started it."""

    end_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    process: ChildProcess | None = None


class Children:
    """The processes that run. `report` is called in the event loop with what became of them."""

    def __init__(
        self,
        record: Path,
        recipe: Callable[[Program], Recipe],
        report: Callable[[Event], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._record = record
        self._recipe = recipe
        self._report = report
        self._tasks = tasks
        self._lives: dict[str, Life] = {}

    @property
    def pids(self) -> Mapping[str, int]:
        return {child.name: child.pid for child in self._identities()}

    def carry_out(self, action: Action) -> None:
        match action:
            case Start(program):
                life = self._lives[program.name] = Life()
                self._tasks.create_task(self._live(life, program), name=program.name)
            case End(name) if name in self._lives:
                self._lives[name].end_wanted.set()
            case End():
                return  # it has just ended by itself, and Died is on its way
            case _:
                assert_never(action)

    async def _live(self, life: Life, program: Program) -> None:
        """One process from its start to its end.

        A cancelled one stays on the list of children: it may still run, and the next supervisor has to end it.
        """
        recipe, began = self._recipe(program), time.monotonic()
        try:
            recipe.prepare()
            life.process = await ChildProcess.start(program.name, recipe.command, recipe.output)
        except DaemonError as error:
            log.error("process cannot be started", daemon=program.name, reason=error.output)
        else:
            await self._watch(life, life.process, recipe, began)
        del self._lives[program.name]
        self._write_record()
        self._report(Died(program.name))

    async def _watch(self, life: Life, process: ChildProcess, recipe: Recipe, began: float) -> None:
        self._write_record()
        name, pid = process.identity.name, process.identity.pid
        log.info("process started", daemon=name, pid=pid)
        log.debug("command line", daemon=name, pid=pid, command=shlex.join(recipe.command))
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(self._ask(name, recipe, began))
            ending = tasks.create_task(_end_on_demand(life, process, recipe.limit_s))
            status = await process.wait(lambda line: _forward(name, line))
            asking.cancel()
            ending.cancel()
        recipe.clear(pid)
        write = log.info if life.end_wanted.is_set() else log.warning
        write("process ended", daemon=name, pid=pid, status=status, seconds=_since(began))

    async def _ask(self, name: str, recipe: Recipe, began: float) -> None:
        await _until_ready()(recipe.probe)
        log.info("process ready", daemon=name, seconds=_since(began))
        self._report(Answered(name))

    def _identities(self) -> tuple[Identity, ...]:
        return tuple(life.process.identity for life in self._lives.values() if life.process is not None)

    def _write_record(self) -> None:
        leftovers.write_children(self._record, self._identities())


async def _end_on_demand(life: Life, process: ChildProcess, limit_s: float) -> None:
    await life.end_wanted.wait()
    await process.end(limit_s)


def _forward(name: str, line: str) -> None:
    """One line of output becomes one log line."""
    level, text = output.parse(line)
    getattr(log, level)(text, daemon=name)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
