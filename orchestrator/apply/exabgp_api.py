"""The connection to ExaBGP's API: commands out, their answers awaited in order, events handed on as they come."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.exabgp_api import DAEMON, SHOW_SESSIONS, Answer, Decoder, Event, encode

ANSWER_TIMEOUT_S = 30.0
"""5000 prefixes one by one take 3 s; one that says nothing for this long is stuck."""
COMMANDS_AT_ONCE = 50


class ExabgpClient(asyncio.Protocol):
    """One connection. After a DaemonError it is closed; what the daemon announces must be read again."""

    def __init__(self, on_loss: Callable[[], None], on_event: Callable[[Event], None]) -> None:
        self._on_loss = on_loss
        self._on_event = on_event
        self.answered = False
        self._decoder = Decoder()
        self._answers: deque[Answer] = deque()
        self._transport: asyncio.Transport | None = None
        self._arrived = asyncio.Event()
        self._lost = ""

    @classmethod
    async def connect(
        cls, path: Path, *, on_loss: Callable[[], None], on_event: Callable[[Event], None], patience_s: float
    ) -> "ExabgpClient":
        """Return a connection to a daemon that answers; `on_loss` is called once when it is lost, not when it is closed.

        Raises NotReady when `patience_s` have passed. The socket's file proves nothing: it may be a dead daemon's.
        """
        attempts = AsyncRetrying(
            retry=retry_if_exception_type((OSError, DaemonError)),
            wait=wait_exponential(multiplier=0.01, max=0.25),
            stop=stop_after_delay(patience_s),
            reraise=True,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await cls._open(path, on_loss, on_event)
        except (OSError, DaemonError) as error:
            raise NotReady(f"{DAEMON} does not answer at {path}: {error}") from error
        raise AssertionError("tenacity ends with a value or an exception")

    @classmethod
    async def _open(cls, path: Path, on_loss: Callable[[], None], on_event: Callable[[Event], None]) -> "ExabgpClient":
        loop = asyncio.get_running_loop()
        _, client = await loop.create_unix_connection(lambda: cls(on_loss, on_event), str(path))
        await client.run(SHOW_SESSIONS)
        client.answered = True
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for found in self._decoder.feed(data):
                if isinstance(found, Answer):
                    self._answers.append(found)
                else:
                    self._on_event(found)
        except DaemonError as error:
            self._lose(error.output)
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(str(exc or "the daemon closed the connection"))

    def _lose(self, reason: str) -> None:
        if not self._lost:
            self._lost = reason
            self._arrived.set()
            if self.answered:
                self._on_loss()
        self._end()

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close at once."""
        self._lost = self._lost or "closed"
        self._end()

    async def run(self, command: str) -> tuple[str, ...]:
        """Return the lines that a command prints. Raises DaemonError if it was refused."""
        (answer,) = await self.ask([command])
        if not answer.ok:
            raise DaemonError(DAEMON, _shortened(command), "refused; the reason is in its log")
        return answer.lines

    async def ask(self, commands: Sequence[str]) -> list[Answer]:
        """Send them and return their answers, whatever these say. Raises DaemonError if the connection breaks."""
        answers: list[Answer] = []
        for first in range(0, len(commands), COMMANDS_AT_ONCE):
            answers += await self._ask(commands[first : first + COMMANDS_AT_ONCE])
        return answers

    async def _ask(self, commands: Sequence[str]) -> list[Answer]:
        assert self._transport is not None
        self._transport.write(b"".join(map(encode, commands)))
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                while len(self._answers) < len(commands) and not self._lost:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            self._lose(f"no answer within {ANSWER_TIMEOUT_S:g} s")
        if self._lost:
            raise DaemonError(DAEMON, _shortened(commands[min(len(self._answers), len(commands) - 1)]), self._lost)
        return [self._answers.popleft() for _ in commands]


def _shortened(command: str) -> str:
    return command if len(command) < 100 else f"{command[:100]}..."
