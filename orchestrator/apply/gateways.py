"""The gateways of this node's default routes, as far as the neighbor table knows them.

A few questions to the kernel per interface, each for one route or one neighbor: neither table is read as a whole, both
may be large. What is asked for is a destination that only a default route leads to.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

from orchestrator.apply.netlink import NetlinkSocket
from orchestrator.fsm.interfaces import Gateway
from orchestrator.net.addresses import IpAddress, address_key
from orchestrator.net.link import MacAddress
from orchestrator.packet import rtnetlink
from orchestrator.packet.netlink import Message
from orchestrator.packet.rtnetlink import NeighborMessage, NeighborState, RouteMessage

ANYWHERE = (IPv4Address("240.0.0.1"), IPv6Address("4000::1"))
"""Reserved (RFC 1112 §4) and not assigned by IANA: no route is more specific than the default one."""

KNOWN = (
    NeighborState.REACHABLE | NeighborState.STALE | NeighborState.DELAY | NeighborState.PROBE | NeighborState.PERMANENT
)
"""States in which an entry has the MAC that the neighbor told last."""


def gateways(interfaces: Iterable[int]) -> tuple[Gateway, ...]:
    """Return the gateways over these interfaces (indices), sorted; those whose MAC is not known are left out.

    Takes about 0.3 ms per interface. Raises OSError when there is no socket to be had.
    """
    with NetlinkSocket() as asking:
        found = {gateway for interface in interfaces for gateway in _over(asking, interface)}
    return tuple(sorted(found, key=lambda gateway: (gateway.interface, address_key(gateway.address))))


def _over(asking: NetlinkSocket, interface: int) -> Iterator[Gateway]:
    for destination in ANYWHERE:
        for address in _hops(asking, destination, interface):
            mac = _mac(asking, address, interface)
            if mac is not None:
                yield Gateway(interface=interface, address=address, mac=mac)


def _hops(asking: NetlinkSocket, destination: IpAddress, interface: int) -> Iterator[IpAddress]:
    for message in _answer(asking, rtnetlink.get_route(destination, interface)):
        match rtnetlink.decode(message):
            case RouteMessage(hops=hops):
                yield from (hop.gateway for hop in hops if hop.interface == interface and hop.gateway is not None)


def _mac(asking: NetlinkSocket, address: IpAddress, interface: int) -> MacAddress | None:
    for message in _answer(asking, rtnetlink.get_neighbor(address, interface)):
        match rtnetlink.decode(message):
            case NeighborMessage(state=state, mac=mac) if state & KNOWN:
                return mac
    return None


def _answer(asking: NetlinkSocket, request: Message) -> tuple[Message, ...]:
    """A refusal means that there is no such route or neighbor, or no such interface any more."""
    with suppress(OSError):
        return tuple(message for batch in asking.ask(request) for message in batch)
    return ()
