"""When an address was announced on the LAN, and by whom: broadcast ARP whose sender is the address itself."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address

from orchestrator.lab.namespaces import Namespace
from orchestrator.packet import arp
from orchestrator.packet.ethernet import TYPE_ARP
from tests.bench.capture import Capture

FRAME_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Announcement:
    """`instant` is in seconds since the epoch."""

    instant: float
    address: bytes
    mac: bytes


class ArpCapture(Capture):
    """The announcements that come in on one interface of a namespace."""

    def __init__(self, namespace: Namespace, interface: str) -> None:
        super().__init__(namespace, interface, TYPE_ARP, FRAME_LIMIT)

    def first(self, address: IPv4Address, macs: Collection[bytes], limit_s: float) -> Announcement:
        """Return the next announcement of the address by one of `macs`. Raises TimeoutError."""
        return self.each({address}, macs, limit_s)[0]

    def each(self, addresses: Collection[IPv4Address], macs: Collection[bytes], limit_s: float) -> list[Announcement]:
        """Return the next announcement of every address by one of `macs`, in their order. Raises TimeoutError."""
        missing = {address.packed for address in addresses}
        found: list[Announcement] = []
        deadline = time.monotonic() + limit_s
        while missing:
            received = self.next_frame(max(deadline - time.monotonic(), 0.001))
            if received is None:
                raise TimeoutError(f"{len(missing)} of {len(addresses)} addresses not announced within {limit_s:g} s")
            instant, frame = received
            announcement = Announcement(instant, frame[arp.SENDER_ADDRESS], frame[arp.SENDER_MAC])
            is_announcement = frame[arp.SENDER_ADDRESS] == frame[arp.TARGET_ADDRESS]
            if is_announcement and announcement.mac in macs and announcement.address in missing:
                missing.remove(announcement.address)
                found.append(announcement)
        return found
