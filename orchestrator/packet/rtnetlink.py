"""What the kernel tells of links, addresses, routes and neighbors (linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h).

Each kind of object has a fixed part and attributes; only what is used of either is kept. `decode` never raises: a
message that is cut off, lacks what every such message has, or is of another kind is a MessageError.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface

from orchestrator.net.addresses import IpAddress
from orchestrator.net.link import MacAddress
from orchestrator.packet import netlink
from orchestrator.packet.netlink import Flag, Message, MessageError

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOR = struct.Struct("=BxxxiHBB")
_HOP = struct.Struct("=HBBi")
_NUMBER = struct.Struct("=I")

_LINK_ADDRESS, _LINK_NAME, _LINK_MASTER, _LINK_WIRELESS = 1, 3, 10, 11
_ADDRESS_ADDRESS, _ADDRESS_LOCAL, _ADDRESS_FLAGS = 1, 2, 8
_ROUTE_DESTINATION, _ROUTE_INTERFACE, _ROUTE_GATEWAY, _ROUTE_MULTIPATH = 1, 4, 5, 9
_NEIGHBOR_DESTINATION, _NEIGHBOR_MAC = 1, 2
_MATCHED_ENTRY = 0x2000
"""RTM_F_FIB_MATCH: answer with the entry of the table that matched, not with what follows from it."""

AF_INET, AF_INET6 = 2, 10


class Kind(IntEnum):
    """RTM_*"""

    NEW_LINK, DEL_LINK, GET_LINK = 16, 17, 18
    NEW_ADDRESS, DEL_ADDRESS, GET_ADDRESS = 20, 21, 22
    NEW_ROUTE, GET_ROUTE = 24, 26
    NEW_NEIGHBOR, GET_NEIGHBOR = 28, 30


class LinkFlag(IntFlag):
    """IFF_*"""

    UP = 0x1
    BROADCAST = 0x2
    NO_ARP = 0x80
    LOWER_UP = 0x10000


class AddressFlag(IntFlag):
    """IFA_F_*: an address with one of these is not to be used."""

    DUPLICATE = 0x08
    TENTATIVE = 0x40


class NeighborState(IntFlag):
    """NUD_*"""

    INCOMPLETE = 0x01
    REACHABLE = 0x02
    STALE = 0x04
    DELAY = 0x08
    PROBE = 0x10
    FAILED = 0x20
    NO_ARP = 0x40
    PERMANENT = 0x80


class Change(Enum):
    """Whether an object is there, new or changed, or no longer."""

    THERE = "there"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMessage:
    """A link; `mac` is None unless its hardware address has 6 octets, `master` is an index.

    `partial`: only index and name can be relied upon (events of a bridge about its port, of wireless drivers).
    """

    change: Change
    partial: bool
    index: int
    flags: int
    name: str
    mac: MacAddress | None
    master: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressMessage:
    """An address of this node with the length of its prefix."""

    change: Change
    index: int
    flags: int
    address: IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a route leads: over a gateway of the route's family, or to what is on-link (None)."""

    interface: int
    gateway: IpAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMessage:
    """A route; several hops share its traffic. `protocol` is who made it (RTPROT_*)."""

    hops: tuple[Hop, ...]
    protocol: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborMessage:
    """An entry of the neighbor table; `state` is one of NeighborState."""

    index: int
    state: int
    address: IpAddress
    mac: MacAddress | None


Attributes = Mapping[int, bytes]


# --- requests ---------------------------------------------------------------------------------------------------------


def dump_links() -> Message:
    """Ask for all links."""
    flags = Flag.REQUEST | Flag.DUMP
    return Message(kind=Kind.GET_LINK, flags=flags, payload=_LINK.pack(0, 0, 0, 0, 0))


def dump_addresses() -> Message:
    """Ask for the addresses of all links, of both families."""
    flags = Flag.REQUEST | Flag.DUMP
    return Message(kind=Kind.GET_ADDRESS, flags=flags, payload=_ADDRESS.pack(0, 0, 0, 0, 0))


def dump_routes() -> Message:
    """Ask for all routes of both families: as many messages as there are."""
    return Message(kind=Kind.GET_ROUTE, flags=Flag.REQUEST | Flag.DUMP, payload=_ROUTE.pack(*[0] * 9))


def get_route(destination: IpAddress, interface: int) -> Message:
    """Ask for the route that leads to `destination` over an interface; costs the same however many routes there are."""
    fixed = _ROUTE.pack(_family(destination), destination.max_prefixlen, 0, 0, 0, 0, 0, 0, _MATCHED_ENTRY)
    attributes = {_ROUTE_DESTINATION: destination.packed, _ROUTE_INTERFACE: _NUMBER.pack(interface)}
    payload = fixed + netlink.encode_attributes(attributes)
    return Message(kind=Kind.GET_ROUTE, flags=Flag.REQUEST, payload=payload)


def get_neighbor(address: IpAddress, interface: int) -> Message:
    """Ask for one entry of the neighbor table (Linux 5.0)."""
    payload = _NEIGHBOR.pack(_family(address), interface, 0, 0, 0)
    payload += netlink.encode_attributes({_NEIGHBOR_DESTINATION: address.packed})
    return Message(kind=Kind.GET_NEIGHBOR, flags=Flag.REQUEST, payload=payload)


# --- answers and events -----------------------------------------------------------------------------------------------


