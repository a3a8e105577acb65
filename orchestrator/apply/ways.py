"""What the kernel knows of the way to a peer: a route, and whether the neighbor on the link answers ARP or ND.

Nothing is sent: `connect` of a UDP socket only looks the route up, and an entry of the neighbor table is there because a
daemon tried to connect.
"""

import errno
import socket
from collections.abc import Iterable
from contextlib import suppress

from orchestrator.apply.netlink import NetlinkSocket
from orchestrator.config.model import Peer
from orchestrator.fsm.session_diagnosis import Way
from orchestrator.net.addresses import IpAddress
from orchestrator.packet import rtnetlink
from orchestrator.packet.rtnetlink import NeighborMessage, NeighborState
from orchestrator.render.views import Leg

NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL})
"""EACCES and EINVAL: a route that prohibits, or drops."""
DEAD = NeighborState.INCOMPLETE | NeighborState.FAILED


def way_to(peer: Peer, legs: Iterable[Leg]) -> Way:
    """Return what the kernel knows; UNKNOWN for an unnumbered peer and one in a VRF, which has routes of its own."""
    if peer.address is None or peer.vrf:
        return Way.UNKNOWN
    if (missing := _without_route(peer.address, peer.source_address)) is not None:
        return missing
    leg = next((leg for leg in legs if peer.address in leg.prefix), None)
    return Way.ROUTED if leg is None else _on_link(peer.address, leg.interface)


def _without_route(address: IpAddress, source: IpAddress | None) -> Way | None:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            if source is not None:
                asking.bind((str(source), 0))
        except OSError:
            return Way.NO_SOURCE
        try:
            asking.connect((str(address), 179))
        except OSError as error:
            return Way.NO_ROUTE if error.errno in NO_WAY else None
    return None


def _on_link(address: IpAddress, interface: str) -> Way:
    """A neighbor without an entry has not been asked for yet, or long ago."""
    with suppress(OSError), NetlinkSocket() as asking:
        request = rtnetlink.get_neighbor(address, socket.if_nametoindex(interface))
        for message in (each for batch in asking.ask(request) for each in batch):
            match rtnetlink.decode(message):
                case NeighborMessage(state=state):
                    return Way.NO_NEIGHBOR if state & DEAD else Way.NEIGHBOR
                case _:
                    pass
    return Way.ROUTED
