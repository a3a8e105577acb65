"""When a route went over the wire: BGP UPDATEs seen by an AF_PACKET socket, at the kernel's receive timestamps.

Each TCP segment is looked at for itself: nothing is reassembled, and the beginning of a session need not be seen. A
message that begins in one segment and ends in the next is not found; a change of one route is one short segment.
"""

import struct
import time

from orchestrator.lab.namespaces import Namespace
from orchestrator.net.addresses import Prefix
from tests.bench.capture import Capture
from tests.support.bgp_messages import updates

BGP_PORT = 179
ETHERTYPE_IPV4 = 0x0800
PROTOCOL_TCP = 6
ETHERNET_HEADER = 14
SEGMENT_LIMIT = 65_600
"""A veth pair hands on what TCP gave it, up to 64 KiB at once."""


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

    def announced(self, prefix: Prefix, limit_s: float) -> float:
        """Return when (seconds since the epoch) the prefix is announced next. Raises TimeoutError."""
        return self._seen(prefix, limit_s, announced=True)

    def withdrawn(self, prefix: Prefix, limit_s: float) -> float:
        """Return when the prefix is withdrawn next. Raises TimeoutError."""
        return self._seen(prefix, limit_s, announced=False)

    def _seen(self, prefix: Prefix, limit_s: float, *, announced: bool) -> float:
        deadline = time.monotonic() + limit_s
        while (left := deadline - time.monotonic()) > 0 and (received := self.next_frame(left)) is not None:
            instant, frame = received
            for update in updates(tcp_payload(frame)):
                if prefix in (update.announced if announced else update.withdrawn):
                    return instant
        raise TimeoutError(f"no UPDATE about {prefix} within {limit_s:g} s")
