"""One daemon's running configuration, brought to what a document says.

`running` is what the daemon was last known to run: read from it, then kept up to date from acknowledged answers. It is
read again after anything unexpected: a refusal, a broken connection, a restart, a change that reset sessions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from orchestrator.apply.frr_extras import SHOW_RUNNING, load
from orchestrator.apply.vty import VtyClient
from orchestrator.errors import DaemonError
from orchestrator.fsm.vty import Answer
from orchestrator.render.canonical import Line, parse, redact, version_in
from orchestrator.render.commands import Command, Impact, show_network
from orchestrator.render.difference import Difference, change_of, difference
from orchestrator.render.document import Daemon, FrrDocument
from orchestrator.render.extras import Objection, Trial, judge, taking_back

SENT_LIMIT_S = 2.0
SENT_TURN_S = 0.01
"""bgpd collects changes for 50 ms before it chooses paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What it took. `missing` are wanted lines that the daemon does not have afterwards, `stuck` are lines that it did not
    let go; `refused` are its words for these.
    """

    difference: Difference
    missing: frozenset[Line] = frozenset()
    stuck: frozenset[Line] = frozenset()
    refused: Sequence[tuple[Command, Answer]] = ()

    def words_for(self, line: Line) -> str:
        """The daemon's words about a line, or about what it depends on."""
        about = (answer for command, answer in self.refused if line.text in command.text or command.text in line.text)
        answer = next(about, self.refused[0][1] if self.refused else None)
        return redact(answer.words) if answer else "it is not there afterwards"


class FrrDaemon:
    """One of bgpd, bfdd, zebra. `ours` are the lines that an earlier process of ours had rendered.

    `version` is the first number of its version, 0 while it is not known.
    """

    def __init__(self, name: Daemon, socket: Path, *, ours: frozenset[Line], patience_s: float) -> None:
        self.name = name
        self.version = 0
        self._socket = socket
        self._patience_s = patience_s
        self._client: VtyClient | None = None
        self._running: set[Line] | None = None
        self._text = ""
        self._applied: FrrDocument | None = None
        self._earlier = ours
        self._compare_all = True

    @property
    def running(self) -> frozenset[Line]:
        """The lines that it is known to run; empty while that is not known."""
        return frozenset(self._running or ())

    def close(self) -> None:
        """Forget the connection and what was known over it."""
        if self._client is not None:
            self._client.close()
        self._client = None
        self._running = None
        self._text = ""

    async def connected(self) -> VtyClient:
        """Return the connection; waits for a daemon that is starting. Raises NotReady."""
        if self._client is None:
            self._client = await VtyClient.connect(self.name, self._socket, patience_s=self._patience_s)
        return self._client

    async def show(self, command: str) -> str:
        """Return what a command prints. Raises NotReady or DaemonError."""
        client = await self.connected()
        try:
            return await client.run(command)
        except DaemonError:
            self.close()
            raise

    async def ping(self) -> None:
        """Return when the daemon answers. Raises NotReady or DaemonError."""
        await self.show("echo PING")

    async def read(self) -> frozenset[Line]:
        """Return the running configuration, read now; the next `bring` compares all of it.

        A text that is the same as before, with nothing sent since, tells nothing new: at 5000 prefixes an idle audit
        would hold the loop up for 50 ms, and with it whatever changes just then.
        """
        text = await self.show(SHOW_RUNNING)
        if text != self._text:
            self._running = set(parse(text))
            self._text = text
            self.version = version_in(text)
            self._compare_all = True
        return self.running

    async def try_out(self, text: str) -> Trial:
        """Load a text of `bgpextras`; what cannot be used is taken back. Raises NotReady or DaemonError."""
        client = await self.connected()
        try:
            trial = await load(client, text)
            if isinstance(judge(trial), Objection):
                await client.configure(taking_back(trial).commands)
        except DaemonError:
            self.close()
            raise
        await self.read()
        return trial

    async def bring(self, document: FrrDocument) -> Brought:
        """Make the daemon run the document. Raises NotReady or DaemonError; then nothing is known any more."""
        if self._running is None:
            await self.read()
        found = self._difference(document)
        refused = await self._carry_out(found)
        self._note(found)
        self._applied = document
        if not refused and found.impact < Impact.SESSION:
            return Brought(difference=found)
        return await self._verified(document, found, refused)

    def _note(self, found: Difference) -> None:
        if self._running is not None:
            self._running -= found.gone
            self._running |= found.come
            self._compare_all = False

    def _difference(self, document: FrrDocument) -> Difference:
        applied, running = self._applied, self._running or set()
        if applied is None or self._compare_all:
            ours = self._earlier if applied is None else applied.lines(self.name)
            return difference(running, document.lines(self.name), ours)
        changed = document.changed_since(applied)
        return change_of(
            running, document.lines_of_blocks(changed, self.name), applied.lines_of_blocks(changed, self.name)
        )

    async def _carry_out(self, found: Difference) -> Sequence[tuple[Command, Answer]]:
        if not found.covering:
            return await self._send(found.commands) if found.commands else ()
        refused = [*await self._send(found.commands[: found.pause])]
        await self._sent(found.covering)
        return [*refused, *await self._send(found.commands[found.pause :])]

    async def _sent(self, networks: Sequence[Line]) -> None:
        """Return when peers have been sent these networks, or after SENT_LIMIT_S: they may be down, or refuse them.

        bgpd works its queue off in order and then sends, so the last one of each family is asked for.
        """
        newest = {line.context: line for line in networks}
        policy = AsyncRetrying(
            retry=retry_if_result(lambda text: '"bestpath"' not in text),
            wait=wait_fixed(SENT_TURN_S),
            stop=stop_after_delay(SENT_LIMIT_S),
            retry_error_callback=lambda _: "",
        )
        for line in newest.values():
            await policy(self.show, show_network(line))

    async def _send(self, commands: Sequence[Command]) -> Sequence[tuple[Command, Answer]]:
        self._text = ""
        client = await self.connected()
        try:
            return await client.configure(commands)
        except DaemonError:
            self.close()
            raise

    async def _verified(
        self, document: FrrDocument, found: Difference, refused: Sequence[tuple[Command, Answer]]
    ) -> Brought:
        running = await self.read()
        return Brought(
            difference=found,
            missing=document.lines(self.name) - running,
            stuck=(found.gone - found.come) & running,
            refused=refused,
        )
