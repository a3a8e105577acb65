"""Allocation without an index: small pools are scanned, every rule is one line. What the ledger's tests compare with."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.config.model import AddressQuota, Config, Pool, QuotaScope, Reservation
from orchestrator.decide.admission import is_for
from orchestrator.decide.ledger import Assignment
from orchestrator.decide.requests import AllocationRequest, FamilyPolicy, RefusalReason, families_of
from orchestrator.decide.space import Tenancy, is_buggy
from orchestrator.net.addresses import IpAddress, IpFamily, family_of
from orchestrator.resources.meta import ObjectKey

LONE = (RefusalReason.POOL_DRAINING, RefusalReason.RESERVED, RefusalReason.QUOTA_EXCEEDED)
"""Rules that are named if nothing else stands in the way."""
Users = Mapping[ObjectKey, Tenancy]


def compatible(one: Tenancy, other: Tenancy) -> bool:
    """Whether two Services may use one address."""
    if one.foreign or other.foreign:
        return False
    return bool(one.sharing_key) and one.terms == other.terms and not one.ports & other.ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Naive:
    """What is held and configured at one moment; `kept` are addresses that wait for the Services that had them."""

    config: Config
    assignments: Mapping[ObjectKey, Assignment]
    kept: Mapping[IpAddress, frozenset[ObjectKey]] = field(default_factory=dict)

    def users(self, address: IpAddress) -> dict[ObjectKey, Tenancy]:
        return {key: each.tenancy for key, each in self.assignments.items() if address in each.addresses}

    def without(self, service: ObjectKey) -> "Naive":
        others = {key: each for key, each in self.assignments.items() if key != service}
        return replace(self, assignments=others)

    def pool_of(self, address: IpAddress) -> Pool | None:
        found = (pool for pool in self.config.pools.values() if address in pool)
        return next((pool for pool in found if not (pool.avoid_buggy_ips and is_buggy(address))), None)

    def addresses(self, pool: Pool, family: IpFamily) -> Iterator[IpAddress]:
        for part in pool.ranges:
            for number in range(part.size if part.family is family else 0):
                address = part.first + number
                if self.pool_of(address) is not None:
                    yield address

    def reservation_of(self, address: IpAddress) -> Reservation | None:
        found = (each for each in self.config.reservations.values() if any(address in part for part in each.ranges))
        return next(found, None)

    # Quotas ---------------------------------------------------------------------------------------------------------

    def counted(self, quota: AddressQuota, namespace: str, family: IpFamily) -> set[IpAddress]:
        """The addresses in the quota's scope that this namespace is in."""
        held = set()
        for key, assignment in self.assignments.items():
            in_scope = quota.namespaces is None or key.namespace in quota.namespaces
            if quota.scope is QuotaScope.NAMESPACE:
                in_scope = in_scope and key.namespace == namespace
            for address in assignment.addresses if in_scope and not assignment.tenancy.foreign else ():
                pool = self.pool_of(address)
                in_pools = quota.pools is None or (pool is not None and pool.name in quota.pools)
                if in_pools and family_of(address) is family:
                    held.add(address)
        return held

    def within_quotas(self, service: ObjectKey, pool: Pool, address: IpAddress) -> bool:
        for quota in self.config.quotas.values():
            limit = quota.limits.get(family_of(address))
            covers = quota.namespaces is None or service.namespace in quota.namespaces
            if limit is None or not covers or (quota.pools is not None and pool.name not in quota.pools):
                continue
            counted = self.counted(quota, service.namespace, family_of(address))
            if address not in counted and len(counted) >= limit:
                return False
        return True

    # What a Service may have ------------------------------------------------------------------------------------------

    def may_keep(self, request: AllocationRequest, held: Assignment) -> bool:
        """Whether a Service may go on with what it has; `self` includes it."""
        families = families_of(held.addresses)
        partial = request.policy is FamilyPolicy.PREFER_DUAL_STACK and len(request.families) == 2
        if families != request.families and not partial:
            return False
        if request.addresses and set(request.addresses) != set(held.addresses):
            return False
        pools = {pool.name if pool else "" for pool in map(self.pool_of, held.addresses)}
        if len(pools) != 1 or "" in pools:
            return True
        pool = self.config.pools[pools.pop()]
        if not is_for(pool, request) or request.pool not in ("", pool.name):
            return False
        others = [
            tenancy
            for address in held.addresses
            for key, tenancy in self.users(address).items()
            if key != request.service and not tenancy.foreign
        ]
        return all(compatible(request.tenancy, other) for other in others)

    def may_take(
        self, request: AllocationRequest, pool: Pool, address: IpAddress, without: Collection[RefusalReason] = ()
    ) -> bool:
        """Whether the Service may begin to use an address of this pool; `self` must not include it."""
        reservation = self.reservation_of(address)
        is_its_own = reservation is not None and reservation.admits(request.service, request.labels)
        asked_for = request.pool == pool.name or address in request.addresses
        if not (pool.auto_assign or asked_for or is_its_own):
            return False
        kept = self.kept.get(address, frozenset())
        free = all(compatible(request.tenancy, other) for other in self.users(address).values())
        return (
            free
            and is_for(pool, request)
            and request.pool in ("", pool.name)
            and (not kept or request.service in kept or bool(self.users(address)))
            and (RefusalReason.POOL_DRAINING in without or not pool.draining)
            and (RefusalReason.RESERVED in without or reservation is None or is_its_own)
            and (RefusalReason.QUOTA_EXCEEDED in without or self.within_quotas(request.service, pool, address))
        )

    def can_be_served(self, request: AllocationRequest, without: Collection[RefusalReason] = ()) -> bool:
        """Whether there is any choice that gives the Service what it asks for; `self` must not include it."""
        if request.addresses:
            pools = [self.pool_of(address) for address in request.addresses]
            first = pools[0]
            if first is None or any(pool is not first for pool in pools):
                return False
            taken = all(self.may_take(request, first, address, without) for address in request.addresses)
            return taken and families_of(request.addresses) == request.families
        return any(self._pool_serves(request, pool, without) for pool in self.config.pools.values())

    def _pool_serves(self, request: AllocationRequest, pool: Pool, without: Collection[RefusalReason]) -> bool:
        offered = [
            any(self.may_take(request, pool, address, without) for address in self.addresses(pool, family))
            for family in request.families
        ]
        return any(offered) if request.policy is FamilyPolicy.PREFER_DUAL_STACK else all(offered)

    # Whether a refusal is true ------------------------------------------------------------------------------------------

    def explains(self, request: AllocationRequest, reason: RefusalReason) -> bool:
        """Whether the reason for which the Service has no address is true."""
        pools = [self.pool_of(address) for address in request.addresses]
        pool = pools[0] if pools and len({each.name if each else "" for each in pools}) == 1 else None
        named = self.config.pools.get(request.pool)
        if reason in LONE:
            return self._stands_in_the_way(request, reason, pool or named)
        users = [tenancy for address in request.addresses for tenancy in self.users(address).values()]
        target = pool or named
        return {
            RefusalReason.FAMILY_MISMATCH: {family_of(each) for each in request.addresses} != {*request.families},
            RefusalReason.ADDRESS_NOT_IN_POOLS: bool(request.addresses) and pool is None,
            RefusalReason.UNKNOWN_POOL: bool(request.pool) and named is None,
            RefusalReason.OTHER_POOL: pool is not None and request.pool not in ("", pool.name),
            RefusalReason.POOL_NOT_FOR_SERVICE: target is not None and not is_for(target, request),
            RefusalReason.SHARING_KEY_DIFFERS: not all(compatible(request.tenancy, user) for user in users),
            RefusalReason.PORT_IN_USE: any(request.tenancy.ports & user.ports for user in users),
            RefusalReason.NO_POOLS: not self.config.pools,
            RefusalReason.NO_AVAILABLE_ADDRESSES: not any(self.can_be_served(request, (each,)) for each in LONE),
        }.get(reason, False)

    def _stands_in_the_way(self, request: AllocationRequest, reason: RefusalReason, pool: Pool | None) -> bool:
        """Requested addresses must violate the rule; otherwise an address must be found without it."""
        if reason is RefusalReason.POOL_DRAINING and pool is not None:
            return pool.draining
        if request.addresses and reason is RefusalReason.RESERVED:
            return any(self._is_for_others(request, address) for address in request.addresses)
        if request.addresses and pool is not None:
            return not all(self.within_quotas(request.service, pool, each) for each in request.addresses)
        return self.can_be_served(request, (reason,))

    def _is_for_others(self, request: AllocationRequest, address: IpAddress) -> bool:
        reservation, kept = self.reservation_of(address), self.kept.get(address, frozenset())
        return (reservation is not None and not reservation.admits(request.service, request.labels)) or (
            bool(kept) and request.service not in kept
        )