def decode(
    message: Message,
) -> LinkMessage | AddressMessage | RouteMessage | NeighborMessage | MessageError:
    """Return what the message tells; never raises."""
    match message.kind:
        case Kind.NEW_LINK | Kind.DEL_LINK:
            return _decode_link(message)
        case Kind.NEW_ADDRESS | Kind.DEL_ADDRESS:
            return _decode_address(message)
        case Kind.NEW_ROUTE:
            return _decode_route(message)
        case Kind.NEW_NEIGHBOR:
            return _decode_neighbor(message)
    return MessageError.OTHER_KIND


def _decode_link(message: Message) -> LinkMessage | MessageError:
    attributes = _attributes(message, _LINK)
    if isinstance(attributes, MessageError):
        return attributes
    if _LINK_NAME not in attributes:
        return MessageError.MISSING_ATTRIBUTE
    family, _, index, flags, _ = _LINK.unpack_from(message.payload)
    return LinkMessage(
        change=Change.GONE if message.kind == Kind.DEL_LINK else Change.THERE,
        partial=family != 0 or _LINK_WIRELESS in attributes,
        index=index,
        flags=flags,
        name=attributes[_LINK_NAME].partition(b"\0")[0].decode(errors="replace"),
        mac=_mac(attributes.get(_LINK_ADDRESS, b"")),
        master=_number(attributes.get(_LINK_MASTER, b"")),
    )


def _decode_address(message: Message) -> AddressMessage | MessageError:
    """A point-to-point IPv4 address is ours in `local`, the other end's in `address`; IPv6 has `address` only."""
    attributes = _attributes(message, _ADDRESS)
    if isinstance(attributes, MessageError):
        return attributes
    family, length, flags, _, index = _ADDRESS.unpack_from(message.payload)
    octets = attributes.get(_ADDRESS_LOCAL) or attributes.get(_ADDRESS_ADDRESS)
    if octets is None:
        return MessageError.MISSING_ATTRIBUTE
    address = _ip_address(family, octets)
    if address is None or length > address.max_prefixlen:
        return MessageError.BAD_VALUE
    return AddressMessage(
        change=Change.GONE if message.kind == Kind.DEL_ADDRESS else Change.THERE,
        index=index,
        flags=_number(attributes.get(_ADDRESS_FLAGS, b"")) or flags,
        address=ip_interface((address, length)),
    )


def _decode_route(message: Message) -> RouteMessage | MessageError:
    attributes = _attributes(message, _ROUTE)
    if isinstance(attributes, MessageError):
        return attributes
    family, _, _, _, _, protocol, *_ = _ROUTE.unpack_from(message.payload)
    interface = _number(attributes.get(_ROUTE_INTERFACE, b""))
    first = () if interface is None else (Hop(interface, _gateway(family, attributes)),)
    return RouteMessage(hops=(*first, *_hops(family, attributes.get(_ROUTE_MULTIPATH, b""))), protocol=protocol)


def _hops(family: int, octets: bytes) -> Iterator[Hop]:
    """The hops of a multipath route, each with attributes of its own; what is cut off ends them."""
    while len(octets) >= _HOP.size:
        length, _, _, interface = _HOP.unpack_from(octets)
        attributes = netlink.decode_attributes(octets[_HOP.size : length])
        if not _HOP.size <= length <= len(octets) or isinstance(attributes, MessageError):
            return
        yield Hop(interface, _gateway(family, attributes))
        octets = octets[length:]


def _gateway(family: int, attributes: Attributes) -> IpAddress | None:
    """A gateway of the other family stands in another attribute, and is none here."""
    return _ip_address(family, attributes.get(_ROUTE_GATEWAY, b""))


def _decode_neighbor(message: Message) -> NeighborMessage | MessageError:
    attributes = _attributes(message, _NEIGHBOR)
    if isinstance(attributes, MessageError):
        return attributes
    family, index, state, *_ = _NEIGHBOR.unpack_from(message.payload)
    if _NEIGHBOR_DESTINATION not in attributes:
        return MessageError.MISSING_ATTRIBUTE
    address = _ip_address(family, attributes[_NEIGHBOR_DESTINATION])
    if address is None:
        return MessageError.BAD_VALUE
    return NeighborMessage(index=index, state=state, address=address, mac=_mac(attributes.get(_NEIGHBOR_MAC, b"")))


# --- parts ------------------------------------------------------------------------------------------------------------


def _attributes(message: Message, fixed: struct.Struct) -> Attributes | MessageError:
    """The attributes after the fixed part, which is there if they are."""
    if len(message.payload) < fixed.size:
        return MessageError.TRUNCATED
    return netlink.decode_attributes(message.payload[fixed.size :])


def _family(address: IpAddress) -> int:
    return AF_INET if address.version == 4 else AF_INET6


def _ip_address(family: int, octets: bytes) -> IpAddress | None:
    if family == AF_INET and len(octets) == 4:
        return IPv4Address(octets)
    if family == AF_INET6 and len(octets) == 16:
        return IPv6Address(octets)
    return None


def _mac(octets: bytes) -> MacAddress | None:
    """Tunnels have hardware addresses of other lengths, or none."""
    return MacAddress(octets) if len(octets) == 6 else None


def _number(octets: bytes) -> int | None:
    return int(_NUMBER.unpack(octets)[0]) if len(octets) == _NUMBER.size else None
