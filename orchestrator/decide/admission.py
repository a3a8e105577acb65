"""Who may take an address of a pool anew: serviceAllocation, draining, reservations, released addresses, quotas.

Only the first of these concerns an address that a Service has already.
"""

from orchestrator.config.model import Pool
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import AllocationRefusal, AllocationRequest, RefusalReason
from orchestrator.net.addresses import IpAddress
from orchestrator.resources.selectors import admits


def is_for(pool: Pool, request: AllocationRequest) -> bool:
    """Whether the pool's serviceAllocation lets this Service in."""
    allocation = pool.service_allocation
    if allocation is None:
        return True
    in_namespace = allocation.namespaces is None or request.service.namespace in allocation.namespaces
    return in_namespace and admits(allocation.service_selectors, request.labels)


def not_for(pool: Pool) -> AllocationRefusal:
    """Return the refusal of a pool that does not let the Service in."""
    message = f"pool {pool.name} not compatible for ip assignment; its serviceAllocation does not match this Service"
    return AllocationRefusal(RefusalReason.POOL_NOT_FOR_SERVICE, message)


def taking_refusal(request: AllocationRequest, assignment: Assignment, ledger: Ledger) -> AllocationRefusal | None:
    """Return what forbids to take addresses anew that one might keep."""
    if ledger.pools[assignment.pool].draining:
        return draining(assignment.pool)
    for address in assignment.addresses:
        refusal = (
            reserved(request, address, ledger)
            or kept(request, address, ledger)
            or ledger.quotas.refusal(request.service.namespace, assignment.pool, address)
        )
        if refusal is not None:
            return refusal
    return None


def reserved(request: AllocationRequest, address: IpAddress, ledger: Ledger) -> AllocationRefusal | None:
    """Return why an address is for others; None if it is not reserved, or for this Service."""
    reservation = ledger.reserved.against(request.service, request.labels, address)
    if reservation is None:
        return None
    owner = f"for {reservation.service}" if reservation.service is not None else "for others"
    message = (
        f'"{address}" is reserved {owner} by AddressReservation {reservation.name}; '
        "take another address, or change the reservation"
    )
    return AllocationRefusal(RefusalReason.RESERVED, message)


def kept(request: AllocationRequest, address: IpAddress, ledger: Ledger) -> AllocationRefusal | None:
    """Return why an address that nobody uses waits for its former Service."""
    former = ledger.kept_for(address)
    if not former or request.service in former:
        return None
    names = ", ".join(str(key) for key in sorted(former))
    message = f'"{address}" is kept for {names}, which had it not long ago; take another address, or wait'
    return AllocationRefusal(RefusalReason.RESERVED, message)


def draining(pool: str) -> AllocationRefusal:
    """Return the refusal of a pool that gives nothing any more."""
    message = (
        f"pool {pool} is draining and gives addresses to no other Service; "
        "use another pool, or set its spec.draining to false"
    )
    return AllocationRefusal(RefusalReason.POOL_DRAINING, message)
