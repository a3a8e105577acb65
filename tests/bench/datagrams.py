"""A client that sends a numbered datagram every millisecond, and the server that sends each one back.

The server runs as `python -m tests.bench.datagrams PORT`; the client is a thread in its own network namespace.
"""

import contextlib
import select
import socket
import sys
import threading
import time
from typing import Self

from orchestrator.lab.namespaces import Namespace

INTERVAL_S = 0.001
GRACE_S = 0.3
"""How long after the last datagram its reply still counts."""
NUMBER_OCTETS = 8


class DatagramStream:
    """1000 datagrams a second from a machine to an address, all of one flow; times are seconds since the epoch."""

    def __init__(self, machine: Namespace, address: str, port: int) -> None:
        self._machine = machine
        self._target = (address, port)
        self._sent: list[float] = []
        self._replied: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=machine.inside, args=(self._run,), name="datagrams")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def served(self) -> bool:
        """Whether the latest datagrams were answered."""
        return len(self._sent) > 1 and len(self._sent) - 2 in self._replied

    def lost_since(self, instant: float) -> int:
        """Return how many of the datagrams sent since then were never answered; ask after the end of the block."""
        return sum(sent >= instant and number not in self._replied for number, sent in enumerate(self._sent))

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as opened:
            opened.connect(self._target)
            begin = time.monotonic()
            while not self._stop.is_set():
                due = begin + len(self._sent) * INTERVAL_S
                if due <= time.monotonic():
                    self._send(opened)
                else:
                    self._receive(opened, due - time.monotonic())
            end = time.monotonic() + GRACE_S
            while (left := end - time.monotonic()) > 0:
                self._receive(opened, left)

    def _send(self, opened: socket.socket) -> None:
        number = len(self._sent)
        self._sent.append(time.time())
        with contextlib.suppress(OSError):  # an ICMP error about an earlier datagram: that one counts as lost
            opened.send(number.to_bytes(NUMBER_OCTETS))

    def _receive(self, opened: socket.socket, limit_s: float) -> None:
        if select.select([opened], [], [], max(limit_s, 0.0))[0]:
            with contextlib.suppress(OSError):
                self._replied.add(int.from_bytes(opened.recv(NUMBER_OCTETS)))


def serve(port: int) -> None:
    """Send every datagram back, until killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("", port))
        while True:
            datagram, sender = opened.recvfrom(2048)
            with contextlib.suppress(OSError):
                opened.sendto(datagram, sender)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
