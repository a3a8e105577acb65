"""ARP for IPv4 over Ethernet (RFC 826), and the two forms of an announcement (RFC 5227).

     0       2       4   5   6           8            14         18           24         28
    +-------+-------+---+---+-----------+------------+----------+------------+----------+
    | 0x0001| 0x0800| 6 | 4 | operation | sender MAC | sender IP| target MAC | target IP|
    +-------+-------+---+---+-----------+------------+----------+------------+----------+

The slices below are positions in a whole frame, that is 14 more: the responder reads requests in place.
"""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address

from orchestrator.net.link import BROADCAST, MacAddress
from orchestrator.packet import ethernet
from orchestrator.packet.ethernet import TYPE_ARP, EthernetFrame, FrameError

LENGTH = 28
FRAME_LENGTH = ethernet.HEADER_LENGTH + LENGTH

KIND = bytes.fromhex("0001 0800 06 04")
"""Ethernet, IPv4, and the lengths of their addresses."""
FRAME_KIND = TYPE_ARP.to_bytes(2) + KIND

DESTINATION = slice(0, 6)
FRAME_KIND_AT = slice(12, 20)
OPERATION = slice(20, 22)
SENDER_MAC = slice(22, 28)
SENDER_ADDRESS = slice(28, 32)
SENDER = slice(22, 32)
TARGET_ADDRESS = slice(38, 42)

NO_MAC = MacAddress(bytes(6))


class Operation(Enum):
    """RFC 826 ar$op, as octets."""

    REQUEST = b"\x00\x01"
    REPLY = b"\x00\x02"


_OPERATIONS = {operation.value: operation for operation in Operation}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpPacket:
    """A request or a reply; the addresses are (MAC, IPv4) of who sends and of whom it is about."""

    operation: Operation
    sender_mac: MacAddress
    sender_address: IPv4Address
    target_mac: MacAddress
    target_address: IPv4Address


def encode(packet: ArpPacket) -> bytes:
    """Return the 28 octets."""
    return b"".join(
        (
            KIND,
            packet.operation.value,
            packet.sender_mac.octets,
            packet.sender_address.packed,
            packet.target_mac.octets,
            packet.target_address.packed,
        )
    )


def decode(octets: bytes) -> ArpPacket | FrameError:
    """Return the packet that `octets` start with (padding may follow); never raises."""
    if len(octets) < LENGTH:
        return FrameError.TRUNCATED
    if octets[0:6] != KIND:
        return FrameError.OTHER_TYPE
    operation = _OPERATIONS.get(octets[6:8])
    if operation is None:
        return FrameError.OTHER_OPERATION
    return ArpPacket(
        operation=operation,
        sender_mac=MacAddress(octets[8:14]),
        sender_address=IPv4Address(octets[14:18]),
        target_mac=MacAddress(octets[18:24]),
        target_address=IPv4Address(octets[24:28]),
    )


def frame(packet: ArpPacket, destination: MacAddress) -> bytes:
    """Return the Ethernet frame that carries `packet` from its sender."""
    return ethernet.encode(
        EthernetFrame(destination=destination, source=packet.sender_mac, ethertype=TYPE_ARP, payload=encode(packet))
    )


def decode_frame(octets: bytes) -> ArpPacket | FrameError:
    """Return the ARP packet in an Ethernet frame; never raises."""
    outer = ethernet.decode(octets)
    if isinstance(outer, FrameError):
        return outer
    return decode(outer.payload) if outer.ethertype == TYPE_ARP else FrameError.OTHER_TYPE


def request(sender_mac: MacAddress, sender_address: IPv4Address, target_address: IPv4Address) -> bytes:
    """Return the broadcast frame that asks who has `target_address`."""
    return request_to(BROADCAST, sender_mac, sender_address, target_address)


def request_to(
    destination: MacAddress, sender_mac: MacAddress, sender_address: IPv4Address, target_address: IPv4Address
) -> bytes:
    """Return the frame that asks one host."""
    packet = ArpPacket(
        operation=Operation.REQUEST,
        sender_mac=sender_mac,
        sender_address=sender_address,
        target_mac=NO_MAC,
        target_address=target_address,
    )
    return frame(packet, destination)


def probe(sender_mac: MacAddress, target_address: IPv4Address) -> bytes:
    """Return the request of RFC 5227 §2.1.1, which changes nobody's mind about who has the address."""
    return request(sender_mac, IPv4Address(0), target_address)


def announcement_request(mac: MacAddress, address: IPv4Address) -> bytes:
    """Return the announcement of RFC 5227 §2.3: a broadcast request for `address` by its owner."""
    return _announcement(Operation.REQUEST, mac.octets, address.packed, NO_MAC.octets)


def announcement_reply(mac: MacAddress, address: IPv4Address) -> bytes:
    """Return the announcement as a broadcast reply, for stacks that ignore requests.

    Target and sender are equal: Linux takes a broadcast reply with another target MAC for unsolicited and does not
    replace an entry younger than 1 s (measured, arp_accept=0).
    """
    return _announcement(Operation.REPLY, mac.octets, address.packed, mac.octets)


def _announcement(operation: Operation, mac: bytes, address: bytes, target_mac: bytes) -> bytes:
    """Without the values in between: 5000 are sent in a burst, and requests wait for each."""
    return b"".join((BROADCAST.octets, mac, FRAME_KIND, operation.value, mac, address, target_mac, address))
