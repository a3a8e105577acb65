"""Frames that come in on an interface of a namespace, with the kernel's receive timestamps (seconds since the epoch)."""

import socket
import struct
from typing import Self

from orchestrator.lab.namespaces import Namespace

SO_TIMESTAMPNS = 35
BUFFER_OCTETS = 8 * 1024 * 1024


class Capture:
    """An AF_PACKET socket for one kind of frame; those that go out are not seen."""

    def __init__(self, namespace: Namespace, interface: str, ethertype: int, frame_limit: int) -> None:
        self._limit = frame_limit
        self._socket = namespace.inside(lambda: _open(interface, ethertype))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def forget(self) -> None:
        """Discard what has been received."""
        while self.next_frame(0) is not None:
            pass

    def next_frame(self, limit_s: float) -> tuple[float, bytes] | None:
        """Return the next frame and when it was received; None if none comes within the limit."""
        self._socket.settimeout(limit_s)
        try:
            frame, ancillary, _, _ = self._socket.recvmsg(self._limit, 64)
        except (BlockingIOError, TimeoutError):
            return None
        return kernel_time(ancillary), frame


def kernel_time(ancillary: list[tuple[int, int, bytes]]) -> float:
    """Return when the kernel received the frame, seconds since the epoch."""
    seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
    return float(seconds) + float(nanoseconds) / 1e9


def _open(interface: str, ethertype: int) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
    opened.bind((interface, ethertype))
    return opened
