"""Space: the addresses of one family in one pool, numbered from 0 in the order of the pool, so that every number is usable.

With avoidBuggyIPs the IPv4 addresses that end in .0 or .255 are not numbered at all: 254 numbers per /24. So the first
free address is found by one bisection, whatever the size of the pool and however many ranges it has.

*Taken* is what somebody uses or what rests; *closed* is that and what is reserved. Addresses that Services share are
indexed by sharing key, and within a key by port: the lowest one that has all wanted ports free is found by jumping over
runs of addresses where a port is taken.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

from orchestrator.config.model import Pool
from orchestrator.decide.intervals import Intervals
from orchestrator.net.addresses import AddressRange, IpAddress, IpFamily

Port = tuple[str, int]
"""Protocol and number of a Service's port."""
Run = tuple[int, int]
"""First and last number of some addresses."""


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
        self._users: dict[int, int] = {}
        self._taken: dict[Port, Intervals] = {}

    def take(self, number: int, ports: Iterable[Port]) -> None:
        if number not in self._users:
            insort(self.numbers, number)
        self._users[number] = self._users.get(number, 0) + 1
        for port in ports:
            self._taken.setdefault(port, Intervals()).add(number)

    def give_back(self, number: int, ports: Iterable[Port]) -> None:
        for port in ports:
            self._taken[port].discard(number)
        self._users[number] -= 1
        if not self._users[number]:
            del self._users[number], self.numbers[bisect_left(self.numbers, number)]

    def has_room(self, number: int, ports: Iterable[Port], users: int) -> bool:
        """Whether all of so many users are here, and none has one of the ports."""
        free = (port not in self._taken or number not in self._taken[port] for port in ports)
        return self._users.get(number) == users and all(free)

    def from_lowest(self, run: Run, ports: Iterable[Port], barred: Iterable[Intervals]) -> Iterator[int]:
        """Yield the numbers of a run where all `ports` are free, ascending, without those that are barred."""
        first, last = run
        taken = [*barred, *(self._taken[port] for port in ports if port in self._taken)]
        index = bisect_left(self.numbers, first)
        while index < len(self.numbers) and self.numbers[index] <= last:
            number = self.numbers[index]
            free = max((runs.next_absent(number) for runs in taken), default=number)
            if free == number:
                yield number
            index = bisect_left(self.numbers, max(free, number + 1), index)


