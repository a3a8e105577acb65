"""BGP's own values: AS numbers, communities, router ids, what a neighbor is sent with a prefix.

Communities order as contract 3.4 says: a standard community counts as a large one whose first part is its 32-bit value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address
from struct import pack
from typing import NamedTuple, NewType

from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress

Asn = NewType("Asn", int)
"""A four-octet AS number, 1..4294967295 (RFC 6793)."""

RouterId = IPv4Address
"""A BGP identifier, written as an IPv4 address (RFC 6286)."""

PrefixText = NewType("PrefixText", str)
"""A prefix as the standard library prints it: the hash of a text is kept, that of a network computed each time (1 us)."""

MAX_U16 = 0xFFFF
MAX_U32 = 0xFFFFFFFF
AS_TRANS = 23456
"""In place of an AS number that does not fit into 16 bits (RFC 6793)."""


class BgpEngine(Enum):
    """Which daemon speaks BGP, with the word of `--bgp-engine`."""

    FRR = "frr"
    EXABGP = "exabgp"


@dataclass(frozen=True, slots=True)
class StandardCommunity:
    """RFC 1997: two 16-bit numbers, written `high:low`."""

    high: int
    low: int

    def __str__(self) -> str:
        return f"{self.high}:{self.low}"


@dataclass(frozen=True, slots=True)
class LargeCommunity:
    """RFC 8092: three 32-bit numbers. MetalLB writes `large:a:b:c`, FRR `a:b:c`."""

    global_administrator: int
    local_data_1: int
    local_data_2: int

    def __str__(self) -> str:
        return f"{self.global_administrator}:{self.local_data_1}:{self.local_data_2}"


Community = StandardCommunity | LargeCommunity

WELL_KNOWN: Mapping[str, StandardCommunity] = {
    "graceful-shutdown": StandardCommunity(65535, 0),
    "accept-own": StandardCommunity(65535, 1),
    "route-filter-translated-v4": StandardCommunity(65535, 2),
    "route-filter-v4": StandardCommunity(65535, 3),
    "route-filter-translated-v6": StandardCommunity(65535, 4),
    "route-filter-v6": StandardCommunity(65535, 5),
    "llgr-stale": StandardCommunity(65535, 6),
    "no-llgr": StandardCommunity(65535, 7),
    "accept-own-nexthop": StandardCommunity(65535, 8),
    "blackhole": StandardCommunity(65535, 666),
    "no-export": StandardCommunity(65535, 65281),
    "no-advertise": StandardCommunity(65535, 65282),
    "local-as": StandardCommunity(65535, 65283),
    "no-export-subconfed": StandardCommunity(65535, 65283),
    "no-peer": StandardCommunity(65535, 65284),
    "nopeer": StandardCommunity(65535, 65284),
}
"""The names of IANA's registry and FRR's, in the form of `parse_community` (RFC 1997, 3765, 7611, 7999, 8326, 9494)."""


class LinkBandwidth(NamedTuple):
    """The extended community that routers weigh equal paths by (draft-ietf-idr-link-bandwidth), in Mbit/s as in FRR."""

    asn: Asn
    weight: int

    @property
    def octets(self) -> bytes:
        """As FRR 8.4.4 sends it: transitive, else external peers do not get it; bytes per second as a float."""
        asn = self.asn if self.asn <= MAX_U16 else AS_TRANS
        return pack("!BBHf", 0x00, 0x04, asn, self.weight * 1_000_000 / 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRoute:
    """What one neighbor is sent with a prefix; `local_pref` 0 is not sent, an empty `as_path` is the daemon's own."""

    next_hop: IpAddress
    local_pref: int = 0
    med: int = 0
    as_path: tuple[Asn, ...] = ()
    bandwidth: LinkBandwidth | None = None
    communities: tuple[Community, ...] = ()


def community_key(community: Community) -> tuple[int, int, int, int]:
    """Sort key over both forms (contract 3.4)."""
    match community:
        case StandardCommunity(high, low):
            return ((high << 16) | low, 0, 0, 0)
        case LargeCommunity(first, second, third):
            return (first, second, third, 1)


def _number(text: str, limit: int, whole: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= limit):
        raise InvalidConfig(f'invalid community value: "{text}" in "{whole}" is not a number from 0 to {limit}')
    return int(text)


def parse_community(text: str) -> Community:
    """Return the community that `text` is: `A:B`, `large:A:B:C` or a well-known name. Raises InvalidConfig.

    Names may be written as the RFCs do (`NO_EXPORT`) or as routers do (`no-export`). A text of another shape starts its
    message with `invalid community format`: it may be an alias that appears later.
    """
    known = WELL_KNOWN.get(text.lower().replace("_", "-"))
    if known is not None:
        return known
    parts = text.split(":")
    if len(parts) == 2:
        return StandardCommunity(*(_number(part, MAX_U16, text) for part in parts))
    if len(parts) == 4:
        if parts[0] != "large":
            raise InvalidConfig(f'invalid community value: "{text}" has four parts and must start with "large:"')
        return LargeCommunity(*(_number(part, MAX_U32, text) for part in parts[1:]))
    raise InvalidConfig(f"invalid community format: {text}")
