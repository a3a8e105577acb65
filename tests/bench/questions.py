"""What a pinger asks: ARP requests and neighbor solicitations from senders whose addresses are numbers.

Nobody looks at who asks (10.0.0.0/8, 2001:db8:ffff::/96), and the reply goes back to that address, so replies find their
questions in any order. The frames are made here and not by our codecs, so that both are checked against each other.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from orchestrator.net.addresses import IpAddress

BROADCAST = b"\xff" * 6
TYPE_ARP, TYPE_IPV6 = 0x0806, 0x86DD
ARP_NUMBERS = 10 << 24
NDP_NUMBERS = IPv6Address("2001:db8:ffff::").packed[:12]
ICMPV6, HOP_LIMIT = 58, 255
SOLICITATION, ADVERTISEMENT = 135, b"\x88"
SOURCE_LINK_LAYER_ADDRESS = b"\x01\x01"


class Questions(Protocol):
    """Questions about the addresses in turn by numbered senders, and to whom a frame replies, -1 if it is no reply."""

    @property
    def ethertype(self) -> int: ...
    def ask(self, number: int, sender: int) -> bytes: ...
    def sender_of(self, frame: bytes) -> int: ...


@dataclass(frozen=True, slots=True)
class ArpQuestions:
    """RFC 826. `heads` end before the sender's address, `tails` begin behind it."""

    heads: Sequence[bytes]
    tails: Sequence[bytes]
    ethertype: int = TYPE_ARP

    def ask(self, number: int, sender: int) -> bytes:
        which = number % len(self.heads)
        return self.heads[which] + (ARP_NUMBERS + sender).to_bytes(4) + self.tails[which]

    def sender_of(self, frame: bytes) -> int:
        is_reply = frame[20:22] == b"\0\2"
        return int.from_bytes(frame[38:42]) - ARP_NUMBERS if is_reply else -1


@dataclass(frozen=True, slots=True)
class NdpQuestions:
    """RFC 4861 §4.3, sent to the solicited-node group, with our MAC. `sums` are checksums without the sender's number."""

    heads: Sequence[bytes]
    tails: Sequence[bytes]
    sums: Sequence[int]
    ethertype: int = TYPE_IPV6

    def ask(self, number: int, sender: int) -> bytes:
        which = number % len(self.heads)
        checksum = 0xFFFF - _folded(self.sums[which] + (sender >> 16) + (sender & 0xFFFF))
        tail = self.tails[which]
        return b"".join((self.heads[which], sender.to_bytes(4), tail[:18], checksum.to_bytes(2), tail[20:]))

    def sender_of(self, frame: bytes) -> int:
        is_reply = frame[54:55] == ADVERTISEMENT and frame[38:50] == NDP_NUMBERS
        return int.from_bytes(frame[50:54]) if is_reply else -1


def questions(mac: bytes, addresses: Sequence[IpAddress]) -> Questions:
    """Return the questions of a node with this MAC about addresses of one family."""
    if isinstance(addresses[0], IPv4Address):
        return _arp(mac, [address.packed for address in addresses])
    return _ndp(mac, [address.packed for address in addresses])


def _arp(mac: bytes, addresses: Sequence[bytes]) -> ArpQuestions:
    head = struct.pack("!6s6sHHHBBH6s", BROADCAST, mac, TYPE_ARP, 1, 0x0800, 6, 4, 1, mac)
    return ArpQuestions([head] * len(addresses), [bytes(6) + address for address in addresses])


def _ndp(mac: bytes, addresses: Sequence[bytes]) -> NdpQuestions:
    """A tail is the group, then the message: kind, code, checksum, reserved, target, the option with our MAC."""
    heads, tails, sums = [], [], []
    for address in addresses:
        group = IPv6Address("ff02::1:ff00:0").packed[:13] + address[13:]
        message = struct.pack("!BBHI16s", SOLICITATION, 0, 0, 0, address) + SOURCE_LINK_LAYER_ADDRESS + mac
        ethernet = b"\x33\x33" + group[12:] + mac + TYPE_IPV6.to_bytes(2)
        heads.append(ethernet + struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, HOP_LIMIT) + NDP_NUMBERS)
        tails.append(group + message)
        sums.append(sum(_words(NDP_NUMBERS + group + message)) + len(message) + ICMPV6)
    return NdpQuestions(heads, tails, sums)


def _words(octets: bytes) -> Sequence[int]:
    return struct.unpack(f"!{len(octets) // 2}H", octets)


def _folded(total: int) -> int:
    """The sum in one's complement (RFC 1071)."""
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
