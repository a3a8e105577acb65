"""BGP's messages as octets: UPDATEs read, the few that a passive speaker sends written (RFC 4271, 4760, 6793).

The parser looks for BGP's marker, so a payload may begin and end anywhere; a message that is not whole is left out.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from orchestrator.net.addresses import Prefix

MARKER = b"\xff" * 16
HEADER = 19
OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5
AS_TRANS = 23456
EXTENDED_LENGTH = 0x10
IPV6_UNICAST = bytes.fromhex("000201")


@dataclass(frozen=True, slots=True, kw_only=True)
class PathAttributes:
    """What an UPDATE says about its prefixes. 0 and empty: not there, which is the same to whoever receives it."""

    next_hop: str = ""
    as_path: tuple[int, ...] = ()
    med: int = 0
    local_pref: int = 0
    communities: frozenset[str] = frozenset()
    extended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Update:
    """One UPDATE, both families."""

    announced: frozenset[Prefix] = frozenset()
    withdrawn: frozenset[Prefix] = frozenset()
    attributes: PathAttributes = field(default_factory=PathAttributes)


def messages(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body of each message that lies whole in the payload."""
    start = payload.find(MARKER)
    while start >= 0 and start + HEADER <= len(payload):
        length, kind = struct.unpack_from("!HB", payload, start + len(MARKER))
        if start + length <= len(payload):
            yield kind, payload[start + HEADER : start + length]
        start = payload.find(MARKER, start + max(length, HEADER))


def message(kind: int, body: bytes = b"") -> bytes:
    """One message."""
    return MARKER + struct.pack("!HB", HEADER + len(body), kind) + body


def open_message(asn: int, hold_time_s: int, router_id: str) -> bytes:
    """An OPEN that offers IPv4 and IPv6 unicast, route refresh and AS numbers of four octets (RFC 5492)."""
    capabilities = b"".join(
        bytes([code, len(value)]) + value
        for code, value in (
            (1, bytes.fromhex("00010001")), (1, bytes.fromhex("00020001")), (2, b""), (65, asn.to_bytes(4)),
        )
    )  # fmt: skip
    parameter = bytes([2, len(capabilities)]) + capabilities
    short = asn if asn <= 0xFFFF else AS_TRANS
    start = struct.pack("!BHH4sB", 4, short, hold_time_s, IPv4Address(router_id).packed, len(parameter))
    return message(OPEN, start + parameter)


def updates(payload: bytes) -> Iterator[Update]:
    """Return the UPDATEs that lie whole in a TCP payload; AS paths have four octets per number."""
    return (parse_update(body) for kind, body in messages(payload) if kind == UPDATE)


def parse_update(body: bytes) -> Update:
    """RFC 4271 §4.3: withdrawn routes, path attributes, announced routes; the first two preceded by their length."""
    withdrawn_end = 2 + int.from_bytes(body[:2])
    attributes_end = withdrawn_end + 2 + int.from_bytes(body[withdrawn_end : withdrawn_end + 2])
    found = dict(_attributes(body[withdrawn_end + 2 : attributes_end]))
    announced = set(_prefixes(body[attributes_end:], 4))
    withdrawn = set(_prefixes(body[2:withdrawn_end], 4))
    hop = found.get(3, b"")
    if (reach := found.get(14, b""))[:3] == IPV6_UNICAST:
        announced |= set(_prefixes(reach[5 + reach[3] :], 16))
        hop = reach[4:20]
    if (unreach := found.get(15, b""))[:3] == IPV6_UNICAST:
        withdrawn |= set(_prefixes(unreach[3:], 16))
    return Update(frozenset(announced), frozenset(withdrawn), _meaning(found, hop))


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(octets):
        flags, kind = octets[position : position + 2]
        size = 2 if flags & EXTENDED_LENGTH else 1
        start = position + 2 + size
        position = start + int.from_bytes(octets[position + 2 : start])
        yield kind, octets[start:position]


def _meaning(found: Mapping[int, bytes], hop: bytes) -> PathAttributes:
    standard = (f"{high}:{low}" for high, low in struct.iter_unpack("!HH", found.get(8, b"")))
    large = (":".join(map(str, parts)) for parts in struct.iter_unpack("!III", found.get(32, b"")))
    extended = found.get(16, b"")
    return PathAttributes(
        next_hop=str(ip_address(hop)) if hop else "",
        as_path=tuple(_as_path(found.get(2, b""))),
        med=int.from_bytes(found.get(4, b"")),
        local_pref=int.from_bytes(found.get(5, b"")),
        communities=frozenset((*standard, *large)),
        extended=frozenset(extended[at : at + 8].hex() for at in range(0, len(extended), 8)),
    )


def _as_path(octets: bytes) -> Iterator[int]:
    """The numbers of all segments; ours are sequences."""
    position = 0
    while position < len(octets):
        count = octets[position + 1]
        end = position + 2 + 4 * count
        yield from (number for (number,) in struct.iter_unpack("!I", octets[position + 2 : end]))
        position = end


def _prefixes(octets: bytes, width: int) -> Iterator[Prefix]:
    """Length in bits, then as many octets as these need."""
    position = 0
    while position < len(octets):
        bits = octets[position]
        end = position + 1 + (bits + 7) // 8
        packed = octets[position + 1 : end].ljust(width, b"\0")
        yield IPv4Network((packed, bits)) if width == 4 else IPv6Network((IPv6Address(packed), bits))
        position = end
