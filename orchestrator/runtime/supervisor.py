"""`ferrule supervise`: the processes of one node beside the speaker.

`fsm.supervision` decides, `children` carries out; this loop joins them with the speaker's socket, the clock and the
documents in the run folder. The responder always runs. Daemons run when the speaker asks for them and their documents
lie there: bgpd never starts empty. Without a speaker the last documents do, if they are not too old.

While a speaker is connected nothing is written to the daemons; otherwise only what `presence` and `farewell` say.
"""

import asyncio
import os
import signal
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog

from orchestrator.apply.control import LineConnection, serve_lines
from orchestrator.errors import DaemonError
from orchestrator.fsm import supervisor_api
from orchestrator.fsm.supervision import Demand, Event, Phase, Program, Supervision, Tick, next_deadline, step
from orchestrator.fsm.supervisor_api import Restarting, Tried, Try, Wanted
from orchestrator.net.bgp import BgpEngine
from orchestrator.runtime import presence, recipes, scratch
from orchestrator.runtime.children import Children
from orchestrator.runtime.exabgp_farewell import ExabgpFarewell
from orchestrator.runtime.farewell import Farewell, Follow, FrrFarewell
from orchestrator.runtime.supervisor_pages import Pages
from orchestrator.settings import RunFolder, SupervisorSettings
from orchestrator.supervise import exabgp, folder_lock, frr, leftovers

log = structlog.get_logger()

NO_DEMAND_S = 30.0
"""How long the speaker may take for its first demand before the last documents are used."""
DOCUMENT_AGE_S = 3600.0
"""Documents that no speaker has stood behind for longer are not used without one."""
VOUCH_S = 60.0
SPEAKER_LEAVES_S = 5.0
LEFTOVER_LIMIT_S = 1.0
DOCUMENT_RETRY_S = 1.0


async def run(settings: SupervisorSettings) -> None:
    """Supervise until SIGTERM or SIGINT, then end everything in order. Raises StartupError."""
    _daemons(settings.engine).prepare_folder(settings.run.path)
    with folder_lock.hold(settings.run.path, "supervisor"):
        _clear(settings)
        pages = Pages(settings.http_port) if settings.http_port else None
        await Supervisor(settings, pages).run()
        _clear(settings)


def _clear(settings: SupervisorSettings) -> None:
    """End what a killed supervisor left behind, then remove the sockets and pid files that are nobody's any more."""
    engine = _daemons(settings.engine)
    for child in leftovers.reap(leftovers.read_children(settings.run.children), LEFTOVER_LIMIT_S):
        log.warning("process of an earlier supervisor ended", daemon=child.name, pid=child.pid)
        engine.clear_scratch(child.name, child.pid)
    leftovers.write_children(settings.run.children, ())
    scratch.clear(settings.run)
    for path in (*engine.stale_files(settings.run), settings.run.responder_socket, settings.run.supervisor_socket):
        path.unlink(missing_ok=True)


class Daemons(Protocol):
    """What the modules `supervise.frr` and `supervise.exabgp` know of their engine's processes."""

    DAEMONS: tuple[str, ...]
    ANNOUNCER: str

    def prepare_folder(self, folder: Path, /) -> None: ...
    def programs(self, installation: frr.Installation, daemons: Collection[str], /) -> tuple[Program, ...]: ...
    def document_problem(self, files: RunFolder, daemon: str, /) -> str | None: ...
    def stale_files(self, files: RunFolder, /) -> tuple[Path, ...]: ...
    def clear_scratch(self, daemon: str, pid: int, /) -> None: ...


def _daemons(engine: BgpEngine) -> Daemons:
    return frr if engine is BgpEngine.FRR else exabgp


def _farewell(settings: SupervisorSettings) -> Farewell:
    if settings.engine is BgpEngine.FRR:
        return FrrFarewell(settings.run.vty(frr.BGPD))
    return ExabgpFarewell(settings.run.exabgp_socket)


