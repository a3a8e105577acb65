"""Control sockets: one unix stream between the speaker and each of its two companions, one line per message.

Owns the transport only; the lines are made by `fsm.responder_api` and `fsm.supervisor_api`. The companion serves, the
speaker keeps connected (`apply.reconnecting`). A node has one speaker, so a server talks with one client: a newer connection ends the older
one, which may belong to a speaker that hangs.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NoReturn

LINE_LIMIT = 16 * 1024 * 1024
"""Octets of one line: a table of 50 000 addresses is about 4 MiB."""
UNREAD_LIMIT = 4 * LINE_LIMIT
"""Octets that the other side may leave unread before it counts as dead."""
CLOSE_LIMIT_S = 1.0


class LineConnection:
    """One open connection. `send` never waits; a peer that does not read is cut off."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield each line without its end; ends when the connection does or a line exceeds LINE_LIMIT."""
        while True:
            try:
                line = await self._reader.readline()
            except (ConnectionError, ValueError):
                return
            if not line.endswith(b"\n"):
                return
            yield line[:-1]

    def send(self, line: bytes) -> None:
        """Queue one line (without its end); on a lost connection it is dropped."""
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > UNREAD_LIMIT:
            self._writer.transport.abort()
            return
        self._writer.write(line + b"\n")

    async def close(self) -> None:
        """Send what is queued, then close; what is not taken within CLOSE_LIMIT_S is lost."""
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._writer.wait_closed()
        except (ConnectionError, TimeoutError):
            self._writer.transport.abort()


Handler = Callable[[LineConnection], Awaitable[None]]


async def serve_lines(path: Path, handler: Handler) -> NoReturn:
    """Serve until cancelled: `handler` runs for the newest connection and is cancelled when a newer one arrives.

    A socket file that is in the way is replaced, and left behind at the end: removing it could remove a successor's.
    Raises what the handler raises.
    """
    loop = asyncio.get_running_loop()
    with _listen(path) as listener:
        async with asyncio.TaskGroup() as tasks:
            current: asyncio.Task[None] | None = None
            while True:
                accepted, _ = await loop.sock_accept(listener)
                if current is not None:
                    current.cancel()
                    await asyncio.wait([current])
                current = tasks.create_task(_serve(accepted, handler))


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    listener.bind(str(path))
    path.chmod(0o660)
    listener.listen(4)
    return listener


async def _serve(accepted: socket.socket, handler: Handler) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=accepted, limit=LINE_LIMIT)
    await converse(LineConnection(reader, writer), handler)


async def converse(connection: LineConnection, handler: Handler) -> None:
    """Run `handler`, then close the connection. Raises what the handler raises."""
    try:
        await handler(connection)
    finally:
        await connection.close()
