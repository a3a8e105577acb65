"""Asks by ARP and takes the time until the reply: just before `send` to the kernel's receive timestamp.

The number of a request stands in its sender address (10.0.0.0/8: the responder does not look at it), so replies find
their requests in any order. One thread: at 10 000/s Python spends a third of its time on sending and receiving.
"""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Self

from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.net.link import MacAddress
from orchestrator.packet import arp
from orchestrator.packet.ethernet import TYPE_ARP
from tests.bench.bgp_capture import BUFFER_OCTETS, SO_TIMESTAMPNS, kernel_time

NUMBERS = IPv4Address("10.0.0.0")
REPLY = arp.Operation.REPLY.value
FRAME_LIMIT = 128
GRACE_S = 0.3
"""How long after the last request replies still count."""
WINDOW = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What became of requests at an even pace; latencies in seconds."""

    sent: int
    duration_s: float
    latencies: Sequence[float]


class Pinger:
    """One raw socket on `eth0` of a namespace."""

    def __init__(self, namespace: Namespace, addresses: Sequence[IPv4Address]) -> None:
        mac = MacAddress(bytes.fromhex(namespaces.mac_address(namespace, "eth0").replace(":", "")))
        frames = (arp.request(mac, NUMBERS, address) for address in addresses)
        self._parts = [(frame[: arp.SENDER_ADDRESS.start], frame[arp.SENDER_ADDRESS.stop :]) for frame in frames]
        self._socket = namespace.inside(_open)

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
            self._socket.send(self._request(number))
            answered = self._receive()
            while answered is not None and answered[0] != number:
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
            if begin + sent / rate <= time.monotonic():
                instants[sent] = time.time()
                self._socket.send(self._request(sent))
                sent += 1
            self._collect(replies)
        duration_s = time.monotonic() - begin
        while time.monotonic() < begin + duration_s + GRACE_S:
            self._collect(replies)
        answered = [reply - instant for instant, reply in zip(instants, replies, strict=True) if reply]
        return Flood(sent=sent, duration_s=duration_s, latencies=answered)

    def saturate(self, duration_s: float) -> float:
        """Return replies per second while WINDOW requests are always on their way."""
        requests = [self._request(number) for number in range(WINDOW)]
        self._socket.settimeout(1.0)
        received = 0
        begin = time.monotonic()
        for request in requests:
            self._socket.send(request)
        while (now := time.monotonic()) < begin + duration_s:
            if self._socket.recv(FRAME_LIMIT)[arp.OPERATION] == REPLY:
                self._socket.send(requests[received % WINDOW])
                received += 1
        return received / (now - begin)

    def _request(self, number: int) -> bytes:
        head, tail = self._parts[number % len(self._parts)]
        return head + (int(NUMBERS) + number).to_bytes(4) + tail

    def _collect(self, replies: list[float]) -> None:
        while (received := self._receive()) is not None:
            number, instant = received
            if 0 <= number < len(replies):
                replies[number] = instant

    def _receive(self) -> tuple[int, float] | None:
        """Return number and time of the next reply, -1 as the number of another frame; None if there is none."""
        try:
            frame, ancillary, _, _ = self._socket.recvmsg(FRAME_LIMIT, 64)
        except (BlockingIOError, TimeoutError):
            return None
        number = int.from_bytes(frame[arp.TARGET_ADDRESS]) - int(NUMBERS) if frame[arp.OPERATION] == REPLY else -1
        return number, kernel_time(ancillary)


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
    opened.bind(("eth0", TYPE_ARP))
    return opened
