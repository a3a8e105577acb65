"""ExabgpAnnouncer: what the ExaBGP of one node does is what the rendered document says.

Sessions are in the file (`exabgp_file`), which the daemon reads again when they differ. Routes go through the API: the difference to what was acknowledged, in batches. Whenever it is
not known what runs (a new connection, a restart of either side, a reload, a refusal), the daemon is asked for its
prefixes, all wanted ones are announced again (an equal one sends nothing) and only the rest is withdrawn.

ExaBGP 5.0.15 ignores a reload while any neighbor has updates that wait for its session, maybe for minutes (a wrong
password). So a neighbor that has never been up gets its routes when it is; and a reload that is ignored all the same is
asked for again and again while the routes of the live sessions go on.

A router that keeps routes over a restart drops those it was not sent again at the end-of-RIB (RFC 4724). ExaBGP would
send that as soon as the session is up, before anybody told it the routes; so such neighbors have `manual-eor`, and get
it from here, after their routes.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from orchestrator.apply.exabgp_api import ExabgpClient
from orchestrator.apply.exabgp_file import ExabgpFile, RunFiles, SectionRefusal
from orchestrator.apply.exabgp_sessions import SessionHistory, parse_sessions
from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.bgp_sessions import BgpSession
from orchestrator.fsm.exabgp_api import (
    DAEMON,
    RELOAD,
    SHOW_CONFIGURATION,
    SHOW_ROUTES,
    SHOW_SESSIONS,
    Event,
    SessionEvent,
    announce,
    end_of_rib,
    parse_route,
    withdraw,
)
from orchestrator.net.bgp import PrefixText, RouterId
from orchestrator.render.exabgp import ExabgpDocument, Routes
from orchestrator.render.exabgp_changes import route_change
from orchestrator.render.exabgp_sessions import legs_in, revisions_in, router_id_in
from orchestrator.render.views import Leg

PATIENCE_S = 10.0
RELOAD_LIMIT_S = 1.0
COMPARISON_S = 60.0
"""How often an audit reads the prefixes: nobody but us changes them, and 5000 take ExaBGP 0.1 s."""
RELOAD_TURN_S = 0.3
"""A reload takes 10 to 80 ms; one that was not done by then was forgotten, and is asked for again."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """What an apply did. `replayed`: all routes were announced anew because what ran was not known."""

    reloaded: bool = False
    replayed: bool = False
    commands: int = 0
    refusals: tuple[SectionRefusal, ...] = ()


class ExabgpAnnouncer:
    """Applies documents to the ExaBGP of one run folder. `validator` is the command line that a path is added to.

    `on_written` is told what is needed as soon as its file lies there; `on_news` that `apply` should be called again: the
    daemon has gone, or a neighbor is up.
    """

    def __init__(
        self,
        files: RunFiles,
        *,
        gid: int,
        validator: Sequence[str],
        on_written: Callable[[tuple[str, ...]], None] = lambda _: None,
        on_news: Callable[[], None] = lambda: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._files = files
        self._file = ExabgpFile(files, gid=gid, validator=validator, on_written=on_written)
        self._on_news = on_news
        self._patience_s = patience_s
        self._client: ExabgpClient | None = None
        self._loaded: ExabgpDocument | None = None
        self._running: dict[str, Routes] | None = None
        self._neighbors: frozenset[str] = frozenset()
        self._opened: set[str] = set()
        self._fresh: set[str] = set()
        self._history = SessionHistory()
        self._compared_at = -COMPARISON_S
        self._turns = count(1)
        self._busy = asyncio.Lock()

    @property
    def kept_text(self) -> str:
        """An earlier process' file, for the sections of peers that cannot be rendered now."""
        return self._file.kept_text

    @property
    def kept_router_id(self) -> RouterId | None:
        """The router id of an earlier process' file."""
        return router_id_in(self._file.kept_text)

    @property
    def kept_legs(self) -> tuple[Leg, ...]:
        """What an earlier process' file knew of the node's addresses."""
        return legs_in(self._file.kept_text)

    async def apply(self, document: ExabgpDocument) -> ApplyResult:
        """Make ExaBGP do what the document says; returns when it has acknowledged it.

        Raises NotReady while it does not answer (the file is written by then), DaemonError if it breaks off. Either way
        the next call starts from what really runs.
        """
        async with self._busy:
            usable = await self._file.write(document)
            result = ApplyResult(refusals=self._file.refusals)
            if not usable.sections:
                self.close()
                self._loaded = usable
                return result
            postponed, reloaded = "", False
            try:
                reloaded = await self._load(usable)
            except _ReloadIgnored as error:
                postponed = str(error)
            replayed = self._running is None
            sendable = await self._sendable(usable, postponed)
            fresh = frozenset(self._fresh & sendable.keys())
            commands = await (self._replay if replayed else self._change)(sendable)
            await self._end(usable, fresh)
            if postponed:
                raise NotReady(postponed)
            return replace(result, reloaded=reloaded, replayed=replayed, commands=commands)

    async def _load(self, document: ExabgpDocument) -> bool:
        """Have the daemon run these sessions; returns whether it had to read its file again."""
        if self._client is None:
            self.close()
            self._client = await ExabgpClient.connect(
                self._files.exabgp_socket, on_loss=self._lost, on_event=self._heard, patience_s=self._patience_s
            )
        if self._loaded is not None and self._loaded.sections == document.sections:
            return False
        wanted = {section.revision for section in document.sections.values()}
        reloaded = await self._revisions() != wanted
        if reloaded:
            await self._reload(wanted)
            self._running = None
        self._loaded = document
        return reloaded

    async def _reload(self, wanted: set[str]) -> None:
        """Raises _ReloadIgnored if the daemon goes on with other sessions."""
        policy = AsyncRetrying(
            retry=retry_if_exception_type(_ReloadIgnored), stop=stop_after_delay(RELOAD_LIMIT_S), reraise=True
        )
        async for attempt in policy:
            with attempt:
                await self._ask(RELOAD)
                await self._reloaded(wanted)

    async def _reloaded(self, wanted: set[str]) -> None:
        """Return when the daemon has these sessions. Raises _ReloadIgnored after RELOAD_TURN_S."""
        policy = AsyncRetrying(
            retry=retry_if_exception_type(_ReloadIgnored),
            wait=wait_fixed(0.01),
            stop=stop_after_delay(RELOAD_TURN_S),
            reraise=True,
        )
        async for attempt in policy:
            with attempt:
                if await self._revisions() != wanted:
                    raise _ReloadIgnored(
                        f"{DAEMON} goes on with the former sessions for now; some neighbor does not answer"
                    )

    async def _revisions(self) -> set[str]:
        return set(revisions_in("\n".join(await self._ask(SHOW_CONFIGURATION))))

    async def _sendable(self, document: ExabgpDocument, postponed: str) -> Mapping[str, Routes]:
        """Return what each neighbor of the daemon shall have now; none for one that was never up.

        While a reload is postponed neighbors that are down get nothing new: that would put it off further.
        """
        if self._running is not None and not postponed:
            return {name: self._if_opened(document, name) for name in document.routes}
        live = await self._look()
        there = live if postponed else self._neighbors
        return {name: self._if_opened(document, name) for name in document.routes if name in there}

    def _if_opened(self, document: ExabgpDocument, neighbor: str) -> Routes:
        return document.routes[neighbor] if neighbor in self._opened else {}

    async def _look(self) -> frozenset[str]:
        """Note which neighbors there are; returns those that are up."""
        sessions = parse_sessions((await self._ask(SHOW_SESSIONS))[0], self._history, {})
        self._neighbors = frozenset(session.neighbor for session in sessions)
        live = frozenset(session.neighbor for session in sessions if session.established)
        self._fresh |= live
        self._opened |= live | (await self._prefixes()).keys()
        return live

    async def _replay(self, wanted: Mapping[str, Routes]) -> int:
        """Announce everything, withdraw the rest, and see that it is there."""
        present = await self._prefixes()
        commands = [line for neighbor, routes in wanted.items() for line in announce(neighbor, routes)]
        for neighbor, routes in wanted.items():
            commands += withdraw(neighbor, present.get(neighbor, set()) - routes.keys())
        await self._carry_out(commands)
        self._running = dict(wanted)
        if commands and (missing := await self._missing()):
            self.close()
            raise DaemonError(DAEMON, "announce", f"not announced though acknowledged: {missing}")
        return len(commands)

    async def _change(self, wanted: Mapping[str, Routes]) -> int:
        running = self._running or {}
        changes = {
            neighbor: route_change(running.get(neighbor, {}), routes)
            for neighbor, routes in wanted.items()
            if running.get(neighbor) is not routes
        }
        commands = [line for to, change in changes.items() for line in withdraw(to, change.withdraw_first)]
        commands += [line for to, change in changes.items() for line in announce(to, change.announce)]
        turn = next(self._turns)
        commands += [line for to, change in changes.items() for line in withdraw(to, change.withdraw_last, turn)]
        await self._carry_out(commands)
        self._running = {**running, **wanted}
        return len(commands)

    async def _carry_out(self, commands: Sequence[str]) -> None:
        if not commands:
            return
        if self._client is None:
            raise NotReady(f"{DAEMON} is not connected")
        self._running = None
        answers = await self._client.ask(commands)
        refused = [command for command, answer in zip(commands, answers, strict=True) if not answer.ok]
        if refused:
            self.close()
            raise DaemonError(DAEMON, refused[0][:100], "refused; the reason is in its log")

    async def _end(self, document: ExabgpDocument, neighbors: frozenset[str]) -> None:
        """Send the end-of-RIB to those of these neighbors that wait for it; one that is down again gets it when it is up."""
        self._fresh -= neighbors
        waiting = sorted(neighbors & document.graceful.keys())
        commands = [line for neighbor in waiting for line in end_of_rib(neighbor, document.graceful[neighbor])]
        if commands and self._client is not None:
            await self._client.ask(commands)

    async def _prefixes(self) -> Mapping[str, set[PrefixText]]:
        """Return what the daemon has to announce, by neighbor."""
        found: defaultdict[str, set[PrefixText]] = defaultdict(set)
        for neighbor, prefix in map(parse_route, await self._ask(SHOW_ROUTES)):
            found[neighbor].add(prefix)
        return found

    async def _missing(self) -> str:
        """The first prefix that the daemon should have and has not; empty if it has all."""
        present = await self._prefixes()
        for neighbor, routes in (self._running or {}).items():
            for prefix in routes.keys() - present.get(neighbor, set()):
                return f"{prefix} to {neighbor}"
        return ""

    async def audit(self, now: float) -> None:
        """Raises DaemonError or NotReady where the daemon does not do what it should."""
        async with self._busy:
            if self._needed().sections and now - self._compared_at >= COMPARISON_S:
                self._compared_at = now
                await self._compare()

    async def sessions(self) -> tuple[BgpSession, ...]:
        """Return the sessions. Raises DaemonError or NotReady."""
        async with self._busy:
            if not self._needed().sections:
                return ()
            (text, *_) = await self._ask(SHOW_SESSIONS)
            sent = {neighbor: len(routes) for neighbor, routes in (self._running or {}).items()}
            return parse_sessions(text, self._history, sent)

    def _needed(self) -> ExabgpDocument:
        if self._loaded is None:
            raise NotReady(f"{DAEMON} has not taken the newest document yet")
        return self._loaded

    async def _compare(self) -> None:
        if missing := await self._missing():
            self._running = None
            raise DaemonError(DAEMON, "audit", f"it does not announce {missing} any more")

    async def _ask(self, command: str) -> tuple[str, ...]:
        if self._client is None:
            raise NotReady(f"{DAEMON} is not connected")
        return await self._client.run(command)

    def _lost(self) -> None:
        self.close()
        self._on_news()

    def _heard(self, event: Event) -> None:
        self._history.take([event])
        if isinstance(event, SessionEvent) and event.state == "up":
            self._opened.add(event.neighbor)
            self._fresh.add(event.neighbor)
            self._on_news()

    def close(self) -> None:
        """Close the connection and forget what was known over it; the daemon runs on."""
        client, self._client = self._client, None
        self._loaded = self._running = None
        self._opened.clear()
        self._fresh.clear()
        if client is not None:
            client.close()


class _ReloadIgnored(Exception):
    """The daemon has not read its file again."""
