"""What the nodes say on their LAN without being asked: gratuitous ARP, as any machine there hears it."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.lab import layout, namespaces
from orchestrator.packet import arp, ethernet
from tests.e2e.cluster.cluster import Cluster

FRAME_LIMIT = 2048
LOOK_S = 0.2
"""How long the listener goes on after its end, at most."""


@dataclass(slots=True)
class Heard:
    """Who announced which address, in order: (address, node or MAC)."""

    announcements: list[tuple[str, str]] = field(default_factory=list)

    def of(self, address: str) -> list[str]:
        """Who announced it."""
        return [sender for found, sender in self.announcements if found == address]


@contextlib.contextmanager
def heard(cluster: Cluster) -> Iterator[Heard]:
    """Listen on the LAN while the block runs."""
    found, ended = Heard(), threading.Event()
    names = {namespaces.mac_address(node.namespace, layout.UPLINK): name for name, node in cluster.nodes.items()}
    opened = cluster.neighbor.namespace.inside(_open)

    def listen() -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                if said := _announcement(opened.recv(FRAME_LIMIT)):
                    address, sender = said
                    found.announcements.append((address, names.get(sender, sender)))

    thread = threading.Thread(target=listen, name="unasked")
    with opened:
        thread.start()
        try:
            yield found
        finally:
            ended.set()
            thread.join()


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.bind((layout.UPLINK, ethernet.TYPE_ARP))
    opened.settimeout(LOOK_S)
    return opened


def _announcement(frame: bytes) -> tuple[str, str] | None:
    """The address and the MAC that a frame announces: both addresses in it are the same."""
    if len(frame) < arp.FRAME_LENGTH or frame[arp.FRAME_KIND_AT] != arp.FRAME_KIND:
        return None
    if frame[arp.SENDER_ADDRESS] != frame[arp.TARGET_ADDRESS]:
        return None
    return socket.inet_ntoa(frame[arp.SENDER_ADDRESS]), frame[arp.SENDER_MAC].hex(":")
