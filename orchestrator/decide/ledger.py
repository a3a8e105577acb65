"""Ledger: who holds which address. An index in memory, changed in place because one event changes one entry.

The controller keeps one; what it holds is read from statuses at the start (`convergence.adopt`) and from then on the
ledger knows better than a status that was read before our own write arrived. It decides nothing: `allocation` chooses
and `convergence` holds and releases.

An orphan is an assignment whose addresses are in no pool any more. It stays, and blocks its addresses, until somebody
releases it: clients may still hold these addresses.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from orchestrator.config.model import Pool
from orchestrator.decide.space import Space, Tenancy, is_buggy
from orchestrator.net.addresses import IpAddress, IpFamily, family_of
from orchestrator.resources.meta import ObjectKey

MAX_COUNT = 2**63 - 1
"""Counts are reported as int64 (contract 2.10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The addresses of one Service, in the order of its status, and the pool that they are from."""

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
    """Assignments by Service, users by address, and per pool and family the free and shareable addresses."""

    def __init__(self) -> None:
        self._pools: Mapping[str, Pool] = {}
        self._bounds: list[tuple[int, int, int, str]] = []
        self._spaces: dict[tuple[str, IpFamily], Space] = {}
        self._assignments: dict[ObjectKey, Assignment] = {}
        self._users: dict[IpAddress, dict[ObjectKey, Tenancy]] = {}
        self._orphans: dict[ObjectKey, None] = {}

    # Pools -----------------------------------------------------------------------------------------------------

    @property
    def pools(self) -> Mapping[str, Pool]:
        return self._pools

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
        self._spaces = {(name, family): Space(pool, family) for name, pool in pools.items() for family in IpFamily}
        assignments, self._assignments, self._users, self._orphans = self._assignments, {}, {}, {}
        for assignment in assignments.values():
            pool = self.pool_of(assignment.addresses)
            self.hold(assignment if pool is None else replace(assignment, pool=pool.name))

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

    def _space_of(self, address: IpAddress) -> Space | None:
        """An orphan's second address may still be in a pool, so every address is looked up by itself."""
        name = self._pool_name(address)
        return None if name is None else self._spaces[name, family_of(address)]

    def usage(self, pool: str, family: IpFamily) -> Usage:
        """Return how many addresses of a pool's family are in use and usable (contract 2.10)."""
        space = self._spaces[pool, family]
        return Usage(assigned=space.used, capacity=min(space.capacity, MAX_COUNT))

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

    def hold(self, assignment: Assignment) -> None:
        """Record an assignment in place of what this Service held before; whether it may is the caller's question."""
        self.release(assignment.service)
        self._assignments[assignment.service] = assignment
        if self.pool_of(assignment.addresses) is None:
            self._orphans[assignment.service] = None
        for address in assignment.addresses:
            users = self._users.setdefault(address, {})
            space = self._space_of(address)
            if space is not None:
                space.take(address, assignment.tenancy, first_user=not users)
            users[assignment.service] = assignment.tenancy

    def release(self, service: ObjectKey) -> Assignment | None:
        """Forget what a Service holds and return it."""
        assignment = self._assignments.pop(service, None)
        if assignment is None:
            return None
        self._orphans.pop(service, None)
        for address in assignment.addresses:
            users = self._users[address]
            del users[service]
            space = self._space_of(address)
            if space is not None:
                space.give_back(address, assignment.tenancy, last_user=not users)
            if not users:
                del self._users[address]
        return assignment

    def lowest(self, pool: str, family: IpFamily, tenancy: Tenancy) -> IpAddress | None:
        """Return the first address of a pool's family that is free or may be shared on these terms."""
        return self._spaces[pool, family].lowest(tenancy)


MAX_NUMBER = 1 << 129
"""Above every address: makes a bound sort after all ranges that start at the same address."""


def _geometry(pools: Mapping[str, Pool]) -> dict[str, tuple[object, ...]]:
    return {name: (pool.ranges, pool.avoid_buggy_ips) for name, pool in pools.items()}
