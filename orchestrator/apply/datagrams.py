"""UDP sockets for the heartbeats between responders."""

import socket
from collections.abc import Collection
from contextlib import ExitStack, suppress

from orchestrator.net.addresses import IpFamily

DATAGRAM_LIMIT = 1024
Place = tuple[IpFamily, int]
"""A family and a port."""

_FAMILIES = {IpFamily.IPV4: socket.AF_INET, IpFamily.IPV6: socket.AF_INET6}


class DatagramSocket:
    """One family, any local address, one port."""

    def __init__(self, family: IpFamily, port: int) -> None:
        """Raises OSError when the port is taken."""
        with ExitStack() as undo:
            opened = socket.socket(_FAMILIES[family], socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            undo.callback(opened.close)
            if family is IpFamily.IPV6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.bind(("", port))
            undo.pop_all()
        self._socket = opened
        self._port = port

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        """Return the next datagram, None if there is none now."""
        try:
            return self._socket.recv(DATAGRAM_LIMIT)
        except BlockingIOError:
            return None

    def drain(self, limit: int) -> None:
        """Read and forget what has arrived, at most `limit` datagrams."""
        for _ in range(limit):
            if self.receive() is None:
                return

    def send(self, datagram: bytes, host: str) -> None:
        """Send to the same port of an address; one that cannot be reached now is the next heartbeat's matter."""
        with suppress(OSError):
            self._socket.sendto(datagram, (host, self._port))

    def close(self) -> None:
        self._socket.close()


def open_all(places: Collection[Place]) -> dict[Place, DatagramSocket]:
    """Return a socket per place. Raises OSError, with nothing left open."""
    opened: dict[Place, DatagramSocket] = {}
    try:
        for place in places:
            opened[place] = DatagramSocket(*place)
    except OSError:
        for each in opened.values():
            each.close()
        raise
    return opened
