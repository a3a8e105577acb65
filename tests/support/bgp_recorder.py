"""A passive BGP neighbor that writes down every UPDATE in the order of its arrival: what a router would have seen.

It accepts every session and sends nothing but OPEN and KEEPALIVEs, so what it has is exactly what went over the wire.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address

from orchestrator.lab.namespaces import Namespace
from orchestrator.net.addresses import Prefix
from tests.support.bgp_messages import (
    HEADER,
    KEEPALIVE,
    MARKER,
    OPEN,
    UPDATE,
    PathAttributes,
    Update,
    message,
    open_message,
    parse_update,
)

PORT = 179
HOLD_S = 180
TCP_MD5SIG = 14


@dataclass(frozen=True, slots=True)
class Seen:
    """A prefix of an UPDATE; `attributes` None is a withdrawal."""

    prefix: Prefix
    attributes: PathAttributes | None


class Recorder:
    """One address of a router. `asn` is what it says in the next OPEN; `sessions` counts those that came up.

    `seen` is everything since the last `forget`; `table` is what the neighbor has announced and not withdrawn.
    """

    def __init__(self, namespace: Namespace, address: str, *, asn: int = 65000, ports: Iterable[int] = (PORT,)) -> None:
        self.address = address
        self.asn = asn
        self.sessions = 0
        self.seen: list[Seen] = []
        self.table: dict[Prefix, PathAttributes] = {}
        self._ports = tuple(ports)
        self._namespace = namespace
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.StreamWriter] = set()
        self._up: asyncio.StreamWriter | None = None
        self._changed = asyncio.Event()

    @property
    def is_up(self) -> bool:
        return self._up is not None

    async def start(self) -> None:
        """Listen."""
        for port in self._ports:
            opened = self._namespace.inside(partial(_listening, self.address, port))
            self._sockets.append(opened)
            self._servers.append(await asyncio.start_server(self._serve, sock=opened))

    async def stop(self) -> None:
        """End what is there."""
        for server in self._servers:
            server.close()
        for writer in self._connections:
            writer.transport.abort()
        await self.until(lambda: not self._connections, 5.0)

    def expect_password(self, password: str, neighbors: Sequence[str]) -> None:
        """Speak to those of the neighbors that can reach it with TCP MD5 only (RFC 2385); an empty password ends that."""
        for opened in self._sockets:
            for neighbor in (each for each in neighbors if (":" in each) == (":" in self.address)):
                with suppress(FileNotFoundError):  # there was none
                    opened.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, _md5_key(neighbor, password.encode()))

    def forget(self) -> None:
        """Begin a new record."""
        self.seen.clear()

    async def until(self, condition: Callable[[], bool], limit_s: float) -> None:
        """Return when the condition holds; it is asked after every message. Raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self._keep_alive(writer))
                with suppress(OSError, EOFError):
                    await self._listen(reader, writer)
                keeping.cancel()
        finally:
            self._connections.discard(writer)
            if writer is self._up:
                self._up = None
                self.table.clear()
            self._changed.set()
            writer.transport.abort()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            header = await reader.readexactly(HEADER)
            assert header.startswith(MARKER), header
            length, kind = struct.unpack_from("!HB", header, len(MARKER))
            body = await reader.readexactly(length - HEADER)
            if kind == OPEN:
                writer.write(open_message(self.asn, HOLD_S, "10.99.0.254"))
                writer.write(message(KEEPALIVE))
            elif kind == KEEPALIVE and writer is not self._up:
                self._up = writer
                self.sessions += 1
                self.table.clear()
            elif kind == UPDATE:
                self._note(parse_update(body))
            self._changed.set()

    def _note(self, update: Update) -> None:
        for prefix in sorted(update.withdrawn, key=str):
            self.seen.append(Seen(prefix, None))
            self.table.pop(prefix, None)
        for prefix in sorted(update.announced, key=str):
            self.seen.append(Seen(prefix, update.attributes))
            self.table[prefix] = update.attributes

    async def _keep_alive(self, writer: asyncio.StreamWriter) -> None:
        """Often enough for the shortest hold time that there is."""
        while True:
            await asyncio.sleep(0.9)
            if writer is self._up:
                writer.write(message(KEEPALIVE))


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((address, port))
    opened.listen()
    opened.setblocking(False)
    return opened


def _md5_key(neighbor: str, key: bytes) -> bytes:
    """struct tcp_md5sig (linux/tcp.h): the peer's sockaddr_storage, flags, prefix length, key length, interface, key."""
    packed = ip_address(neighbor).packed
    start = struct.pack("=HH", socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, 0)
    address = start + (bytes(4) + packed if len(packed) == 16 else packed)
    return address.ljust(128, b"\0") + struct.pack("=BBHi80s", 0, 0, len(key), 0, key)
