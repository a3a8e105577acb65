"""One speaker per node and installation: an abstract unix socket in the node's network namespace is the lock.

The kernel frees it with the process, so nothing can be left behind. Whoever comes second connects to it and waits for
the end of that connection, which is the end of the holder: no polling. Two installations, each in its own namespace with
its own classes, have a speaker each on a node.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256

LONGEST_NAME = 107
"""Octets of an abstract name, beside the leading NUL."""


@asynccontextmanager
async def hold(namespace: str, node: str, waiting: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the lock of the installation in `namespace` on `node` inside the block.

    Calls `waiting` each time it has to wait for another holder.
    """
    lock = await _acquire(f"\0{_name(namespace, node)}", waiting)
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


def _name(namespace: str, node: str) -> str:
    """Names of nodes may be longer than a socket's; a hash keeps these apart."""
    name = f"ferrule-speaker/{namespace}/{node}"
    return name if len(name) <= LONGEST_NAME else f"ferrule-speaker/{sha256(name.encode()).hexdigest()}"


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
