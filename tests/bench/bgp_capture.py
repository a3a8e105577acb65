"""When a route went over the wire: BGP UPDATEs seen by an AF_PACKET socket, at the kernel's receive timestamps.

The parser takes each TCP segment for itself and looks for BGP's marker, so it neither reassembles nor needs to see the
beginning of a session; a message that begins in one segment and ends in the next is not found. A change of one route
is one short segment. IPv4 unicast only (RFC 4271 §4.3).
"""

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from orchestrator.lab.namespaces import Namespace
from tests.bench.capture import Capture

MARKER = b"\xff" * 16
UPDATE = 2
BGP_PORT = 179
ETHERTYPE_IPV4 = 0x0800
PROTOCOL_TCP = 6
ETHERNET_HEADER = 14
SEGMENT_LIMIT = 65_600
"""A veth pair hands on what TCP gave it, up to 64 KiB at once."""


@dataclass(frozen=True, slots=True)
class Update:
    """The IPv4 prefixes of one UPDATE."""

    announced: frozenset[IPv4Network]
    withdrawn: frozenset[IPv4Network]


def updates(payload: bytes) -> Iterator[Update]:
    """Return the UPDATEs that lie whole in a TCP payload."""
    start = payload.find(MARKER)
    while start >= 0 and start + 19 <= len(payload):
        length, kind = struct.unpack_from("!HB", payload, start + 16)
        if kind == UPDATE and start + length <= len(payload):
            yield _update(payload[start + 19 : start + length])
        start = payload.find(MARKER, start + max(length, 19))


def _update(body: bytes) -> Update:
    """RFC 4271 §4.3: withdrawn routes, path attributes, announced routes; the first two preceded by their length."""
    withdrawn_end = 2 + int.from_bytes(body[:2])
    attributes_end = withdrawn_end + 2 + int.from_bytes(body[withdrawn_end : withdrawn_end + 2])
    return Update(frozenset(_prefixes(body[attributes_end:])), frozenset(_prefixes(body[2:withdrawn_end])))


def _prefixes(octets: bytes) -> Iterator[IPv4Network]:
    """Length in bits, then as many octets as these need."""
    position = 0
    while position < len(octets):
        bits = octets[position]
        end = position + 1 + (bits + 7) // 8
        yield IPv4Network((octets[position + 1 : end].ljust(4, b"\0"), bits))
        position = end


def tcp_payload(frame: bytes) -> bytes:
    """Return the payload of a TCP segment of a BGP session in an Ethernet frame; empty for anything else."""
    packet = frame[ETHERNET_HEADER:]
    if frame[12:14] != ETHERTYPE_IPV4.to_bytes(2) or packet[9] != PROTOCOL_TCP:
        return b""
    segment = packet[(packet[0] & 0x0F) * 4 : int.from_bytes(packet[2:4])]
    if BGP_PORT not in struct.unpack_from("!HH", segment):
        return b""
    return segment[(segment[12] >> 4) * 4 :]


class BgpCapture(Capture):
    """The UPDATEs that come in on one interface of a namespace."""

    def __init__(self, namespace: Namespace, interface: str) -> None:
        super().__init__(namespace, interface, ETHERTYPE_IPV4, SEGMENT_LIMIT)

    def announced(self, prefix: IPv4Network, limit_s: float) -> float:
        """Return when (seconds since the epoch) the prefix is announced next. Raises TimeoutError."""
        return self._seen(prefix, limit_s, announced=True)

    def withdrawn(self, prefix: IPv4Network, limit_s: float) -> float:
        """Return when the prefix is withdrawn next. Raises TimeoutError."""
        return self._seen(prefix, limit_s, announced=False)

    def _seen(self, prefix: IPv4Network, limit_s: float, *, announced: bool) -> float:
        deadline = time.monotonic() + limit_s
        while (left := deadline - time.monotonic()) > 0 and (received := self.next_frame(left)) is not None:
            instant, frame = received
            for update in updates(tcp_payload(frame)):
                if prefix in (update.announced if announced else update.withdrawn):
                    return instant
        raise TimeoutError(f"no UPDATE about {prefix} within {limit_s:g} s")
