"""Neighbor Solicitation and Advertisement in ICMPv6, IPv6, Ethernet (RFC 4861 §4.3, §4.4; RFC 8200 §3; RFC 4443 §2.3).

    0             6            12     14                 18       20    21    22            38           54
    +-------------+------------+------+------------------+--------+-----+-----+-------------+------------+
    | destination |   source   |0x86dd| 6, class, flow   | length | 58  | 255 | source IP   | dest. IP   |
    +-------------+------------+------+------------------+--------+-----+-----+-------------+------------+
    54          55     56         58               62          78
    +-----------+------+----------+----------------+-----------+-----------------------------------------+
    | 135 / 136 |  0   | checksum | NA: R S O flags| target IP | options: kind, length / 8, link address |
    +-----------+------+----------+----------------+-----------+-----------------------------------------+

`length` counts from 54; what follows is padding. The slices below are positions in a whole frame: the responder reads
solicitations in place. The checksum is that of one's complement: the octets as one number, modulo 0xffff, are 0.
"""

from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv6Address

from orchestrator.net.link import MacAddress
from orchestrator.packet import ethernet
from orchestrator.packet.ethernet import TYPE_IPV6, EthernetFrame, FrameError

SOLICITATION, ADVERTISEMENT = 135, 136
SOURCE_LINK_OPTION, TARGET_LINK_OPTION = 1, 2
NEXT_HEADER = 58
HOP_LIMIT = 255
"""A router would have made it less: the sender is on this link (RFC 4861 §7.1.1)."""

DESTINATION = slice(0, 6)
SOURCE_MAC = slice(6, 12)
SOURCE = slice(22, 38)
TARGET = slice(62, 78)
ICMP_AT = 54
OPTIONS_AT = 78

IPV6_TYPE = TYPE_IPV6.to_bytes(2)
UNSPECIFIED = bytes(16)
SOLICITED_NODE = bytes.fromhex("ff02 0000 0000 0000 0000 0001 ff")
"""The group's first 13 octets; the last three are the target's (RFC 4291 §2.7.1)."""
SOLICITED_NODE_MAC = bytes.fromhex("3333 ff")
"""A group's MAC: 3333 and its last four octets (RFC 2464 §7)."""
ALL_NODES = IPv6Address("ff02::1")
ALL_NODES_MAC = MacAddress.parse("33:33:00:00:00:01")

_MODULUS = 0xFFFF


class Flag(IntFlag):
    """First octet of an advertisement's flags."""

    NONE = 0
    OVERRIDE = 0x20
    SOLICITED = 0x40
    ROUTER = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Solicitation:
    """Asks for `target`. A `source` of :: asks whether the address is free (RFC 4862 §5.4.2), and has no `source_mac`."""

    source: IPv6Address
    destination: IPv6Address
    target: IPv6Address
    source_mac: MacAddress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """Says that `target` is at `target_mac`."""

    source: IPv6Address
    destination: IPv6Address
    target: IPv6Address
    flags: Flag
    target_mac: MacAddress | None = None


Message = Solicitation | Advertisement
Options = dict[int, bytes]


def solicited_node(target: bytes) -> bytes:
    """Return the multicast group in which the owner of `target` hears solicitations."""
    return SOLICITED_NODE + target[13:]


def group_mac(group: bytes) -> MacAddress:
    """Return where frames for a multicast group go."""
    return MacAddress(b"\x33\x33" + group[12:])


def checksum(total: int) -> bytes:
    """Return the checksum of octets whose numbers, each a multiple of 16 bits from the end, add up to `total`."""
    return (_MODULUS - total % _MODULUS).to_bytes(2)


def link_option(kind: int, mac: MacAddress) -> bytes:
    """Return the option that carries a link-layer address (RFC 4861 §4.6.1)."""
    return bytes((kind, 1)) + mac.octets


def encode(message: Message) -> bytes:
    """Return the IPv6 packet."""
    body = _body(message)
    ends = message.source.packed + message.destination.packed
    total = int.from_bytes(ends + body) + len(body) + NEXT_HEADER
    header = b"\x60\0\0\0" + len(body).to_bytes(2) + bytes((NEXT_HEADER, HOP_LIMIT))
    return b"".join((header, ends, body[:2], checksum(total), body[4:]))


def _body(message: Message) -> bytes:
    """The ICMPv6 message with a checksum of 0."""
    match message:
        case Solicitation(source_mac=mac):
            start, kind = bytes((SOLICITATION, 0, 0, 0, 0, 0, 0, 0)), SOURCE_LINK_OPTION
        case Advertisement(flags=flags, target_mac=mac):
            start, kind = bytes((ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0)), TARGET_LINK_OPTION
    return start + message.target.packed + (link_option(kind, mac) if mac is not None else b"")


