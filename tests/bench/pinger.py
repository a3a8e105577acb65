"""Asks who has an address, by ARP or NDP, and takes the time until the reply: just before `send` to the kernel's
receive timestamp.

One thread: at 10 000/s Python spends a third of its time on sending and receiving.
"""

import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.net.addresses import IpAddress
from orchestrator.net.link import MacAddress
from tests.bench.capture import BUFFER_OCTETS, SO_TIMESTAMPNS, kernel_time
from tests.bench.questions import questions

FRAME_LIMIT = 128
GRACE_S = 0.3
"""How long after the last request replies still count."""
WINDOW = 64
MANY = 1 << 24
SPIN_S = 0.0005
"""Requests that follow each other faster than this are waited for with a busy core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What became of requests at an even pace; latencies in seconds."""

    sent: int
    duration_s: float
    latencies: Sequence[float]


class Pinger:
    """One raw socket on `eth0` of a namespace; the addresses are of one family."""

    def __init__(self, namespace: Namespace, addresses: Sequence[IpAddress], senders: int = MANY) -> None:
        """From how many addresses to ask: the kernel notes each in its neighbor table, which holds 1024 of all."""
        self._senders = senders
        mac = MacAddress.parse(namespaces.mac_address(namespace, "eth0"))
        self._questions = questions(mac.octets, addresses)
        self._socket = namespace.inside(lambda: _open(self._questions.ethertype))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def one_by_one(self, count: int, pause_s: float, limit_s: float = 1.0) -> list[float]:
        """Return latencies in seconds; a request that is not answered raises TimeoutError."""
        latencies = []
        for number in range(count):
            time.sleep(pause_s)
            self._socket.settimeout(limit_s)
            started = time.time()
            self._socket.send(self._ask(number))
            answered = self._receive()
            while answered is not None and answered[0] != number % self._senders:
                answered = self._receive()
            if answered is None:
                raise TimeoutError(f"request {number} was not answered within {limit_s:g} s")
            latencies.append(answered[1] - started)
        return latencies

    def flood(self, rate: int, duration_s: float) -> Flood:
        """Send `rate` requests per second without waiting for replies; what comes too late is caught up with."""
        self._socket.settimeout(0)
        count = int(rate * duration_s)
        instants, replies = [0.0] * count, [0.0] * count
        begin, sent = time.monotonic(), 0
        while sent < count:
            ahead_s = begin + sent / rate - time.monotonic()
            if ahead_s <= 0:
                instants[sent] = time.time()
                self._socket.send(self._ask(sent))
                sent += 1
            elif 1 / rate > SPIN_S:
                select.select([self._socket], [], [], ahead_s)
            self._collect(replies, sent)
        duration_s = time.monotonic() - begin
        while (left_s := begin + duration_s + GRACE_S - time.monotonic()) > 0:
            select.select([self._socket], [], [], left_s)
            self._collect(replies, sent)
        answered = [reply - instant for instant, reply in zip(instants, replies, strict=True) if reply]
        return Flood(sent=sent, duration_s=duration_s, latencies=answered)

    def saturate(self, duration_s: float) -> float:
        """Return replies per second while WINDOW requests are always on their way."""
        requests = [self._ask(number) for number in range(WINDOW)]
        self._socket.settimeout(1.0)
        received = 0
        begin = time.monotonic()
        for request in requests:
            self._socket.send(request)
        while (now := time.monotonic()) < begin + duration_s:
            if self._questions.sender_of(self._socket.recv(FRAME_LIMIT)) >= 0:
                self._socket.send(requests[received % WINDOW])
                received += 1
        return received / (now - begin)

    def _ask(self, number: int) -> bytes:
        return self._questions.ask(number, number % self._senders)

    def _collect(self, replies: list[float], sent: int) -> None:
        """A reply belongs to the last request that this sender has sent."""
        while (received := self._receive()) is not None:
            sender, instant = received
            if 0 <= sender < sent:
                replies[sent - 1 - (sent - 1 - sender) % self._senders] = instant

    def _receive(self) -> tuple[int, float] | None:
        """Return whom the next frame replies to and when, -1 if it is no reply; None if there is none."""
        try:
            frame, ancillary, _, _ = self._socket.recvmsg(FRAME_LIMIT, 64)
        except (BlockingIOError, TimeoutError):
            return None
        return self._questions.sender_of(frame), kernel_time(ancillary)


def _open(ethertype: int) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
    opened.bind(("eth0", ethertype))
    return opened
