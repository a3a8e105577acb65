"""The connection to one daemon's vty socket: no process per command (0.4 ms instead of 40 ms with vtysh).

Context lines are sent one by one, each answer checked: after a context that fails, the following lines would run at
the wrong place. Leaf lines are pipelined. Passwords never leave this module in an error.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.vty import Answer, AnswerDecoder, encode
from orchestrator.render.canonical import Context, redact
from orchestrator.render.commands import Command

ANSWER_TIMEOUT_S = 30.0
"""A busy bgpd answers late; one that says nothing for this long is stuck."""
READ_SIZE = 1 << 18


class VtyClient:
    """One connection. After a DaemonError it is closed; the running configuration must be read again."""

    def __init__(self, daemon: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._daemon = daemon
        self._reader = reader
        self._writer = writer
        self._decoder = AnswerDecoder()

    @classmethod
    async def connect(cls, daemon: str, path: Path, *, patience_s: float) -> "VtyClient":
        """Return a connection to a daemon that answers PING. Raises NotReady when `patience_s` have passed.

        The socket's file proves nothing: it stays after the daemon has ended.
        """
        attempts = AsyncRetrying(
            retry=retry_if_exception_type((OSError, DaemonError)),
            wait=wait_exponential(multiplier=0.005, max=0.25),
            stop=stop_after_delay(patience_s),
            reraise=True,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await cls._open(daemon, path)
        except (OSError, DaemonError) as error:
            raise NotReady(f"{daemon} does not answer at {path}: {error}") from error
        raise AssertionError("tenacity ends with a value or an exception")

    @classmethod
    async def _open(cls, daemon: str, path: Path) -> "VtyClient":
        client = cls(daemon, *await asyncio.open_unix_connection(path))
        try:
            await client.ping()
            await client.run("enable")
        except DaemonError:
            client.close()
            raise
        return client

    def close(self) -> None:
        """Close at once; FRR keeps nothing of a connection."""
        self._writer.close()

    async def ping(self) -> None:
        """Return when the daemon has answered. Raises DaemonError."""
        answer = (await self.ask(["echo PING"]))[0]
        if answer.text.strip() != "PING":
            raise DaemonError(self._daemon, "connect", f"PING was answered by {answer.words!r}")

    async def run(self, command: str) -> str:
        """Return the text that a command prints. Raises DaemonError if it was refused."""
        answer = (await self.ask([command]))[0]
        if not answer.ok:
            raise DaemonError(self._daemon, redact(command), redact(answer.words))
        return answer.text

    async def ask(self, commands: Sequence[str]) -> list[Answer]:
        """Send all at once and return their answers, whatever these say. Raises DaemonError if the connection breaks."""
        waiting = len(commands)
        answers: deque[Answer] = deque()
        try:
            self._writer.write(b"".join(map(encode, commands)))
            while len(answers) < waiting:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    octets = await self._reader.read(READ_SIZE)
                if not octets:
                    raise ConnectionResetError("the daemon closed the connection")
                answers.extend(self._decoder.feed(octets))
        except (OSError, TimeoutError) as error:
            self.close()
            place = redact(commands[len(answers)])
            raise DaemonError(self._daemon, place, str(error) or type(error).__name__) from error
        return list(answers)

    async def configure(self, commands: Iterable[Command]) -> list[tuple[Command, Answer]]:
        """Send commands in order, each in its context, and return those that were refused, with the answer.

        Lines of a context that was refused are not sent; they come back with that context's answer.
        """
        refused: list[tuple[Command, Answer]] = []
        for members in _at_one_place(commands):
            failure = await self._enter(members[0].context)
            if failure is not None:
                refused.extend((member, failure) for member in members)
                continue
            answers = await self.ask([member.text for member in members])
            refused.extend((member, answer) for member, answer in zip(members, answers, strict=True) if not answer.ok)
        await self.ask(["end"])
        return refused

    async def _enter(self, context: Context | None) -> Answer | None:
        """Go to a context from wherever we are; returns the first answer that is no consent."""
        path = ["end"] if context is None else ["end", "configure terminal", *context]
        for line in path:
            answer = (await self.ask([line]))[0]
            if not answer.ok:
                return answer
        return None


def _at_one_place(commands: Iterable[Command]) -> Iterator[list[Command]]:
    """Yield runs of commands that can be sent without changing the context in between.

    A command that opens a context ends its run: in bfdd, `profile x` after `peer y` would set the peer's profile.
    """
    members: list[Command] = []
    for command in commands:
        if members and (members[-1].opens or members[-1].context != command.context):
            yield members
            members = []
        members.append(command)
    if members:
        yield members