class Supervisor:
    """All in one event loop; only `_follow` changes the state."""

    def __init__(self, settings: SupervisorSettings, pages: Pages | None) -> None:
        self._settings = settings
        self._pages = pages
        self._daemons = _daemons(settings.engine)
        self._installation = frr.Installation(binaries=settings.frr_binaries, files=settings.run)
        self._state = Supervision()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._wanted: tuple[str, ...] | None = None
        self._problems: Mapping[str, str] = {}
        self._speaker = presence.Presence()
        self._farewell = _farewell(settings)
        self._scratch = scratch.Scratch(settings.frr_binaries, settings.run, self._answer)
        self._follow_up = Follow.NOTHING
        self._ending = False
        self._at_rest = asyncio.Event()

    async def run(self) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        recipe = partial(recipes.recipe, self._settings, self._installation)
        async with asyncio.TaskGroup() as tasks:
            self._children = Children(self._settings.run.children, recipe, self._events.put_nowait, tasks)
            self._events.put_nowait(self._demand())
            watching = [
                tasks.create_task(self._follow()),
                tasks.create_task(serve_lines(self._settings.run.supervisor_socket, self._serve_speaker)),
                tasks.create_task(self._use_last_documents()),
                tasks.create_task(self._vouch()),
                tasks.create_task(self._watch_speaker()),
                tasks.create_task(self._scratch.run()),
            ]
            await stop.wait()
            await self._end_in_order()
            for task in watching:
                task.cancel()

    async def _follow(self) -> None:
        while True:
            before = self._state
            self._state, actions = step(before, await self._next_event(), time.monotonic())
            for action in actions:
                self._children.carry_out(action)
            if self._state.children != before.children:
                self._tell(before)
            if not self._state.wanted and not any(child.running for child in self._state.children.values()):
                self._at_rest.set()

    async def _next_event(self) -> Event:
        """The next event; a Tick when a delay is over, the demand anew when a missing document may have come."""
        deadline = next_deadline(self._state)
        waits = [] if deadline is None else [deadline - time.monotonic()]
        waits += [DOCUMENT_RETRY_S] if self._state.blocked else []
        try:
            return await asyncio.wait_for(self._events.get(), min(waits, default=None))
        except TimeoutError:
            return self._demand() if self._state.blocked else Tick()

    def _tell(self, before: Supervision) -> None:
        for name, child in self._state.children.items():
            if child.phase is Phase.CRASH_LOOP and before.children[name].phase is not Phase.CRASH_LOOP:
                log.error("process dies again and again", daemon=name, failures=child.failures)
        self._publish()

    def _demand(self) -> Demand:
        """What should run now, and what of it cannot because of its document; says so when that changes."""
        if self._ending:
            return Demand(())
        programs = self._daemons.programs(self._installation, self._wanted or ())
        found = {program.name: self._daemons.document_problem(self._settings.run, program.name) for program in programs}
        problems = {name: problem for name, problem in found.items() if problem is not None}
        for name, problem in problems.items():
            if self._problems.get(name) != problem:
                log.error("daemon cannot be started", daemon=name, reason=problem)
        self._problems = problems
        return Demand((recipes.RESPONDER, *programs), blocked=frozenset(problems))

    def _publish(self) -> None:
        if self._pages is not None:
            self._pages.show(self._state)
        self._speaker.send(supervisor_api.encode(supervisor_api.report(self._state, self._children.pids)))

    def _answer(self, tried: Tried) -> None:
        self._speaker.send(supervisor_api.encode(tried))

    async def _serve_speaker(self, connection: LineConnection) -> None:
        log.info("speaker connected")
        self._follow_up = Follow.NOTHING
        self._speaker.arrive(connection)
        self._publish()
        try:
            async for line in connection.lines():
                self._hear(line)
        finally:
            self._speaker.leave()
            log.info("speaker disconnected", follow=self._follow_up.value)

    def _hear(self, line: bytes) -> None:
        try:
            message = supervisor_api.decode_for_supervisor(line)
        except DaemonError as error:
            log.warning("message of the speaker not understood", reason=error.output)
            return
        match message:
            case Wanted(daemons=daemons, node=node) if node == self._settings.node:
                self._want(daemons)
                self._confirm_documents()
            case Wanted(node=node):
                log.error("speaker of another node refused", node=self._settings.node, reason=f"it is for {node}")
            case Restarting():
                self._follow_up = Follow.ANOTHER_SPEAKER
            case Try():
                self._scratch.ask(message)

    def _want(self, daemons: tuple[str, ...]) -> None:
        if daemons != self._wanted:
            log.info("daemons wanted", daemons=daemons)
            if not set(daemons) <= set(self._daemons.DAEMONS):
                log.error(
                    "speaker has another BGP engine",
                    reason=f"this is `ferrule supervise {self._settings.engine.value}`",
                )
        self._wanted = daemons
        self._events.put_nowait(self._demand())

    async def _vouch(self) -> None:
        """While a speaker is connected, its documents are what it wants: they do not age."""
        while True:
            await asyncio.sleep(VOUCH_S)
            if self._speaker.here:
                self._confirm_documents()

    def _confirm_documents(self) -> None:
        for name in self._wanted or ():
            with suppress(FileNotFoundError):
                os.utime(self._settings.run.daemon_conf(name))

    async def _use_last_documents(self) -> None:
        """Start with what the last speaker wanted; the age of bgpd's document counts for all."""
        await asyncio.sleep(NO_DEMAND_S)
        document = self._settings.run.daemon_conf(self._daemons.ANNOUNCER)
        if self._wanted is not None or not document.exists():
            return
        age_s = time.time() - document.stat().st_mtime
        if age_s > DOCUMENT_AGE_S:
            log.warning("no demand of a speaker, and the last documents are too old", seconds=round(age_s))
            return
        log.warning("no demand of a speaker, the last documents are used", seconds=round(age_s))
        self._want(tuple(name for name in self._daemons.DAEMONS if self._settings.run.daemon_conf(name).exists()))

    async def _watch_speaker(self) -> None:
        after_s, action = self._settings.stale_after_s, self._settings.stale_routes_action
        await presence.watch(self._speaker, self._farewell, self._announcing_since, after_s, action)

    def _announcing_since(self) -> float | None:
        """Since when the daemon that announces is ready; None if it is not."""
        child = self._state.children.get(self._daemons.ANNOUNCER)
        return child.ready_since if child else None

    async def _end_in_order(self) -> None:
        """At most 10 s, with ExaBGP 16 s: the speaker, the routes, then the processes, each within its limit."""
        log.info("end wanted", speaker="connected" if self._speaker.here else "away")
        await self._speaker.away_within(SPEAKER_LEAVES_S)
        if self._announcing_since() is not None:
            await self._farewell.leave(self._follow_up)
        self._ending = True
        self._events.put_nowait(self._demand())
        await self._at_rest.wait()
        log.info("everything ended")
