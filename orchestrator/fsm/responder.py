"""Which ARP requests are answered, and with what: one dictionary lookup per frame.

For each interface the reply to every address is computed beforehand except for the asker, who stands in the request:

    reply = asker's MAC | our MAC, ARP reply, our MAC, the address | asker's MAC and IP
                          ^ the head: one per (interface, address)

The order of the checks is that of contract 4.5. As there, the sender's IP is not looked at: probes and other nodes'
announcements of our addresses are answered too. Neighbor solicitations will be a second lookup of this kind.
"""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Address

from orchestrator.decide.node_plan import Layer2Address
from orchestrator.net.link import BROADCAST, InterfaceName, MacAddress
from orchestrator.packet import arp
from orchestrator.packet.arp import Operation

_REQUEST = Operation.REQUEST.value
_REPLY = Operation.REPLY.value
_GROUP_BIT = 0x01
"""First octet of a multicast or broadcast MAC (IEEE 802 §8.2)."""


class DropReason(Enum):
    """Why a frame is not answered, in the order of the checks; ERROR: the kernel did not take the reply."""

    MALFORMED = "malformed"
    ARP_REPLY = "arpReply"
    ETHERNET_DESTINATION = "ethernetDestination"
    ADDRESS_NOT_ANNOUNCED = "addressNotAnnounced"
    INTERFACE_NOT_MATCHING = "interfaceNotMatching"
    PAUSED = "paused"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOrders:
    """What to do about each address on the wire; addresses as octets are `.packed`.

    `quiet` are answered for, but never announced unasked. `watched` are not answered for, but who else claims them is
    told all the same. `excluded` are names of interfaces that do nothing.
    """

    answered: tuple[Layer2Address, ...] = ()
    quiet: frozenset[bytes] = frozenset()
    watched: tuple[Layer2Address, ...] = ()
    excluded: re.Pattern[str] | None = None

    def without(self, addresses: AbstractSet[bytes]) -> "WireOrders":
        """Return the orders that do not speak of `addresses`."""
        return replace(
            self,
            answered=tuple(entry for entry in self.answered if entry.address.packed not in addresses),
            watched=tuple(entry for entry in self.watched if entry.address.packed not in addresses),
            quiet=self.quiet - addresses,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceTable:
    """What one interface answers. Addresses are their four octets.

    `heads` has the reply of each address that is announced here; `elsewhere` are those announced on other interfaces
    only; claims to those that are `watched` are told, too.
    """

    name: InterfaceName
    mac: MacAddress
    destinations: frozenset[bytes]
    heads: Mapping[bytes, bytes]
    elsewhere: AbstractSet[bytes]
    watched: AbstractSet[bytes]

    def without(self, addresses: AbstractSet[bytes]) -> "InterfaceTable":
        """Return the table that no longer knows `addresses`."""
        return replace(
            self,
            heads={address: head for address, head in self.heads.items() if address not in addresses},
            elsewhere=self.elsewhere - addresses,
            watched=self.watched - addresses,
        )


def interface_table(orders: WireOrders, name: InterfaceName, mac: MacAddress) -> InterfaceTable:
    """Return what the interface answers; IPv6 addresses have no place in ARP."""
    head = b"".join((mac.octets, arp.FRAME_KIND, _REPLY, mac.octets))
    heads: dict[bytes, bytes] = {}
    elsewhere: set[bytes] = set()
    for entry in orders.answered:
        if not isinstance(entry.address, IPv4Address):
            continue
        address = entry.address.packed
        if entry.interfaces is None or name in entry.interfaces:
            heads[address] = head + address
        else:
            elsewhere.add(address)
    return InterfaceTable(
        name=name,
        mac=mac,
        destinations=frozenset((BROADCAST.octets, mac.octets)),
        heads=heads,
        elsewhere=frozenset(elsewhere),
        watched=frozenset(_on(orders.watched, name)),
    )


def _on(entries: Iterable[Layer2Address], name: InterfaceName) -> Iterable[bytes]:
    return (entry.address.packed for entry in entries if entry.interfaces is None or name in entry.interfaces)


def answer(frame: bytes, table: InterfaceTable) -> bytes | DropReason:
    """Return the reply to a frame that the interface received, or why there is none; never raises.

    Source: contract 4.5. Stricter in one point: a request whose sender MAC is a group address would make us broadcast,
    and counts as malformed.
    """
    if len(frame) < arp.FRAME_LENGTH or frame[arp.FRAME_KIND_AT] != arp.FRAME_KIND or frame[22] & _GROUP_BIT:
        return DropReason.MALFORMED
    if frame[arp.OPERATION] != _REQUEST:
        return DropReason.ARP_REPLY
    if frame[arp.DESTINATION] not in table.destinations:
        return DropReason.ETHERNET_DESTINATION
    head = table.heads.get(frame[arp.TARGET_ADDRESS])
    if head is None:
        return _not_announced(frame[arp.TARGET_ADDRESS], table)
    return frame[arp.SENDER_MAC] + head + frame[arp.SENDER]


def _not_announced(address: bytes, table: InterfaceTable) -> DropReason:
    return DropReason.INTERFACE_NOT_MATCHING if address in table.elsewhere else DropReason.ADDRESS_NOT_ANNOUNCED


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody else says that it has an address that is answered for or watched: its new owner, or a conflict."""

    address: bytes
    mac: MacAddress
    interface: InterfaceName


def claim(frame: bytes, table: InterfaceTable, own_macs: AbstractSet[bytes]) -> Claim | None:
    """Return the claim to an address of this interface that a request or a reply carries; `own_macs` claim nothing."""
    address = frame[arp.SENDER_ADDRESS]
    if (address not in table.heads and address not in table.watched) or frame[arp.SENDER_MAC] in own_macs:
        return None
    packet = arp.decode_frame(frame)
    return Claim(address, packet.sender_mac, table.name) if isinstance(packet, arp.ArpPacket) else None