class Space:
    """Which numbers of one family of a pool are in use; the pool's ranges give their order.

    Addresses handed in must be usable ones of the pool. `within` limits a search to some runs, in their order, reserved
    addresses included; without it a search covers everything that is not reserved.
    """

    def __init__(self, pool: Pool, family: IpFamily, reserved: Iterable[AddressRange] = ()) -> None:
        self._family = family
        self._avoid_buggy = pool.avoid_buggy_ips and family is IpFamily.IPV4
        self._number_spans(pool.ranges)
        self._reserved, self._taken, self._closed = Intervals(), Intervals(), Intervals()
        for first, last in self.runs_of(reserved):
            self._reserved.add_run(first, last)
            self._closed.add_run(first, last)
        self._foreign = Intervals()
        self._resting: dict[int, None] = {}
        self._shared: dict[tuple[str, str], _SharedAddresses] = {}
        self.used = 0

    # Numbers --------------------------------------------------------------------------------------------------------

    def _number_spans(self, parts: Iterable[AddressRange]) -> None:
        """Lay the usable spans end to end: `_starts` are their numbers, `_values` the values at which they start."""
        self.capacity = 0
        self._starts: list[int] = []
        self._values: list[int] = []
        for first, last in self._usable_spans(parts):
            self._starts.append(self.capacity)
            self._values.append(first)
            self.capacity += last - first + 1
        sizes = (end - start for start, end in pairwise([*self._starts, self.capacity]))
        ascending = sorted(zip(self._values, self._starts, sizes, strict=True))
        self._sorted_values = [value for value, _, _ in ascending]
        self._sorted_starts = [(start, size) for _, start, size in ascending]

    def _usable_spans(self, parts: Iterable[AddressRange]) -> Iterator[tuple[int, int]]:
        for part in parts:
            first, last = int(part.first), int(part.last)
            if self._avoid_buggy:
                first, last = _number_at_or_after(first), _number_at_or_before(last)
            if part.family is self._family and first <= last:
                yield first, last

    def _number(self, address: IpAddress) -> int:
        value = _number_at_or_after(int(address)) if self._avoid_buggy else int(address)
        index = bisect_right(self._sorted_values, value) - 1
        return self._sorted_starts[index][0] + value - self._sorted_values[index]

    def _address(self, number: int) -> IpAddress:
        index = bisect_right(self._starts, number) - 1
        value = self._values[index] + number - self._starts[index]
        if self._family is IpFamily.IPV6:
            return IPv6Address(value)
        return IPv4Address((value // 254 << 8) + value % 254 + 1 if self._avoid_buggy else value)

    @property
    def everything(self) -> tuple[Run, ...]:
        """The one run of all numbers, reserved ones included."""
        return ((0, self.capacity - 1),)

    def runs_of(self, parts: Iterable[AddressRange]) -> tuple[Run, ...]:
        """Return the runs of numbers that lie in these ranges, in their order."""
        return tuple(run for first, last in self._usable_spans(parts) for run in self._runs_between(first, last))

    def _runs_between(self, first: int, last: int) -> Iterator[Run]:
        index = max(bisect_right(self._sorted_values, first) - 1, 0)
        while index < len(self._sorted_values) and self._sorted_values[index] <= last:
            value, (start, size) = self._sorted_values[index], self._sorted_starts[index]
            low, high = max(first - value, 0), min(last - value, size - 1)
            if low <= high:
                yield start + low, start + high
            index += 1

    # Use ------------------------------------------------------------------------------------------------------------

    def take(self, address: IpAddress, tenancy: Tenancy, *, first_user: bool) -> None:
        """Note a user of an address."""
        number = self._number(address)
        if first_user:
            self._taken.add(number)
            self._closed.add(number)
            self._resting.pop(number, None)
            self.used += 1
        if tenancy.sharing_key:
            self._shared.setdefault(tenancy.terms, _SharedAddresses()).take(number, tenancy.ports)
        if tenancy.foreign:
            self._foreign.add(number)

    def give_back(self, address: IpAddress, tenancy: Tenancy, *, last_user: bool) -> None:
        """Forget a user of an address."""
        number = self._number(address)
        if last_user:
            self._free(number)
            self.used -= 1
        if tenancy.sharing_key:
            shared = self._shared[tenancy.terms]
            shared.give_back(number, tenancy.ports)
            if not shared.numbers:
                del self._shared[tenancy.terms]

    def let_share(self, address: IpAddress) -> None:
        """Its last foreign user has left."""
        self._foreign.discard(self._number(address))

    def _free(self, number: int) -> None:
        self._taken.discard(number)
        if number not in self._reserved:
            self._closed.discard(number)

    def rest(self, address: IpAddress, *, kept: bool) -> None:
        """Nobody uses the address, and it is not free: it is kept, or the last choice."""
        number = self._number(address)
        self._taken.add(number)
        self._closed.add(number)
        if kept:
            self._resting.pop(number, None)
        else:
            self._resting[number] = None

    def wake(self, address: IpAddress) -> None:
        """An address that nobody uses is as free as others again."""
        number = self._number(address)
        self._resting.pop(number, None)
        self._free(number)

    def has_room(self, address: IpAddress, tenancy: Tenancy, own: Tenancy | None, users: int) -> bool:
        """Whether all of so many users, `own` among them, are on these terms, and no other has one of the ports."""
        shared = self._shared.get(tenancy.terms) if tenancy.sharing_key else None
        if shared is None or (own is not None and own.terms != tenancy.terms):
            return False
        return shared.has_room(self._number(address), tenancy.ports - (own.ports if own else frozenset()), users)

    # Search ---------------------------------------------------------------------------------------------------------

    def lowest(self, tenancy: Tenancy, within: Sequence[Run] | None = None) -> IpAddress | None:
        """Return the first address that is free, and does not rest, or may be shared on these terms."""
        shared = self._shared.get(tenancy.terms) if tenancy.sharing_key else None
        for first, last in self._runs(within):
            free = (self._closed if within is None else self._taken).next_absent(first)
            if shared is not None:
                run = (first, min(last, free))
                together = next(shared.from_lowest(run, tenancy.ports, self._barred(within)), None)
                if together is not None:
                    return self._address(together)
            if free <= last:
                return self._address(free)
        return None

    def shareable(self, tenancy: Tenancy, within: Sequence[Run] | None = None) -> Iterator[IpAddress]:
        """Yield the addresses in use that may be shared on these terms."""
        shared = self._shared.get(tenancy.terms) if tenancy.sharing_key else None
        if shared is None:
            return
        for run in self._runs(within):
            yield from map(self._address, shared.from_lowest(run, tenancy.ports, self._barred(within)))

    def longest_rested(self, within: Sequence[Run] | None = None) -> IpAddress | None:
        """Return the address that rests for the longest time and is not kept."""
        for number in self._resting:
            if (
                number not in self._reserved
                if within is None
                else any(first <= number <= last for first, last in within)
            ):
                return self._address(number)
        return None

    def _runs(self, within: Sequence[Run] | None) -> Sequence[Run]:
        return self.everything if within is None else within

    def _barred(self, within: Sequence[Run] | None) -> tuple[Intervals, ...]:
        return (self._foreign, self._reserved) if within is None else (self._foreign,)


def _number_at_or_after(value: int) -> int:
    """Number of the first usable address >= `value`, where addresses ending in .0 and .255 have none."""
    high, low = divmod(value, 256)
    return high * 254 + min(max(low - 1, 0), 254)


def _number_at_or_before(value: int) -> int:
    """Number of the last usable address <= `value`."""
    high, low = divmod(value, 256)
    return high * 254 + min(low, 254) - 1
