"""FrrAnnouncer: what FRR's daemons of one node run is what the rendered document says.

One engine for start, change, drift and partial failure: read what runs, compute the difference, send it, take the
answers. The document is written to files as well: whole for people, in parts for daemons that start. A line that a
daemon refuses takes out the blocks of the objects that it came from; the rest is applied.

A change of routes is sent before the files are written (writing 10 000 prefixes takes 60 ms); a change of sessions
after, so that a daemon which starts meanwhile has them.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import structlog

from orchestrator.apply.drift import Drift
from orchestrator.apply.files import read_file, write_file
from orchestrator.apply.frr_daemon import Brought, FrrDaemon
from orchestrator.apply.vty import VtyClient
from orchestrator.errors import DaemonError, NotReady
from orchestrator.net.bgp import RouterId
from orchestrator.render.canonical import Line, parse, redact
from orchestrator.render.commands import Impact
from orchestrator.render.document import DAEMONS, Block, BlockKey, Daemon, FrrDocument
from orchestrator.render.extras import Trial
from orchestrator.render.policies import sequences_in
from orchestrator.render.router_id import router_id_in
from orchestrator.render.views import Leg, legs_in
from orchestrator.resources.meta import ObjectRef

PATIENCE_S = 10.0
"""How long a daemon may take to start; a large document takes bgpd 1 s."""
ROUNDS = 5
"""Each takes out the objects of refused lines; a daemon that refuses more than this is not ours to configure."""
ROUTE_BLOCKS = ("network ", "policy ", "clause ")

log = structlog.get_logger()


class RunFiles(Protocol):
    """Where the files and sockets of a node are (settings.RunFolder)."""

    @property
    def frr_conf(self) -> Path: ...

    @property
    def frr_sockets(self) -> Path | None: ...

    def daemon_conf(self, daemon: str) -> Path: ...

    def vty(self, daemon: str) -> Path: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A line that a daemon did not take, its words, and the objects that were taken out for it."""

    daemon: Daemon
    line: str
    words: str
    origins: tuple[ObjectRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """What an apply did. `foreign` and `held` are told when the running configuration was read, and new to us."""

    impact: Impact = Impact.NONE
    commands: int = 0
    refusals: tuple[Refusal, ...] = ()
    foreign: tuple[Line, ...] = ()
    held: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """What an audit found. `restored` lines had gone and were put back; `failing` ones went for the third time within a
    minute and are left as they are; `foreign` and `held` are new since the last look.
    """

    restored: tuple[Line, ...] = ()
    failing: tuple[Line, ...] = ()
    foreign: tuple[Line, ...] = ()
    held: tuple[Line, ...] = ()


@dataclass(slots=True)
class _Tally:
    impact: Impact = Impact.NONE
    commands: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    foreign: list[Line] = field(default_factory=list)
    held: list[Line] = field(default_factory=list)

    def add(self, brought: Brought) -> None:
        found = brought.difference
        self.impact = max(self.impact, found.impact)
        self.commands += len(found.commands)
        self.foreign.extend(found.foreign)
        self.held.extend(found.held)


class FrrAnnouncer:
    """Applies documents to the daemons of one run folder. `gid` is the group that the daemons run as.

    `on_written` is told which daemons are needed as soon as their files lie there: now they can be started.
    """

    def __init__(
        self,
        files: RunFiles,
        *,
        gid: int,
        patience_s: float = PATIENCE_S,
        on_written: Callable[[tuple[Daemon, ...]], None] | None = None,
    ) -> None:
        self._files = files
        self._gid = gid
        self._on_written = on_written
        self._kept_texts: Mapping[Daemon, str] = {name: read_file(files.daemon_conf(name)) for name in DAEMONS}
        earlier = {name: parse(text) for name, text in self._kept_texts.items()}
        self._daemons: Mapping[Daemon, FrrDaemon] = {
            name: FrrDaemon(name, files.vty(name), ours=earlier[name], patience_s=patience_s) for name in DAEMONS
        }
        self._kept_sequences = sequences_in(earlier["bgpd"])
        self._kept_router_id = router_id_in(earlier["bgpd"])
        self._kept_legs = legs_in(earlier["bfdd"])
        self._written: FrrDocument | None = None
        self._applied: FrrDocument | None = None
        self._left_out: dict[BlockKey, Block] = {}
        self._refusals: dict[BlockKey, Refusal] = {}
        self._reported: set[Line] = set()
        self._drift = Drift()
        self._busy = asyncio.Lock()

    @property
    def kept_sequences(self) -> Mapping[int, int]:
        """Clause numbers of an earlier process' document, for the first one of this process."""
        return self._kept_sequences

    @property
    def kept_router_id(self) -> RouterId | None:
        """The router id of an earlier process' document."""
        return self._kept_router_id

    @property
    def kept_texts(self) -> Mapping[Daemon, str]:
        """An earlier process' document, for the lines of peers that cannot be rendered now."""
        return self._kept_texts

    @property
    def version(self) -> int:
        """The first number of bgpd's version, 0 while it is not known."""
        return self._daemons["bgpd"].version

    @property
    def kept_legs(self) -> tuple[Leg, ...]:
        """What an earlier process' document knew of the node's addresses."""
        return self._kept_legs

    async def apply(self, document: FrrDocument) -> ApplyResult:
        """Make the daemons run the document; returns when they have acknowledged it.

        Raises NotReady while a needed daemon does not answer (the files are written by then), DaemonError if one breaks
        off or refuses what no object can be blamed for. Either way the next call starts from what really runs.
        """
        async with self._busy:
            return await self._apply(document)

    async def _apply(self, document: FrrDocument) -> ApplyResult:
        self._admit_changed(document)
        usable = document.without(self._left_out)
        if self._changes_sessions(usable):
            self._write(usable)
        tally = _Tally()
        try:
            usable = await self._bring_all(usable, tally)
        finally:
            if usable is not self._written:
                self._write(usable)
        self._applied = usable
        self._close_unneeded(document)
        return ApplyResult(
            impact=tally.impact,
            commands=tally.commands,
            refusals=tuple(self._refusals.values()),
            foreign=self._unreported(tally.foreign),
            held=self._unreported(tally.held),
        )

    def _admit_changed(self, document: FrrDocument) -> None:
        """A block that was left out is tried again when it differs."""
        for key, block in tuple(self._left_out.items()):
            if document.blocks.get(key) is not block:
                del self._left_out[key]
                self._refusals.pop(key, None)

    def _changes_sessions(self, document: FrrDocument) -> bool:
        if self._written is None or self._written.daemons != document.daemons:
            return True
        return any(not key.startswith(ROUTE_BLOCKS) for key in document.changed_since(self._written))

    async def _bring(self, daemon: FrrDaemon, document: FrrDocument, tally: _Tally) -> FrrDocument:
        """Return what the daemon runs now: the document, less the objects of lines that it refused."""
        if daemon.name == "zebra" and not document.lines("zebra"):
            return document
        for _ in range(ROUNDS):
            brought = await daemon.bring(document)
            tally.add(brought)
            if not brought.missing and not brought.stuck:
                return document
            document = self._leave_out(daemon, document, brought)
        daemon.close()
        raise DaemonError(daemon.name, "configure", "it goes on refusing; see its log")

    def _leave_out(self, daemon: FrrDaemon, document: FrrDocument, brought: Brought) -> FrrDocument:
        keys: set[BlockKey] = set()
        for line in sorted(brought.missing):
            hit = document.holding([line])
            origins = tuple(sorted({origin for key in hit for origin in document.blocks[key].origins}))
            words = brought.words_for(line)
            if not origins:
                daemon.close()
                raise DaemonError(daemon.name, redact(line.text), words)
            refusal = Refusal(daemon=daemon.name, line=redact(line.text), words=words, origins=origins)
            log.error(
                "line refused", daemon=daemon.name, line=refusal.line, reason=words, objects=list(map(str, origins))
            )
            self._refusals[min(hit)] = refusal
            keys |= hit
        self._left_out |= {key: document.blocks[key] for key in keys}
        return document.without(keys)

    def _write(self, document: FrrDocument) -> None:
        write_file(self._files.frr_conf, document.text, self._gid)
        for name in DAEMONS:
            path = self._files.daemon_conf(name)
            if name in document.daemons:
                write_file(path, document.daemon_text(name), self._gid)
            else:
                path.unlink(missing_ok=True)
        self._written = document
        if self._on_written is not None:
            self._on_written(document.daemons)

    def _close_unneeded(self, document: FrrDocument) -> None:
        for name in DAEMONS:
            if name not in document.daemons:
                self._daemons[name].close()

    def _unreported(self, lines: Iterable[Line]) -> tuple[Line, ...]:
        new = tuple(line for line in lines if line not in self._reported)
        self._reported.update(new)
        return new

    async def audit(self, now: float) -> AuditResult:
        """Compare what runs with what was applied, and put back lines of ours that have gone.

        `now` is monotonic. Raises NotReady or DaemonError as `apply` does.
        """
        async with self._busy:
            if self._applied is None:
                return AuditResult()
            tally = _Tally()
            gone: list[Line] = []
            for name in self._applied.daemons:
                wanted = self._applied.lines(name)
                if wanted:
                    gone.extend(wanted - await self._daemons[name].read())
            failing = self._drift.failing(gone, now)
            if not failing:
                self._applied = await self._bring_all(self._applied, tally)
            return AuditResult(
                restored=() if failing else tuple(sorted(gone)),
                failing=failing,
                foreign=self._unreported(tally.foreign),
                held=self._unreported(tally.held),
            )

    async def _bring_all(self, document: FrrDocument, tally: _Tally) -> FrrDocument:
        for name in document.daemons:
            document = await self._bring(self._daemons[name], document, tally)
        for name in self._left_behind(document):
            with suppress(NotReady):  # one that does not run has no lines of ours
                document = await self._bring(self._daemons[name], document, tally)
        return document

    async def try_extras(self, text: str) -> Trial:
        """Load a text of `bgpextras` into the running bgpd, for want of another one. Raises NotReady or DaemonError.

        What it made stays until the next document, unless the text cannot be used.
        """
        async with self._busy:
            return await self._daemons["bgpd"].try_out(text)

    def _left_behind(self, document: FrrDocument) -> tuple[Daemon, ...]:
        """The daemons that are no longer needed, still have lines of ours, and run on: nobody of ours ends them."""
        if self._files.frr_sockets is None:
            return ()
        unneeded = (name for name in DAEMONS if name not in document.daemons)
        return tuple(
            name for name in unneeded if (self._applied.lines(name) if self._applied else self._kept_texts[name])
        )

    async def not_ready(self) -> tuple[str, ...]:
        """Return the reasons why the daemons do not run the document; empty when they do."""
        async with self._busy:
            if self._applied is None:
                return ("no document has been applied",)
            return tuple([why for name in self._applied.daemons if (why := await self._daemon_not_ready(name))])

    async def _daemon_not_ready(self, name: Daemon) -> str:
        assert self._applied is not None
        daemon = self._daemons[name]
        try:
            await daemon.ping()
        except (NotReady, DaemonError) as error:
            return str(error)
        missing = self._applied.lines(name) - daemon.running
        return f"{name}: {len(missing)} lines are missing, the first: {redact(str(min(missing)))}" if missing else ""

    async def absent(self) -> tuple[str, ...]:
        """Return why needed daemons that get no line of ours do not answer now; of the others, an apply would tell."""
        if self._applied is None:
            return ()
        silent = [name for name in self._applied.daemons if not self._applied.lines(name)]
        return tuple([why for name in silent if (why := await self._not_answering(name))])

    async def _not_answering(self, name: Daemon) -> str:
        try:
            client = await VtyClient.connect(name, self._files.vty(name), patience_s=0.0)
        except NotReady as error:
            return str(error)
        client.close()
        return ""

    def close(self) -> None:
        """Close the connections; the daemons run on."""
        for daemon in self._daemons.values():
            daemon.close()
