"""Ledger: who holds which address. An index in memory, changed in place because one event changes one entry.

The controller keeps one; what it holds is read from statuses at the start (`convergence.adopt`) and from then on the
ledger knows better than a status that was read before our own write arrived. It decides nothing: `allocation` chooses
and `convergence` holds and releases.

Services of other classes are in it too, with what their statuses say: nobody else gets these addresses.

An orphan is an assignment whose addresses are in no pool any more. It stays, and blocks its addresses, until somebody
releases it: clients may still hold these addresses.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from orchestrator.config.model import AddressQuota, Pool, Reservation
from orchestrator.decide.address_quotas import QuotaCounts
from orchestrator.decide.released import Release, Released
from orchestrator.decide.reserved import ReservedAddresses
from orchestrator.decide.space import Space, Tenancy, is_buggy
from orchestrator.net.addresses import AddressRange, IpAddress, IpFamily, family_of
from orchestrator.resources.meta import ObjectKey

MAX_COUNT = 2**63 - 1
"""Counts are reported as int64 (contract 2.10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The addresses of one Service, in the order of its status, and the pool that they are from.

    `pool` is empty for addresses of no pool, and for those of a Service of another class.
    """

    service: ObjectKey
    pool: str
    addresses: tuple[IpAddress, ...]
    tenancy: Tenancy


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Distinct addresses of a pool's family: in use, and usable in all (at most MAX_COUNT)."""

    assigned: int
    capacity: int

    @property
    def available(self) -> int:
        return self.capacity - self.assigned


class Ledger:
    """Assignments by Service, users by address, and per pool and family the free and shareable addresses.

    What nobody uses any more rests for `cool_down_s`, and is kept for whoever had it for `sticky_s` (`released`).
    """

    def __init__(self, cool_down_s: float = 0.0, sticky_s: float = 0.0) -> None:
        self._pools: Mapping[str, Pool] = {}
        self._bounds: list[tuple[int, int, int, str]] = []
        self._spaces: dict[tuple[str, IpFamily], Space] = {}
        self._assignments: dict[ObjectKey, Assignment] = {}
        self._users: dict[IpAddress, dict[ObjectKey, Tenancy]] = {}
        self._orphans: dict[ObjectKey, None] = {}
        self._reserved = ReservedAddresses({})
        self._quotas = QuotaCounts({})
        self._released = Released(cool_down_s, sticky_s)

    # Configuration -----------------------------------------------------------------------------------------------

    @property
    def pools(self) -> Mapping[str, Pool]:
        """By name, in the order of names."""
        return self._pools

    @property
    def reserved(self) -> ReservedAddresses:
        return self._reserved

    @property
    def quotas(self) -> QuotaCounts:
        """How many addresses are in use under each quota."""
        return self._quotas

    def set_pools(self, pools: Mapping[str, Pool]) -> None:
        """Use these pools; assignments move to the pool that has their addresses now, or become orphans."""
        same = _geometry(pools) == _geometry(self._pools)
        self._pools = dict(sorted(pools.items()))
        if same:
            return
        self._bounds = sorted(
            (part.first.version, int(part.first), int(part.last), name)
            for name, pool in pools.items()
            for part in pool.ranges
        )
        self._rebuild()

    def set_reservations(self, reservations: Mapping[str, Reservation]) -> None:
        """Keep these addresses; who has one has it still."""
        before, self._reserved = self._reserved, ReservedAddresses(reservations)
        if list(before.ranges) != list(self._reserved.ranges):
            self._rebuild()

    def set_quotas(self, quotas: Mapping[str, AddressQuota]) -> None:
        """Count under these quotas from now on."""
        if quotas != self._quotas.quotas:
            self._quotas = QuotaCounts(quotas)
            self._count_again()

    def _rebuild(self) -> None:
        self._spaces = {
            (name, family): Space(pool, family, [each for part in pool.ranges for each in self._reserved.inside(part)])
            for name, pool in self._pools.items()
            for family in IpFamily
        }
        self._quotas = QuotaCounts(self._quotas.quotas)
        assignments, self._assignments, self._users, self._orphans = self._assignments, {}, {}, {}
        for assignment in assignments.values():
            pool = None if assignment.tenancy.foreign else self.pool_of(assignment.addresses)
            self.hold(assignment if pool is None else replace(assignment, pool=pool.name))
        for address in self._released.resting():
            self._rest(address)

    def _count_again(self) -> None:
        for assignment in self._assignments.values():
            for address in assignment.addresses:
                if not assignment.tenancy.foreign:
                    self._quotas.enter(assignment.service.namespace, self._pool_name(address), address)

    def pool_of(self, addresses: Iterable[IpAddress]) -> Pool | None:
        """Return the one pool in which all of the addresses are usable."""
        names = {self._pool_name(address) for address in addresses}
        name = names.pop() if len(names) == 1 else None
        return None if name is None else self._pools[name]

    def _pool_name(self, address: IpAddress) -> str | None:
        number = int(address)
        index = bisect_right(self._bounds, (address.version, number, MAX_NUMBER, "")) - 1
        if index < 0:
            return None
        version, _, last, name = self._bounds[index]
        if version != address.version or number > last:
            return None
        return None if self._pools[name].avoid_buggy_ips and is_buggy(address) else name

    def pools_of(self, part: AddressRange) -> Iterator[str]:
        """Yield the pools that have addresses of a range, in the order of the addresses."""
        version, first, last = part.first.version, int(part.first), int(part.last)
        index = max(bisect_right(self._bounds, (version, first, MAX_NUMBER, "")) - 1, 0)
        while index < len(self._bounds) and self._bounds[index][:2] <= (version, last):
            if self._bounds[index][0] == version and self._bounds[index][2] >= first:
                yield self._bounds[index][3]
            index += 1

    def space(self, pool: str, family: IpFamily) -> Space:
        """Return the addresses of one family of a pool."""
        return self._spaces[pool, family]

    def usage(self, pool: str, family: IpFamily) -> Usage:
        """Return how many addresses of a pool's family are in use and usable (contract 2.10)."""
        space = self._spaces[pool, family]
        return Usage(assigned=space.used, capacity=min(space.capacity, MAX_COUNT))

    def lowest(self, pool: str, family: IpFamily, tenancy: Tenancy) -> IpAddress | None:
        """Return the first address of a pool's family that is free, and does not rest, or may be shared."""
        return self._spaces[pool, family].lowest(tenancy)

    # Assignments -------------------------------------------------------------------------------------------------

    def assignment(self, service: ObjectKey) -> Assignment | None:
        return self._assignments.get(service)

    @property
    def assignments(self) -> Mapping[ObjectKey, Assignment]:
        """All assignments; a view that follows changes."""
        return MappingProxyType(self._assignments)

    @property
    def orphans(self) -> tuple[ObjectKey, ...]:
        """Services whose addresses are in no pool any more, sorted."""
        return tuple(sorted(self._orphans))

    def is_orphan(self, service: ObjectKey) -> bool:
        return service in self._orphans

    def users(self, address: IpAddress) -> Mapping[ObjectKey, Tenancy]:
        """Return who uses an address, on which terms."""
        return MappingProxyType(self._users.get(address, {}))

    def has_room(self, address: IpAddress, service: ObjectKey, tenancy: Tenancy) -> bool:
        """Whether the Service may use an address on these terms, however many users that has; False: look closer."""
        users = self._users.get(address, {})
        others = len(users) - (service in users)
        name = self._pool_name(address) if others else None
        if name is None:
            return not others
        return self._spaces[name, family_of(address)].has_room(address, tenancy, users.get(service), len(users))

    def hold(self, assignment: Assignment) -> None:
        """Record an assignment in place of what this Service held before; whether it may is the caller's question."""
        before = self._assignments.get(assignment.service)
        if before == assignment:
            return
        if before is not None:
            self._leave(before, stays=frozenset(assignment.addresses))
        self._assignments[assignment.service] = assignment
        if not assignment.tenancy.foreign and self.pool_of(assignment.addresses) is None:
            self._orphans[assignment.service] = None
        for address in assignment.addresses:
            self._enter(assignment, address)

    def release(self, service: ObjectKey) -> Assignment | None:
        """Forget what a Service holds and return it."""
        assignment = self._assignments.pop(service, None)
        if assignment is not None:
            self._leave(assignment, stays=frozenset())
        return assignment

    def _enter(self, assignment: Assignment, address: IpAddress) -> None:
        service, tenancy = assignment.service, assignment.tenancy
        users = self._users.setdefault(address, {})
        name = self._pool_name(address)
        if name is not None:
            self._spaces[name, family_of(address)].take(address, tenancy, first_user=not users)
        users[service] = tenancy
        self._released.forget(address, service)
        if not tenancy.foreign:
            self._quotas.enter(service.namespace, name, address)

    def _leave(self, assignment: Assignment, stays: frozenset[IpAddress]) -> None:
        self._orphans.pop(assignment.service, None)
        for address in assignment.addresses:
            self._give_back(assignment, address)
            if address not in stays:
                self._released.remember(address, assignment.service)
                self._rest(address)

    def _give_back(self, assignment: Assignment, address: IpAddress) -> None:
        service, tenancy = assignment.service, assignment.tenancy
        users = self._users[address]
        del users[service]
        name = self._pool_name(address)
        if name is not None:
            space = self._spaces[name, family_of(address)]
            space.give_back(address, tenancy, last_user=not users)
            if tenancy.foreign and not any(other.foreign for other in users.values()):
                space.let_share(address)
        if not users:
            del self._users[address]
        if not tenancy.foreign:
            self._quotas.leave(service.namespace, name, address)

    # Released addresses ------------------------------------------------------------------------------------------

    @property
    def releases(self) -> tuple[Release, ...]:
        """What the next leader is to remember, in the order of release."""
        return self._released.releases

    @property
    def next_change(self) -> float | None:
        """When an address is kept no longer for who had it, seconds since 1970; None: none is kept."""
        return self._released.next_change

    def remember(self, releases: Iterable[Release]) -> None:
        """Go on with what another ledger has remembered; the time must have been told before."""
        for release in sorted(releases, key=lambda each: each.at):
            if release.service not in self._users.get(release.address, {}):
                self._released.remember(release.address, release.service, release.at)
                self._rest(release.address)

    def pass_time(self, now: float) -> bool:
        """It is `now`, in seconds since 1970; return whether an address is kept no longer for who had it."""
        elapsed = self._released.pass_time(now)
        for address in elapsed.no_longer_kept:
            self._rest(address)
        for address in elapsed.forgotten:
            name = self._pool_name(address)
            if name is not None and address not in self._users:
                self._spaces[name, family_of(address)].wake(address)
        return bool(elapsed.no_longer_kept)

    def _rest(self, address: IpAddress) -> None:
        """Take an address that nobody uses out of what is free, if it was released not long ago."""
        name = self._pool_name(address)
        if name is not None and address not in self._users and self._released.rests(address):
            kept = bool(self._released.kept_for(address))
            self._spaces[name, family_of(address)].rest(address, kept=kept)

    def kept_for(self, address: IpAddress) -> frozenset[ObjectKey]:
        """For which Services an address is kept that nobody uses; empty if for none."""
        return frozenset() if address in self._users else self._released.kept_for(address)

    def former(self, service: ObjectKey) -> tuple[IpAddress, ...]:
        """Which addresses the Service had not long ago, the latest first."""
        return self._released.former(service)


MAX_NUMBER = 1 << 129
"""Above every address: makes a bound sort after all ranges that start at the same address."""


def _geometry(pools: Mapping[str, Pool]) -> dict[str, tuple[object, ...]]:
    return {name: (pool.ranges, pool.avoid_buggy_ips) for name, pool in pools.items()}
