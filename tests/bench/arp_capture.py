"""When an address was announced on the LAN, and by whom: broadcast ARP whose sender is the address itself.

Seen by an AF_PACKET socket of a client's namespace, at the kernel's receive timestamps.
"""

import socket
import time
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Self

from orchestrator.lab.namespaces import Namespace
from orchestrator.packet import arp
from orchestrator.packet.ethernet import TYPE_ARP
from tests.bench.bgp_capture import BUFFER_OCTETS, SO_TIMESTAMPNS, kernel_time

FRAME_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Announcement:
    """`instant` is in seconds since the epoch."""

    instant: float
    address: bytes
    mac: bytes


class ArpCapture:
    """A socket on one interface of a namespace."""

    def __init__(self, namespace: Namespace, interface: str) -> None:
        self._socket = namespace.inside(lambda: _open(interface))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def forget(self) -> None:
        """Discard what has been received."""
        self._socket.settimeout(0)
        while self._next() is not None:
            pass

    def first(self, address: IPv4Address, macs: Collection[bytes], limit_s: float) -> Announcement:
        """Return the next announcement of the address by one of `macs`. Raises TimeoutError."""
        return self.each({address}, macs, limit_s)[0]

    def each(self, addresses: Collection[IPv4Address], macs: Collection[bytes], limit_s: float) -> list[Announcement]:
        """Return the next announcement of every address by one of `macs`, in their order. Raises TimeoutError."""
        missing = {address.packed for address in addresses}
        found: list[Announcement] = []
        deadline = time.monotonic() + limit_s
        while missing:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            if (announcement := self._next()) is None:
                raise TimeoutError(f"{len(missing)} of {len(addresses)} addresses not announced within {limit_s:g} s")
            if announcement.mac in macs and announcement.address in missing:
                missing.remove(announcement.address)
                found.append(announcement)
        return found

    def _next(self) -> Announcement | None:
        """The next frame as if it were an announcement: others have an address that nobody waits for."""
        try:
            frame, ancillary, _, _ = self._socket.recvmsg(FRAME_LIMIT, 64)
        except (BlockingIOError, TimeoutError):
            return None
        announced = frame[arp.SENDER_ADDRESS] if frame[arp.SENDER_ADDRESS] == frame[arp.TARGET_ADDRESS] else b""
        return Announcement(kernel_time(ancillary), announced, frame[arp.SENDER_MAC])


def _open(interface: str) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
    opened.bind((interface, TYPE_ARP))
    return opened
