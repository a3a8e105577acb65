"""Which addresses a Service gets: `allocate` finds in the ledger what it asks for (contract 2.4, 2.5, 2.6).

The order of choices: the addresses that it requests; those that it had not long ago; those that are reserved for it (if
by its name, then before those that it had); the pool that it names; any pool. An address that rests is taken when no other is free, and a family whose quota is used up
counts as not offered. Nothing is held here. Where MetalLB's order is random (pools of equal rank) it is the pools' names.

What stands in the way alone is found by leaving it out: if without quotas the Service would get an address, the quota is
the reason of the refusal.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.model import Pool
from orchestrator.decide import admission
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import (
    DUAL,
    AllocationRefusal,
    AllocationRequest,
    FamilyPolicy,
    RefusalReason,
    families_of,
    quoted,
)
from orchestrator.decide.sharing import Beside, sharing_refusal
from orchestrator.decide.space import Run
from orchestrator.net.addresses import IpAddress, IpFamily, family_of


def allocate(request: AllocationRequest, ledger: Ledger) -> Assignment | AllocationRefusal:
    """Return addresses that the Service may hold, or why there are none. The ledger is not changed."""
    if request.addresses:
        return _requested(request, ledger)
    if request.pool:
        refusal = _unusable(request, ledger)
        if refusal is not None:
            return refusal
    return _Search(request, ledger).run() or _hindrance(request, ledger)


def assign(
    request: AllocationRequest, addresses: tuple[IpAddress, ...], ledger: Ledger, beside: Beside = Beside.OUR_OWN
) -> Assignment | AllocationRefusal:
    """Return the assignment of exactly these addresses if the rules for who holds them allow it (contract 2.5)."""
    pool = ledger.pool_of(addresses)
    if pool is None:
        message = f"{quoted(addresses)} is not allowed in config; use addresses of one IPAddressPool"
        return AllocationRefusal(RefusalReason.ADDRESS_NOT_IN_POOLS, message)
    if not admission.is_for(pool, request):
        return admission.not_for(pool)
    for address in addresses:
        refusal = sharing_refusal(request.service, request.tenancy, address, ledger, beside)
        if refusal is not None:
            return refusal
    return Assignment(service=request.service, pool=pool.name, addresses=addresses, tenancy=request.tenancy)


def additional(
    request: AllocationRequest, pool: Pool, family: IpFamily, ledger: Ledger
) -> IpAddress | AllocationRefusal:
    """Return an address of one more family from the pool that the Service has its other address from."""
    where = f"no available IPs in pool {pool.name} for {family.value} IPFamily"
    found = _Search(request, ledger).one_more(pool, family)
    if found is not None:
        return found
    for leniency in _leniencies(ledger):
        found = _Search(request, ledger, leniency).one_more(pool, family)
        refusal = found and _explained(leniency, request, pool, (found,), ledger)
        if refusal:
            return AllocationRefusal(refusal.reason, f"{where}: {refusal.message}")
    return AllocationRefusal(RefusalReason.NO_AVAILABLE_ADDRESSES, where)


# Requested by name --------------------------------------------------------------------------------------------------


def _requested(request: AllocationRequest, ledger: Ledger) -> Assignment | AllocationRefusal:
    asked = f"requested loadBalancer IP(s) {quoted(request.addresses)}"
    if families_of(request.addresses) != request.families:
        wanted = " and ".join(family.value for family in request.families)
        message = f"{asked} does not match the ipFamily of the service; request {wanted}"
        return AllocationRefusal(RefusalReason.FAMILY_MISMATCH, message)
    assignment = assign(request, request.addresses, ledger, Beside.ANYBODY)
    if isinstance(assignment, AllocationRefusal):
        return assignment
    if request.pool and assignment.pool != request.pool:
        message = f"{asked} is not compatible with requested address pool {request.pool}; remove one of the annotations"
        return AllocationRefusal(RefusalReason.OTHER_POOL, message)
    return admission.taking_refusal(request, assignment, ledger) or assignment


# Chosen -------------------------------------------------------------------------------------------------------------

Offers = Mapping[IpFamily, IpAddress]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leniency:
    """Which rules are left out, to see whether they stand in the way."""

    quotas: bool = False
    reservations: bool = False
    draining: bool = False


STRICT = Leniency()


def _leniencies(ledger: Ledger) -> Iterator[Leniency]:
    """One for each rule that anything here is subject to."""
    if ledger.quotas.quotas:
        yield Leniency(quotas=True)
    if ledger.reserved.reservations:
        yield Leniency(reservations=True)
    if any(pool.draining for pool in ledger.pools.values()):
        yield Leniency(draining=True)


class _Search:
    """The choice of addresses for one request."""

    def __init__(self, request: AllocationRequest, ledger: Ledger, leniency: Leniency = STRICT) -> None:
        self._request = request
        self._ledger = ledger
        self._leniency = leniency
        self._reservations = ledger.reserved.admitting(request.service, request.labels)
        self._order = DUAL if request.pool else (request.primary, *DUAL)

    def run(self) -> Assignment | None:
        """The first choice that gives the Service all of its families, or as many as will do.

        A reservation that names the Service is meant to move it.
        """
        if self._ledger.reserved.naming(self._request.service):
            return self._from_reservations() or self._former() or self._from_pools()
        return self._former() or self._from_reservations() or self._from_pools()

    def one_more(self, pool: Pool, family: IpFamily) -> IpAddress | None:
        """An address to be held beside one of the same pool."""
        if not self._is_open(pool):
            return None
        special = self._former_offers(pool).get(family) or self._reserved_offers(pool).get(family)
        return special or self._offer(pool, family, resting=True)

    def _is_open(self, pool: Pool) -> bool:
        return not pool.draining or self._leniency.draining

    def _serves(self, pool: Pool) -> bool:
        named = self._request.pool in ("", pool.name)
        return named and self._is_open(pool) and admission.is_for(pool, self._request)

    def _completes(self, pool: Pool) -> bool:
        """Whether the pool may add the family that a former or reserved address lacks."""
        return pool.auto_assign or self._request.pool == pool.name

    # What it had ----------------------------------------------------------------------------------------------------

    def _former(self) -> Assignment | None:
        """Of the pools in which it had addresses, the latest first, one that may give them back."""
        had = (address for address in self._ledger.former(self._request.service) if self._may_return_to(address))
        names = dict.fromkeys(pool.name for address in had if (pool := self._ledger.pool_of((address,))) is not None)
        for pool in (self._ledger.pools[name] for name in names):
            found = self._with_the_rest(pool, self._former_offers(pool)) if self._serves(pool) else None
            if found is not None:
                return found
        return None

    def _former_offers(self, pool: Pool) -> Offers:
        offers: dict[IpFamily, IpAddress] = {}
        for address in self._ledger.former(self._request.service):
            in_pool = self._ledger.pool_of((address,)) is pool and self._may_return_to(address)
            if in_pool and not self._over_quota(pool, address):
                offers.setdefault(family_of(address), address)
        return offers

    def _may_return_to(self, address: IpAddress) -> bool:
        request, ledger = self._request, self._ledger
        pool, reservation = ledger.pool_of((address,)), ledger.reserved.covering(address)
        if pool is None or family_of(address) not in request.families:
            return False
        is_its_own = reservation is not None and reservation.admits(request.service, request.labels)
        if not is_its_own and not self._completes(pool):
            return False
        if reservation is not None and not is_its_own and not self._leniency.reservations:
            return False
        if sharing_refusal(request.service, request.tenancy, address, ledger) is not None:
            return False
        return admission.kept(request, address, ledger) is None

    # What is reserved for it ------------------------------------------------------------------------------------------

    def _from_reservations(self) -> Assignment | None:
        partial: Assignment | None = None
        for pool in self._reserving_pools():
            found = self._with_the_rest(pool, self._reserved_offers(pool))
            if found is not None and len(found.addresses) == len(self._request.families):
                return found
            partial = partial or found
        return partial

    def _reserving_pools(self) -> Iterator[Pool]:
        """The pools that have addresses of its reservations, in the order of these."""
        ranges = (part for reservation in self._reservations for part in reservation.ranges)
        names = dict.fromkeys(name for part in ranges for name in self._ledger.pools_of(part))
        return (pool for pool in (self._ledger.pools[name] for name in names) if self._serves(pool))

    def _reserved_offers(self, pool: Pool) -> Offers:
        found: dict[IpFamily, IpAddress] = {}
        parts = [part for reservation in self._reservations for part in reservation.ranges]
        for family in self._request.families if parts else ():
            runs = self._ledger.space(pool.name, family).runs_of(parts)
            address = self._offer(pool, family, resting=True, within=runs)
            if address is not None:
                found[family] = address
        return found

    def _with_the_rest(self, pool: Pool, offers: Offers) -> Assignment | None:
        """Complete offers of a pool with its other addresses; None if there are none to begin with, or too few."""
        if not offers:
            return None
        together = {**self._reserved_offers(pool), **self._former_offers(pool), **offers}
        missing = [family for family in self._request.families if family not in together]
        for family in missing if self._completes(pool) else ():
            address = self._offer(pool, family, resting=True)
            if address is not None:
                together[family] = address
        return self._if_complete(pool, together) or self._if_partial(pool, together)

    # What pools have --------------------------------------------------------------------------------------------------

    def _from_pools(self) -> Assignment | None:
        """Of the pools of one rank the first that has all families, else, if one will do, the first that has that."""
        ranks = list(self._ranks())
        prefers = self._request.policy is FamilyPolicy.PREFER_DUAL_STACK
        for resting in (False, True):
            for pools in ranks:
                found = self._complete(pools, resting=resting)
                if found is None and prefers:
                    found = self._complete(pools, resting=True) or self._partial(pools, resting=resting)
                if found is not None:
                    return found
        return None

    def _ranks(self) -> Iterator[Sequence[Pool]]:
        """The named pool; else those whose serviceAllocation names this Service, by priority (0 is last); all others."""
        pools = self._ledger.pools
        if self._request.pool:
            yield [pool for pool in (pools[self._request.pool],) if self._serves(pool)]
            return
        usable = [pool for pool in pools.values() if pool.auto_assign and self._serves(pool)]
        pinned = [
            (pool.service_allocation.priority or float("inf"), pool.name, pool)
            for pool in usable
            if pool.service_allocation is not None
        ]
        yield [pool for _, _, pool in sorted(pinned, key=lambda entry: entry[:2])]
        yield [pool for pool in usable if pool.service_allocation is None]

    def _complete(self, pools: Iterable[Pool], *, resting: bool) -> Assignment | None:
        for pool in pools:
            offered: dict[IpFamily, IpAddress] = {}
            for family in self._request.families:
                address = self._offer(pool, family, resting=resting)
                if address is None:
                    break
                offered[family] = address
            else:
                return self._assignment(pool, offered)
        return None

    def _partial(self, pools: Sequence[Pool], *, resting: bool) -> Assignment | None:
        for family in self._order:
            for pool in pools if family in self._request.families else ():
                address = self._offer(pool, family, resting=resting)
                if address is not None:
                    return self._assignment(pool, {family: address})
        return None

    # One address ------------------------------------------------------------------------------------------------------

    def _offer(
        self, pool: Pool, family: IpFamily, *, resting: bool, within: Sequence[Run] | None = None
    ) -> IpAddress | None:
        """The lowest that is free or may be shared; with `resting` then the one that has rested longest."""
        space, tenancy = self._ledger.space(pool.name, family), self._request.tenancy
        if within is None and self._leniency.reservations:
            within = space.everything
        address = space.lowest(tenancy, within)
        if address is None and resting:
            address = space.longest_rested(within)
        if address is None or not self._over_quota(pool, address):
            return address
        together = (each for each in space.shareable(tenancy, within) if not self._over_quota(pool, each))
        return next(together, None)

    def _over_quota(self, pool: Pool, address: IpAddress) -> bool:
        if self._leniency.quotas:
            return False
        return self._ledger.quotas.refusal(self._request.service.namespace, pool.name, address) is not None

    def _if_complete(self, pool: Pool, offers: Offers) -> Assignment | None:
        return self._assignment(pool, offers) if len(offers) == len(self._request.families) else None

    def _if_partial(self, pool: Pool, offers: Offers) -> Assignment | None:
        if self._request.policy is not FamilyPolicy.PREFER_DUAL_STACK:
            return None
        family = next(family for family in self._order if family in offers)
        return self._assignment(pool, {family: offers[family]})

    def _assignment(self, pool: Pool, offers: Offers) -> Assignment:
        addresses = tuple(offers[family] for family in self._request.families if family in offers)
        return Assignment(
            service=self._request.service, pool=pool.name, addresses=addresses, tenancy=self._request.tenancy
        )


# Why there is none ----------------------------------------------------------------------------------------------------


def _unusable(request: AllocationRequest, ledger: Ledger) -> AllocationRefusal | None:
    """Return why the pool that is named gives nothing, whatever is free in it."""
    pool = ledger.pools.get(request.pool)
    if pool is None:
        existing = ", ".join(ledger.pools) or "none"
        message = f'unknown pool "{request.pool}"; the pools are: {existing}'
        return AllocationRefusal(RefusalReason.UNKNOWN_POOL, message)
    if not admission.is_for(pool, request):
        return admission.not_for(pool)
    return admission.draining(pool.name) if pool.draining else None


def _hindrance(request: AllocationRequest, ledger: Ledger) -> AllocationRefusal:
    """Return the rule that stands in the way alone, else that nothing is free."""
    for leniency in _leniencies(ledger):
        found = _Search(request, ledger, leniency).run()
        refusal = found and _explained(leniency, request, ledger.pools[found.pool], found.addresses, ledger)
        if refusal:
            return refusal
    where = f" in pool {request.pool}" if request.pool else ""
    families = " and ".join(family.value for family in request.families)
    message = f"no available IPs{where}; add {families} addresses to a pool that serves this Service"
    return AllocationRefusal(RefusalReason.NO_AVAILABLE_ADDRESSES, message)


def _explained(
    leniency: Leniency, request: AllocationRequest, pool: Pool, addresses: Sequence[IpAddress], ledger: Ledger
) -> AllocationRefusal | None:
    """Say what keeps the Service from the addresses that it would get under this leniency."""
    if leniency.draining:
        return admission.draining(pool.name)
    for address in addresses:
        refusal = (
            admission.reserved(request, address, ledger)
            if leniency.reservations
            else ledger.quotas.refusal(request.service.namespace, pool.name, address)
        )
        if refusal is not None:
            return refusal
    return None
