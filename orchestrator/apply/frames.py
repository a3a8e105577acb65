"""Raw sockets, one per interface and family, that receive ARP, or NDP's two messages about neighbors, and nothing else.

Replies are let through as well as requests: another owner's announcement may be either. The filter is attached before
the socket is bound, so that no other frame slips in; our own frames are never seen.
"""

import socket
import struct
from array import array
from contextlib import ExitStack
from dataclasses import dataclass

from orchestrator.net.addresses import IpFamily
from orchestrator.packet import ndp
from orchestrator.packet.ethernet import TYPE_ARP, TYPE_IPV6

SO_ATTACH_FILTER = 26
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23

BUFFER_OCTETS = 8 * 1024 * 1024
"""A burst of 5000 announcements, or of requests while the process is descheduled, fits."""
FRAME_LIMIT = 2048

LOAD_WORD, LOAD_HALF, LOAD_OCTET = 0x20, 0x28, 0x30
JUMP_IF_EQUAL, JUMP_IF_GREATER = 0x15, 0x25
RETURN = 0x06
"""linux/filter.h: absolute loads, jumps on constants, return of a constant."""

Step = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Protocol:
    """What a socket is bound to, and its filter: (operation, steps to skip if true, if false, constant)."""

    ethertype: int
    program: tuple[Step, ...]


_ARP = _Protocol(
    TYPE_ARP,
    (
        (LOAD_HALF, 0, 0, 12),
        (JUMP_IF_EQUAL, 0, 5, TYPE_ARP),
        (LOAD_WORD, 0, 0, 14),
        (JUMP_IF_EQUAL, 0, 3, 0x00010800),  # Ethernet, IPv4
        (LOAD_HALF, 0, 0, 20),
        (JUMP_IF_GREATER, 1, 0, 2),  # neither request nor reply
        (RETURN, 0, 0, FRAME_LIMIT),
        (RETURN, 0, 0, 0),
    ),
)
_NDP = _Protocol(
    TYPE_IPV6,
    (
        (LOAD_HALF, 0, 0, 12),
        (JUMP_IF_EQUAL, 0, 6, TYPE_IPV6),
        (LOAD_OCTET, 0, 0, 20),
        (JUMP_IF_EQUAL, 0, 4, ndp.NEXT_HEADER),  # directly: with a header in between it is not valid
        (LOAD_OCTET, 0, 0, ndp.ICMP_AT),
        (JUMP_IF_EQUAL, 1, 0, ndp.SOLICITATION),
        (JUMP_IF_EQUAL, 0, 1, ndp.ADVERTISEMENT),
        (RETURN, 0, 0, FRAME_LIMIT),
        (RETURN, 0, 0, 0),
    ),
)
_PROTOCOLS = {IpFamily.IPV4: _ARP, IpFamily.IPV6: _NDP}


def _attach_filter(target: socket.socket, steps: tuple[Step, ...]) -> None:
    """The kernel wants the address of the program; `array` tells where it is, and is loaded for less than ctypes."""
    program = array("B", b"".join(struct.pack("HBBI", *step) for step in steps))
    address, _ = program.buffer_info()
    target.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(steps), address))


def _enlarge(target: socket.socket, forced: int, ordinary: int) -> None:
    """Beyond the host's limit if we may (CAP_NET_ADMIN), else up to it."""
    try:
        target.setsockopt(socket.SOL_SOCKET, forced, BUFFER_OCTETS)
    except PermissionError:
        target.setsockopt(socket.SOL_SOCKET, ordinary, BUFFER_OCTETS)


def _open() -> socket.socket:
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    except PermissionError as error:
        raise PermissionError(error.errno, f"{error.strerror}: raw sockets take CAP_NET_RAW") from error


class FrameSocket:
    """Receives and sends whole frames of ARP (IPv4) or NDP (IPv6) on one interface. Needs CAP_NET_RAW."""

    def __init__(self, index: int, family: IpFamily) -> None:
        """Raises OSError when the interface is gone, or without the capability."""
        protocol = _PROTOCOLS[family]
        with ExitStack() as undo:
            opened = _open()
            undo.callback(opened.close)
            _attach_filter(opened, protocol.program)
            _enlarge(opened, SO_RCVBUFFORCE, socket.SO_RCVBUF)
            _enlarge(opened, SO_SNDBUFFORCE, socket.SO_SNDBUF)
            opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            opened.bind((socket.if_indextoname(index), protocol.ethertype))
            undo.pop_all()
        self._socket = opened

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        """Return the next frame, None if there is none now; a link that goes down is told by netlink, not here."""
        try:
            return self._socket.recv(FRAME_LIMIT)
        except OSError:
            return None

    def send(self, frame: bytes) -> bool:
        """Return whether the kernel took the frame: a link that is going down or a full queue refuses."""
        try:
            self._socket.send(frame)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()
