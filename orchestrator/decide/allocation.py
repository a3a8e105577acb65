"""Which addresses a Service gets: `allocate` finds in the ledger what it asks for (contract 2.4, 2.5, 2.6).

Nothing is held here. Where MetalLB's order is random (pools of equal rank) it is the pools' names.
"""

from collections.abc import Iterable, Mapping, Sequence

from orchestrator.config.model import Pool
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import (
    AllocationRefusal,
    AllocationRequest,
    FamilyPolicy,
    RefusalReason,
    families_of,
    quoted,
)
from orchestrator.decide.sharing import sharing_refusal
from orchestrator.net.addresses import IpAddress, IpFamily
from orchestrator.resources.selectors import admits


def allocate(request: AllocationRequest, ledger: Ledger) -> Assignment | AllocationRefusal:
    """Return addresses that the Service may hold, or why there are none. The ledger is not changed."""
    if request.addresses:
        return _allocate_requested(request, ledger)
    if request.pool:
        return _allocate_from_named(request, ledger)
    return _allocate_automatically(request, ledger)


def assign(
    request: AllocationRequest, addresses: tuple[IpAddress, ...], ledger: Ledger
) -> Assignment | AllocationRefusal:
    """Return the assignment of exactly these addresses if the rules allow it (contract 2.5)."""
    pool = ledger.pool_of(addresses)
    if pool is None:
        message = f"{quoted(addresses)} is not allowed in config; use addresses of one IPAddressPool"
        return AllocationRefusal(RefusalReason.ADDRESS_NOT_IN_POOLS, message)
    if not is_for(pool, request):
        return _not_for(pool)
    for address in addresses:
        refusal = sharing_refusal(request.service, request.tenancy, address, ledger)
        if refusal is not None:
            return refusal
    return Assignment(service=request.service, pool=pool.name, addresses=addresses, tenancy=request.tenancy)


def is_for(pool: Pool, request: AllocationRequest) -> bool:
    """Whether the pool's serviceAllocation lets this Service in."""
    allocation = pool.service_allocation
    if allocation is None:
        return True
    in_namespace = allocation.namespaces is None or request.service.namespace in allocation.namespaces
    return in_namespace and admits(allocation.service_selectors, request.labels)


def _not_for(pool: Pool) -> AllocationRefusal:
    message = f"pool {pool.name} not compatible for ip assignment; its serviceAllocation does not match this Service"
    return AllocationRefusal(RefusalReason.POOL_NOT_FOR_SERVICE, message)


def _allocate_requested(request: AllocationRequest, ledger: Ledger) -> Assignment | AllocationRefusal:
    asked = f"requested loadBalancer IP(s) {quoted(request.addresses)}"
    if families_of(request.addresses) != request.families:
        wanted = " and ".join(family.value for family in request.families)
        message = f"{asked} does not match the ipFamily of the service; request {wanted}"
        return AllocationRefusal(RefusalReason.FAMILY_MISMATCH, message)
    assignment = assign(request, request.addresses, ledger)
    if isinstance(assignment, Assignment) and request.pool and assignment.pool != request.pool:
        message = f"{asked} is not compatible with requested address pool {request.pool}; remove one of the annotations"
        return AllocationRefusal(RefusalReason.OTHER_POOL, message)
    return assignment


def _allocate_from_named(request: AllocationRequest, ledger: Ledger) -> Assignment | AllocationRefusal:
    pool = ledger.pools.get(request.pool)
    if pool is None:
        existing = ", ".join(ledger.pools) or "none"
        message = f'unknown pool "{request.pool}"; the pools are: {existing}'
        return AllocationRefusal(RefusalReason.UNKNOWN_POOL, message)
    if not is_for(pool, request):
        return _not_for(pool)
    offered = _offers(pool, request, ledger)
    families = _complete(offered, request) or _partial(offered, request)
    if families is None:
        return _exhausted(f" in pool {pool.name}", request)
    return _assignment(request, pool, offered, families)


def _allocate_automatically(request: AllocationRequest, ledger: Ledger) -> Assignment | AllocationRefusal:
    return (
        _best(_pinned(request, ledger.pools), request, ledger)
        or _best(_common(ledger.pools), request, ledger)
        or _exhausted("", request)
    )


def _pinned(request: AllocationRequest, pools: Mapping[str, Pool]) -> tuple[Pool, ...]:
    """Pools whose serviceAllocation names this Service, by priority (0 is last), then name."""
    ranked = [
        (pool.service_allocation.priority or float("inf"), name, pool)
        for name, pool in pools.items()
        if pool.auto_assign and pool.service_allocation is not None and is_for(pool, request)
    ]
    return tuple(pool for _, _, pool in sorted(ranked, key=lambda entry: entry[:2]))


def _common(pools: Mapping[str, Pool]) -> tuple[Pool, ...]:
    return tuple(pool for _, pool in sorted(pools.items()) if pool.auto_assign and pool.service_allocation is None)


Offers = Mapping[IpFamily, IpAddress]


def _best(pools: Sequence[Pool], request: AllocationRequest, ledger: Ledger) -> Assignment | None:
    """The first pool with all families of the Service; if none has, and one may do, with the primary one, then any."""
    partial: dict[IpFamily, Assignment] = {}
    for pool in pools:
        offered = _offers(pool, request, ledger)
        complete = _complete(offered, request)
        if complete is not None:
            return _assignment(request, pool, offered, complete)
        if request.policy is FamilyPolicy.PREFER_DUAL_STACK:
            for family in offered:
                partial.setdefault(family, _assignment(request, pool, offered, (family,)))
    return partial.get(request.primary) or next(iter(partial.values()), None)


def _offers(pool: Pool, request: AllocationRequest, ledger: Ledger) -> Offers:
    found = ((family, ledger.lowest(pool.name, family, request.tenancy)) for family in request.families)
    return {family: address for family, address in found if address is not None}


def _complete(offered: Offers, request: AllocationRequest) -> tuple[IpFamily, ...] | None:
    return request.families if len(offered) == len(request.families) else None


def _partial(offered: Offers, request: AllocationRequest) -> tuple[IpFamily, ...] | None:
    """From a named pool PreferDualStack takes IPv4 before IPv6 (contract 2.4)."""
    if request.policy is not FamilyPolicy.PREFER_DUAL_STACK or not offered:
        return None
    return tuple(offered)[:1]


def _assignment(request: AllocationRequest, pool: Pool, offered: Offers, families: Iterable[IpFamily]) -> Assignment:
    addresses = tuple(offered[family] for family in families)
    return Assignment(service=request.service, pool=pool.name, addresses=addresses, tenancy=request.tenancy)


def _exhausted(where: str, request: AllocationRequest) -> AllocationRefusal:
    families = " and ".join(family.value for family in request.families)
    message = f"no available IPs{where}; add {families} addresses to a pool that serves this Service"
    return AllocationRefusal(RefusalReason.NO_AVAILABLE_ADDRESSES, message)
