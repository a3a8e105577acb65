"""Space: the addresses of one family in one pool, numbered so that every number is usable.

With avoidBuggyIPs the IPv4 addresses that end in .0 or .255 are not numbered at all: 254 numbers per /24. So free runs
are found by one bisection, and the capacity is a subtraction, whatever the size of the pool.

Addresses that Services share are indexed by sharing key, and within a key by port: the lowest one that has all wanted
ports free is found by jumping over runs of addresses where a port is taken.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from orchestrator.config.model import Pool
from orchestrator.decide.intervals import Intervals
from orchestrator.net.addresses import AddressRange, IpAddress, IpFamily

Port = tuple[str, int]
"""Protocol and number of a Service's port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """On which terms a Service uses its addresses (contract 2.7).

    An address is shared only under one non-empty `sharing_key` with one `backend_key` and different `ports`. A `foreign`
    tenant is a Service of another class: what it uses somebody else gave it, and nobody shares it.
    """

    sharing_key: str = ""
    backend_key: str = ""
    ports: frozenset[Port] = frozenset()
    foreign: bool = False

    @property
    def terms(self) -> tuple[str, str]:
        """What all users of one address have in common."""
        return (self.sharing_key, self.backend_key)


def is_buggy(address: IpAddress) -> bool:
    """Whether old equipment takes this address for a network or broadcast address: IPv4 ending in .0 or .255."""
    return address.version == 4 and int(address) & 0xFF in (0, 255)


class _SharedAddresses:
    """The addresses under one sharing key and backend key, and where each port is taken."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._taken: dict[Port, Intervals] = {}

    def take(self, number: int, ports: Iterable[Port]) -> None:
        index = bisect_left(self.numbers, number)
        if index == len(self.numbers) or self.numbers[index] != number:
            insort(self.numbers, number)
        for port in ports:
            self._taken.setdefault(port, Intervals()).add(number)

    def give_back(self, number: int, ports: Iterable[Port], *, last_user: bool) -> None:
        for port in ports:
            self._taken[port].discard(number)
        if last_user:
            del self.numbers[bisect_left(self.numbers, number)]

    def lowest(self, first: int, last: int, ports: Iterable[Port]) -> int | None:
        """Return the lowest number from `first` to `last` where all `ports` are free."""
        taken = [self._taken[port] for port in ports if port in self._taken]
        index = bisect_left(self.numbers, first)
        while index < len(self.numbers) and self.numbers[index] <= last:
            number = self.numbers[index]
            free = max((runs.next_absent(number) for runs in taken), default=number)
            if free == number:
                return number
            index = bisect_left(self.numbers, free, index)
        return None


class Space:
    """Which numbers of one family of a pool are in use; the pool's ranges give their order."""

    def __init__(self, pool: Pool, family: IpFamily) -> None:
        self._family = family
        self._avoid_buggy = pool.avoid_buggy_ips and family is IpFamily.IPV4
        self._spans = tuple(self._usable_spans(part for part in pool.ranges if part.family is family))
        self._used = Intervals()
        self._shared: dict[tuple[str, str], _SharedAddresses] = {}
        self.used = 0

    def _usable_spans(self, parts: Iterable[AddressRange]) -> Iterator[tuple[int, int]]:
        for part in parts:
            first, last = int(part.first), int(part.last)
            if self._avoid_buggy:
                first, last = _number_at_or_after(first), _number_at_or_before(last)
            if first <= last:
                yield first, last

    def _number(self, address: IpAddress) -> int:
        return _number_at_or_after(int(address)) if self._avoid_buggy else int(address)

    def _address(self, number: int) -> IpAddress:
        if self._family is IpFamily.IPV6:
            return IPv6Address(number)
        return IPv4Address((number // 254 << 8) + number % 254 + 1 if self._avoid_buggy else number)

    @property
    def capacity(self) -> int:
        """How many usable addresses there are."""
        return sum(last - first + 1 for first, last in self._spans)

    def take(self, address: IpAddress, tenancy: Tenancy, *, first_user: bool) -> None:
        """Note a user of an address."""
        number = self._number(address)
        if first_user:
            self._used.add(number)
            self.used += 1
        if tenancy.sharing_key:
            self._shared.setdefault(tenancy.terms, _SharedAddresses()).take(number, tenancy.ports)

    def give_back(self, address: IpAddress, tenancy: Tenancy, *, last_user: bool) -> None:
        """Forget a user of an address."""
        number = self._number(address)
        if last_user:
            self._used.discard(number)
            self.used -= 1
        if tenancy.sharing_key:
            shared = self._shared[tenancy.terms]
            shared.give_back(number, tenancy.ports, last_user=last_user)
            if not shared.numbers:
                del self._shared[tenancy.terms]

    def lowest(self, tenancy: Tenancy) -> IpAddress | None:
        """Return the first address, in the order of the ranges, that is free or may be shared on these terms."""
        shared = self._shared.get(tenancy.terms) if tenancy.sharing_key else None
        for first, last in self._spans:
            free = self._used.next_absent(first)
            together = shared.lowest(first, min(last, free), tenancy.ports) if shared else None
            if together is not None:
                return self._address(together)
            if free <= last:
                return self._address(free)
        return None


def _number_at_or_after(value: int) -> int:
    """Number of the first usable address >= `value`, where addresses ending in .0 and .255 have none."""
    high, low = divmod(value, 256)
    return high * 254 + min(max(low - 1, 0), 254)


def _number_at_or_before(value: int) -> int:
    """Number of the last usable address <= `value`."""
    high, low = divmod(value, 256)
    return high * 254 + min(low, 254) - 1
