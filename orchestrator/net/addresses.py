"""IP addresses, families and ranges: the values that every other package speaks of.

Owns: the parsing of pool entries (contract 3.2) and the arithmetic of ranges. Addresses are the standard library's;
a range is two of them, of one family, first <= last. Nothing here enumerates a range.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, total_ordering
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)

from orchestrator.errors import InvalidConfig

IpAddress = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network


class IpFamily(Enum):
    """An IP version, with Kubernetes' spelling as value."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"

    @property
    def bits(self) -> int:
        """Length of an address: 32 or 128."""
        return 32 if self is IpFamily.IPV4 else 128


def family_of(value: IpAddress | Prefix) -> IpFamily:
    """Return the family of an address or a prefix."""
    return IpFamily.IPV4 if value.version == 4 else IpFamily.IPV6


def address_key(address: IpAddress) -> tuple[int, int]:
    """Sort key over both families: IPv4 first, then by number."""
    return (address.version, int(address))


def prefix_key(prefix: Prefix) -> tuple[int, int, int]:
    """Sort key over both families: IPv4 first, then by number, then by length."""
    return (prefix.version, int(prefix.network_address), prefix.prefixlen)


@lru_cache(maxsize=2**16)
def parse_address(text: str) -> IpAddress:
    """Return the address that `text` is. Raises InvalidConfig; zone ids (`%eth0`) are refused.

    Remembered: every pass over all Services asks for the same addresses again.
    """
    try:
        address = ip_address(text)
    except ValueError:
        raise InvalidConfig(f'"{text}" is not an IP address') from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise InvalidConfig(f'"{text}" has a zone id; write the address without "%{address.scope_id}"')
    return address


def covering_prefix(address: IpAddress, length: int) -> Prefix:
    """Return the prefix of `length` bits that holds `address`. Remembered as addresses are."""
    return _covering_prefix(address.version, int(address), length)


@lru_cache(maxsize=2**16)
def _covering_prefix(version: int, number: int, length: int) -> Prefix:
    """From the number: given an address object, the standard library would print and parse it."""
    return (IPv4Network if version == 4 else IPv6Network)((number, length), strict=False)


@total_ordering
@dataclass(frozen=True, slots=True)
class AddressRange:
    """All addresses from `first` to `last`, both included, of one family."""

    first: IpAddress
    last: IpAddress

    def __post_init__(self) -> None:
        if self.first.version != self.last.version:
            raise InvalidConfig(
                f'range "{self.first}-{self.last}" mixes IPv4 and IPv6; both ends must be of one family'
            )
        if int(self.first) > int(self.last):
            raise InvalidConfig(f'range "{self.first}-{self.last}" ends before it starts; swap the ends')

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def __lt__(self, other: "AddressRange") -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[int, int, int]:
        return (self.first.version, int(self.first), int(self.last))

    @property
    def family(self) -> IpFamily:
        return family_of(self.first)

    @property
    def size(self) -> int:
        """How many addresses, at least 1."""
        return int(self.last) - int(self.first) + 1

    def __contains__(self, address: IpAddress) -> bool:
        return address.version == self.first.version and int(self.first) <= int(address) <= int(self.last)

    def overlaps(self, other: "AddressRange") -> bool:
        """Whether the two share an address."""
        return (
            self.first.version == other.first.version
            and int(self.first) <= int(other.last)
            and int(other.first) <= int(self.last)
        )

    def prefixes(self) -> Iterator[Prefix]:
        """The fewest prefixes that cover exactly this range, ascending."""
        if (isinstance(self.first, IPv4Address) and isinstance(self.last, IPv4Address)) or (
            isinstance(self.first, IPv6Address) and isinstance(self.last, IPv6Address)
        ):
            yield from summarize_address_range(self.first, self.last)


def parse_range(text: str) -> AddressRange:
    """Return the range of a pool entry: `CIDR` (host bits are masked off) or `start-end`. Raises InvalidConfig.

    Source: contract 3.2. A bare address is refused as there; unlike there, a range of mixed families is refused too.
    """
    start, dash, end = text.partition("-")
    if dash:
        return AddressRange(parse_address(start.strip()), parse_address(end.strip()))
    if "/" not in text:
        family_bits = 128 if ":" in text else 32
        raise InvalidConfig(f'"{text}" is neither a CIDR nor a range; for one address write "{text}/{family_bits}"')
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise InvalidConfig(f'"{text}" is not a CIDR: {error}') from None
    return AddressRange(network.network_address, network.broadcast_address)


def parse_address_or_range(text: str) -> AddressRange:
    """As `parse_range`, and one address for itself. Raises InvalidConfig."""
    if "-" in text or "/" in text:
        return parse_range(text)
    address = parse_address(text)
    return AddressRange(address, address)
