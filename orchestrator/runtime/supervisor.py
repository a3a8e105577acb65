"""
`ferrule supervise`: the processes of one node beside the speaker.

`fsm.supervision` decides, `runtime.children` carries out; this loop joins them with the speaker's socket, the clock and
the documents in the run folder. The responder always runs. Daemons run when the speaker asks for them and their
documents lie there: bgpd never starts empty. Without a speaker the last documents do, if they are not too old.

While a speaker is connected nothing is written to bgpd. When it stays away, its routes are de-preferred (or withdrawn,
if told so): they may be out of date. When it is back its own difference undoes that.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from orchestrator.apply.control import LineConnection, serve_lines
from orchestrator.apply.vty import VtyClient
from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm import supervisor_api
from orchestrator.fsm.supervision import Demand, Event, Phase, Program, Supervision, Tick, next_deadline, step
from orchestrator.fsm.supervisor_api import Restarting, Wanted
from orchestrator.runtime import farewell
from orchestrator.runtime.children import Children, Recipe
from orchestrator.runtime.farewell import Follow
from orchestrator.runtime.supervisor_pages import Pages
from orchestrator.settings import StaleRoutesAction, SupervisorSettings
from orchestrator.supervise import frr, leftovers
from orchestrator.supervise.process import Output

log = structlog.get_logger()

RESPONDER = Program(name="responder")
NO_SPEAKER_S = 30.0
"""How long the speaker may take for its first demand before the last documents are used."""
DOCUMENT_AGE_S = 3600.0
"""Documents that were not confirmed for longer are not used without a speaker."""
SPEAKER_LEAVES_S = 5.0
END_LIMIT_S = 1.5
"""Between TERM and KILL; FRR's daemons need 20 ms."""
RETRY_S = 1.0


async def run(settings: SupervisorSettings) -> None:
    """Supervise until SIGTERM or SIGINT, then end everything in order. Raises StartupError."""
    frr.prepare_folder(settings.run.path)
    with leftovers.exclusive(settings.run.path):
        _clear(settings)
        pages = Pages(settings.http_port) if settings.http_port else None
        await Supervisor(settings, pages).run()
        _clear(settings)


def _clear(settings: SupervisorSettings) -> None:
    """End what a killed supervisor left behind, then remove the sockets and pid files that are nobody's any more."""
    for child in leftovers.reap(leftovers.read_children(settings.run.children), END_LIMIT_S):
        log.warning("process of an earlier supervisor ended", daemon=child.name, pid=child.pid)
        frr.clear_scratch(child.name, child.pid)
    leftovers.write_children(settings.run.children, ())
    for path in (*frr.stale_files(settings.run), settings.run.responder_socket, settings.run.supervisor_socket):
        path.unlink(missing_ok=True)


