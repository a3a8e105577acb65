"""One speaker per node: an abstract unix socket in the node's network namespace is the lock.

The kernel frees it with the process, so nothing can be left behind. Whoever comes second connects to it and waits for
the end of that connection, which is the end of the holder: no polling.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def hold(node: str, waiting: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the lock of `node` inside the block; calls `waiting` each time it has to wait for another holder."""
    lock = await _acquire(f"\0ferrule-speaker/{node}", waiting)
    connections: set[asyncio.StreamWriter] = set()

    async def keep(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)

    server = await asyncio.start_unix_server(keep, sock=lock)
    try:
        yield
    finally:
        server.close()
        for writer in connections:
            writer.close()


async def _acquire(name: str, waiting: Callable[[], None]) -> socket.socket:
    while True:
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            lock.bind(name)
        except OSError:
            lock.close()
        else:
            return lock
        waiting()
        await _until_released(name)


async def _until_released(name: str) -> None:
    """Return when the holder is gone, or never was there."""
    try:
        reader, writer = await asyncio.open_unix_connection(name)
    except ConnectionRefusedError:
        return
    try:
        await reader.read()
    except ConnectionError:
        return
    finally:
        writer.close()
