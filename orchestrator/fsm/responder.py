"""What the wire is to do about each address, and what comes of a frame: a reply, a reason why there is none, a claim.

The answers themselves are computed by `arp_answers` and `ndp_answers`, one table per interface and family. Addresses are
octets (`.packed`), 4 or 16 of them.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from orchestrator.net.addresses import IpFamily
from orchestrator.net.link import InterfaceName, MacAddress

GROUP_BIT = 0x01
"""First octet of a multicast or broadcast MAC (IEEE 802 §8.2)."""

Interfaces = tuple[InterfaceName, ...] | None
"""The names of an address' interfaces; None means every eligible one."""


class DropReason(Enum):
    """Why a frame is not answered, in the order of the checks; ERROR: the kernel did not take the reply."""

    MALFORMED = "malformed"
    ARP_REPLY = "arpReply"
    NDP_MESSAGE_TYPE = "ndpMessageType"
    ETHERNET_DESTINATION = "ethernetDestination"
    ADDRESS_NOT_ANNOUNCED = "addressNotAnnounced"
    INTERFACE_NOT_MATCHING = "interfaceNotMatching"
    PAUSED = "paused"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireOrders:
    """What to do about each address on the wire.

    `quiet` are answered for, but never announced unasked. `watched` are not answered for, but who else claims them is
    told all the same. `excluded` are names of interfaces that do nothing.
    """

    answered: Mapping[bytes, Interfaces] = field(default_factory=dict)
    quiet: frozenset[bytes] = frozenset()
    watched: Mapping[bytes, Interfaces] = field(default_factory=dict)
    excluded: re.Pattern[str] | None = None

    @property
    def announced(self) -> frozenset[bytes]:
        return frozenset(self.answered.keys() - self.quiet)

    def without(self, addresses: AbstractSet[bytes]) -> "WireOrders":
        """Return the orders that do not speak of `addresses`."""
        return replace(
            self,
            answered={address: where for address, where in self.answered.items() if address not in addresses},
            watched={address: where for address, where in self.watched.items() if address not in addresses},
            quiet=self.quiet - addresses,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What one interface has to do with the addresses of one family.

    `here` are answered for on it, `elsewhere` on other interfaces only; `heard` are those of which claims are told.
    """

    here: frozenset[bytes] = frozenset()
    elsewhere: frozenset[bytes] = frozenset()
    heard: frozenset[bytes] = frozenset()


def family_of(address: bytes) -> IpFamily:
    return IpFamily.IPV4 if len(address) == 4 else IpFamily.IPV6


def scope(orders: WireOrders, name: InterfaceName, family: IpFamily) -> Scope:
    """Return the part of the orders that concerns an interface."""
    length = family.bits // 8
    here = _on(orders.answered, name, length)
    watched = _on(orders.watched, name, length)
    elsewhere = frozenset(address for address in orders.answered if len(address) == length and address not in here)
    return Scope(here=here, elsewhere=elsewhere, heard=here | watched if watched else here)


def _on(places: Mapping[bytes, Interfaces], name: InterfaceName, length: int) -> frozenset[bytes]:
    return frozenset(
        address for address, where in places.items() if len(address) == length and (where is None or name in where)
    )


def not_announced(address: bytes, around: Scope) -> DropReason:
    """Return the reason for an address that is not `here`."""
    return DropReason.INTERFACE_NOT_MATCHING if address in around.elsewhere else DropReason.ADDRESS_NOT_ANNOUNCED


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody else says that it has an address that is answered for or watched: its new owner, or a conflict."""

    address: bytes
    mac: MacAddress
    interface: InterfaceName


class Answers(Protocol):
    """What an interface says to the frames of one family. Nothing here raises, whatever the octets."""

    @property
    def scope(self) -> Scope: ...

    def answer(self, frame: bytes) -> bytes | DropReason:
        """Return the reply to a frame, or why there is none."""

    def subject(self, frame: bytes) -> bytes:
        """Return the address that an answered frame asked for."""

    def claim(self, frame: bytes, own_macs: AbstractSet[bytes]) -> Claim | None:
        """Return the claim that a frame makes; this node's MACs claim nothing."""