class Supervisor:
    """The loop. Everything happens in one event loop; only `_follow` changes the state."""

    def __init__(self, settings: SupervisorSettings, pages: Pages | None) -> None:
        self._settings = settings
        self._pages = pages
        self._installation = frr.Installation(binaries=settings.frr_binaries, files=settings.run)
        self._state = Supervision()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._wanted: tuple[str, ...] | None = None
        self._problems: Mapping[str, str] = {}
        self._speaker: LineConnection | None = None
        self._follow_up = Follow.NOTHING
        self._ending = False
        self._present = asyncio.Event()
        self._away = asyncio.Event()
        self._stop = asyncio.Event()
        self._at_rest = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self._away.set()
        self._events.put_nowait(self._demand())
        async with asyncio.TaskGroup() as tasks:
            self._children = Children(self._settings.run.children, self._recipe, self._events.put_nowait, tasks)
            following = tasks.create_task(self._follow())
            watching = [
                tasks.create_task(serve_lines(self._settings.run.supervisor_socket, self._serve_speaker)),
                tasks.create_task(self._use_last_documents()),
                tasks.create_task(self._watch_speaker()),
            ]
            await self._stop.wait()
            await self._end_in_order()
            for task in (following, *watching):
                task.cancel()

    # the loop --------------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            before = self._state
            self._state, actions = step(before, await self._next_event(), time.monotonic())
            for action in actions:
                self._children.carry_out(action)
            if self._state.children != before.children:
                self._changed(before)

    async def _next_event(self) -> Event:
        """The next event; a Tick when a delay is over, the demand anew when a missing document may have come."""
        deadline = next_deadline(self._state)
        waits = [
            *([RETRY_S] if self._state.blocked else []),
            *([] if deadline is None else [deadline - time.monotonic()]),
        ]
        try:
            return await asyncio.wait_for(self._events.get(), min(waits, default=None))
        except TimeoutError:
            return self._demand() if self._state.blocked else Tick()

    def _changed(self, before: Supervision) -> None:
        for name, child in self._state.children.items():
            if child.phase is Phase.CRASH_LOOP and before.children[name].phase is not Phase.CRASH_LOOP:
                log.error("process dies again and again", daemon=name, failures=child.failures)
        if not self._state.wanted and not any(child.running for child in self._state.children.values()):
            self._at_rest.set()
        self._publish()

    def _demand(self) -> Demand:
        """What should run now, and what of it cannot because of its document; says so when that changes."""
        if self._ending:
            return Demand(())
        programs = frr.programs(self._installation, self._wanted or ())
        found = {program.name: frr.document_problem(self._settings.run, program.name) for program in programs}
        problems = {name: problem for name, problem in found.items() if problem is not None}
        for name, problem in problems.items():
            if self._problems.get(name) != problem:
                log.error("daemon cannot be started", daemon=name, reason=problem)
        self._problems = problems
        return Demand((RESPONDER, *programs), blocked=frozenset(problems))

    # the speaker -----------------------------------------------------------------------------------------------------

    async def _serve_speaker(self, connection: LineConnection) -> None:
        log.info("speaker connected")
        self._speaker, self._follow_up = connection, Follow.NOTHING
        self._away.clear()
        self._present.set()
        self._publish()
        try:
            async for line in connection.lines():
                self._hear(line)
        finally:
            self._speaker = None
            self._present.clear()
            self._away.set()
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
            case Wanted(node=node):
                log.error("speaker of another node refused", node=self._settings.node, reason=f"it is for {node}")
            case Restarting():
                self._follow_up = Follow.ANOTHER_SPEAKER

    def _want(self, daemons: tuple[str, ...]) -> None:
        if daemons != self._wanted:
            log.info("daemons wanted", daemons=daemons)
        self._wanted = daemons
        self._events.put_nowait(self._demand())

    def _publish(self) -> None:
        if self._pages is not None:
            self._pages.show(self._state)
        if self._speaker is not None:
            children = supervisor_api.report(self._state, self._children.pids)
            self._speaker.send(supervisor_api.encode(children))

    async def _use_last_documents(self) -> None:
        """The age of bgpd's document counts for all: the speaker writes or touches it last."""
        await asyncio.sleep(NO_SPEAKER_S)
        document = self._settings.run.daemon_conf(frr.BGPD)
        if self._wanted is not None or not document.exists():
            return
        age_s = time.time() - document.stat().st_mtime
        if age_s > DOCUMENT_AGE_S:
            log.warning("no speaker, and the last documents are too old to be used", seconds=round(age_s))
            return
        log.warning("no speaker, the last documents are used", seconds=round(age_s))
        self._want(tuple(name for name in frr.DAEMONS if self._settings.run.daemon_conf(name).exists()))

    async def _watch_speaker(self) -> None:
        if self._settings.stale_routes_action is StaleRoutesAction.NONE:
            return
        while True:
            await self._away.wait()
            if not await self._returns_within(self._settings.stale_after_s):
                action = self._settings.stale_routes_action
                log.error("speaker stays away, its routes are stale", reason=action.value)
                await self._act_on_stale_routes(action)

    async def _returns_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._present.wait(), seconds)
        return self._present.is_set()

    async def _act_on_stale_routes(self, action: StaleRoutesAction) -> None:
        """Once per bgpd: a restarted one has its routes back from the document."""
        done_for: float | None = None
        while not self._present.is_set():
            if self._bgpd_since != done_for and self._bgpd_since is not None:
                done_for = await self._act_once(action)
            await self._returns_within(RETRY_S)

    async def _act_once(self, action: StaleRoutesAction) -> float | None:
        since = self._bgpd_since
        act = farewell.deprefer if action is StaleRoutesAction.DEPREFER else farewell.withdraw
        try:
            await act(self._settings.run.vty(frr.BGPD))
        except (DaemonError, NotReady) as error:
            log.warning("stale routes could not be changed", reason=str(error))
            return None
        return since

    @property
    def _bgpd_since(self) -> float | None:
        """Since when bgpd is ready; None if it is not."""
        child = self._state.children.get(frr.BGPD)
        return child.ready_since if child else None

    # the end ---------------------------------------------------------------------------------------------------------

    async def _end_in_order(self) -> None:
        """At most 10 s: the speaker, the routes, then the processes, each within its limit."""
        log.info("end wanted", speaker="connected" if self._speaker else "away")
        if self._speaker is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._away.wait(), SPEAKER_LEAVES_S)
        if self._bgpd_since is not None:
            await farewell.leave(self._settings.run.vty(frr.BGPD), self._follow_up)
        self._ending = True
        self._events.put_nowait(self._demand())
        await self._at_rest.wait()
        log.info("everything ended")

    # programs --------------------------------------------------------------------------------------------------------

    def _recipe(self, program: Program) -> Recipe:
        return self._responder() if program == RESPONDER else self._daemon(program)

    def _responder(self) -> Recipe:
        socket = self._settings.run.responder_socket
        words = ("--run", str(self._settings.run.path), "--node", self._settings.node)
        return Recipe(
            command=(sys.executable, "-m", "orchestrator", "respond", *words, "--log-level", self._settings.log_level),
            output=Output.INHERITED,
            limit_s=END_LIMIT_S,
            prepare=partial(socket.unlink, missing_ok=True),
            probe=partial(_exists, socket),
            clear=lambda _pid: socket.unlink(missing_ok=True),
        )

    def _daemon(self, program: Program) -> Recipe:
        return Recipe(
            command=frr.command(self._installation, program),
            output=Output.FORWARDED,
            limit_s=END_LIMIT_S,
            prepare=partial(self._prepare, program.name),
            probe=partial(_answers, program.name, self._settings.run.vty(program.name)),
            clear=partial(frr.clear_scratch, program.name),
        )

    def _prepare(self, daemon: str) -> None:
        self._settings.run.vty(daemon).unlink(missing_ok=True)
        frr.write_start_file(self._settings.run, daemon)


async def _answers(daemon: str, vty: Path) -> None:
    """Raises NotReady while the daemon reads its document: it answers when that is in force."""
    client = await VtyClient.connect(daemon, vty, patience_s=0.0)
    client.close()


async def _exists(socket: Path) -> None:
    """A connection would be taken for a speaker's; the file is enough, as a stale one was removed before the start."""
    if not socket.exists():
        raise NotReady(f"{socket} is not there yet")