def frame(message: Message, source: MacAddress, destination: MacAddress) -> bytes:
    """Return the Ethernet frame that carries `message`."""
    return ethernet.encode(
        EthernetFrame(destination=destination, source=source, ethertype=TYPE_IPV6, payload=encode(message))
    )


def decode_frame(octets: bytes) -> Message | FrameError:
    """Return the valid message in an Ethernet frame; never raises."""
    options = check(octets)
    if isinstance(options, FrameError):
        return options
    source, destination = IPv6Address(octets[SOURCE]), IPv6Address(octets[38:54])
    target = IPv6Address(octets[TARGET])
    if octets[ICMP_AT] == SOLICITATION:
        return Solicitation(
            source=source, destination=destination, target=target, source_mac=_mac(options, SOURCE_LINK_OPTION)
        )
    return Advertisement(
        source=source,
        destination=destination,
        target=target,
        flags=Flag(octets[58] & (Flag.ROUTER | Flag.SOLICITED | Flag.OVERRIDE)),
        target_mac=_mac(options, TARGET_LINK_OPTION),
    )


def _mac(options: Options, kind: int) -> MacAddress | None:
    return MacAddress(options[kind]) if kind in options else None


def check(octets: bytes) -> Options | FrameError:
    """Return the link-layer addresses in a valid message by the kind of their option, else what is wrong; never raises.

    Valid: RFC 4861 §7.1.1 and §7.1.2. Unknown options are passed over; of repeated ones the first counts.
    """
    if len(octets) < OPTIONS_AT:
        return FrameError.TRUNCATED
    if octets[12:14] != IPV6_TYPE or octets[14] >> 4 != 6 or octets[20] != NEXT_HEADER:
        return FrameError.OTHER_TYPE
    if octets[ICMP_AT] not in (SOLICITATION, ADVERTISEMENT) or octets[55]:
        return FrameError.OTHER_OPERATION
    if octets[21] != HOP_LIMIT:
        return FrameError.HOP_LIMIT
    end = ICMP_AT + int.from_bytes(octets[18:20])
    if not OPTIONS_AT <= end <= len(octets):
        return FrameError.TRUNCATED
    options = _options(octets[OPTIONS_AT:end])
    if isinstance(options, FrameError):
        return options
    if (int.from_bytes(octets[22:end]) + end - ICMP_AT + NEXT_HEADER) % _MODULUS:
        return FrameError.CHECKSUM
    return _misaddressed(octets, options) or options


def _options(octets: bytes) -> Options | FrameError:
    found: Options = {}
    at = 0
    while at < len(octets):
        size = octets[at + 1] * 8 if at + 1 < len(octets) else 0
        if size == 0 or at + size > len(octets):
            return FrameError.OPTION
        if octets[at] in (SOURCE_LINK_OPTION, TARGET_LINK_OPTION):
            if size != 8 or octets[at + 2] & 0x01:
                return FrameError.OPTION
            found.setdefault(octets[at], octets[at + 2 : at + 8])
        at += size
    return found


def _misaddressed(octets: bytes, options: Options) -> FrameError | None:
    """Who asks whether an address is free has none, and no MAC to tell; nobody is asked by group to answer a group."""
    if octets[22] == 0xFF or octets[62] == 0xFF:
        return FrameError.ADDRESS
    if octets[ICMP_AT] == ADVERTISEMENT:
        return FrameError.ADDRESS if octets[38] == 0xFF and octets[58] & Flag.SOLICITED else None
    if octets[SOURCE] != UNSPECIFIED:
        return None
    if octets[38:51] != SOLICITED_NODE:
        return FrameError.ADDRESS
    return FrameError.OPTION if SOURCE_LINK_OPTION in options else None


def probe(mac: MacAddress, target: IPv6Address) -> bytes:
    """Return the frame that asks whether anybody has `target` (RFC 4862 §5.4.2)."""
    group = solicited_node(target.packed)
    asking = Solicitation(source=IPv6Address(UNSPECIFIED), destination=IPv6Address(group), target=target)
    return frame(asking, mac, group_mac(group))


def announcement(mac: MacAddress, source: IPv6Address, target: IPv6Address) -> bytes:
    """Return the unsolicited advertisement to all nodes, which replaces what they knew (RFC 4861 §7.2.6)."""
    return announcement_to(ALL_NODES, ALL_NODES_MAC, mac, source, target)


def announcement_to(
    destination: IPv6Address, destination_mac: MacAddress, mac: MacAddress, source: IPv6Address, target: IPv6Address
) -> bytes:
    """Return the same to one node."""
    telling = Advertisement(source=source, destination=destination, target=target, flags=Flag.OVERRIDE, target_mac=mac)
    return frame(telling, mac, destination_mac)
