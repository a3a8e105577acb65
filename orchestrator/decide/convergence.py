"""What the controller does about one Service (contract 2.3): the status it should have, and the ledger brought to it.

An address in use never moves while it is still allowed, and nothing is taken away by absence of knowledge: with no
pool at all, or when a pool is gone, addresses stay with a reason until somebody releases them in the ledger. What the
ledger holds wins over a status that was read before our own write arrived.

Services of other classes are none of ours, but the addresses in their statuses are in use: nobody gets them anew, and
who has one keeps it.

Differences to MetalLB, on purpose (contract 11, numbers 13, 20, 21, 31, 50): the order of a dual-stack status stays;
PreferDualStack adds an address only to a Service with two families; entries that stay keep their ipMode.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum

from orchestrator.decide.allocation import additional, allocate, assign
from orchestrator.decide.annotations import ALLOCATED_FROM_POOL, deprecated_keys
from orchestrator.decide.eligibility import has_our_class
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import (
    FOREIGN,
    AllocationRefusal,
    AllocationRequest,
    FamilyPolicy,
    RefusalReason,
    families_of,
    quoted,
    request_of,
    tenancy_of,
)
from orchestrator.decide.sharing import Beside, sharing_refusal
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.resources.classes import CLASSLESS, ServedClasses
from orchestrator.resources.core import LoadBalancerIngress, Service
from orchestrator.resources.meta import ObjectKey


class Outcome(Enum):
    """What became of a Service in one pass."""

    NOT_OURS = "notOurs"
    """Of another loadBalancerClass: nothing is written; the addresses in its status are in use."""
    WAITING = "waiting"
    """Pools are not known yet: nothing is written."""
    ASSIGNED = "assigned"
    """It has what it asks for, or as much of it as there is."""
    KEPT = "kept"
    """It keeps its addresses although `refusal` says what is wrong."""
    CLEARED = "cleared"
    """It is no LoadBalancer: it has no addresses."""
    REFUSED = "refused"
    """It has no addresses, and `refusal` says why."""


class EventSeverity(Enum):
    """Type of a Kubernetes Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """An event to record on the Service (contract 12.1)."""

    severity: EventSeverity
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`pools_known`: the ledger was given the pools of a complete first list."""

    classes: ServedClasses = CLASSLESS
    pools_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """The status that the Service should have, None if it is not to be written; `pool` None removes the annotation.

    `freed`: addresses went back to the ledger, or may be shared on other terms, so others that wait may fit now.
    `incomplete`: it would take an address of another family, too.
    """

    outcome: Outcome
    ingress: tuple[LoadBalancerIngress, ...] | None = None
    pool: str | None = None
    events: tuple[ServiceEvent, ...] = ()
    refusal: AllocationRefusal | None = None
    freed: bool = False
    incomplete: bool = False

    def differs_from(self, service: Service) -> bool:
        """Whether there is something to write."""
        annotated = service.metadata.annotations.get(ALLOCATED_FROM_POOL)
        return self.ingress is not None and (
            self.ingress != service.status.load_balancer.ingress or self.pool != annotated
        )


def converge(service: Service, ledger: Ledger, rules: Rules) -> Convergence:
    """Return what the Service's status should be, and hold or release its addresses in the ledger."""
    before = ledger.assignment(service.metadata.key)
    if not has_our_class(service, rules.classes):
        _occupy(service, ledger)
        result = Convergence(outcome=Outcome.NOT_OURS)
    elif not rules.pools_known:
        return Convergence(outcome=Outcome.WAITING)
    else:
        if before is not None and before.tenancy.foreign:
            ledger.release(service.metadata.key)
        result = _Pass(service, ledger).run()
    after = ledger.assignment(service.metadata.key)
    result = replace(result, freed=before is not None and _opens(before, after))
    if result.differs_from(service):
        result = replace(result, events=(*result.events, *_deprecations(service)))
    return result


def _opens(before: Assignment, after: Assignment | None) -> bool:
    """Whether others may use now what they could not."""
    return after is None or before.tenancy != after.tenancy or not set(before.addresses) <= set(after.addresses)


def _occupy(service: Service, ledger: Ledger) -> None:
    """Note which addresses a Service of another class uses, in our pools or where pools may be one day."""
    entries = service.status.load_balancer.ingress if service.spec.type == "LoadBalancer" else ()
    addresses: dict[IpAddress, None] = {}
    for entry in entries:
        with suppress(InvalidConfig):
            addresses[parse_address(entry.ip)] = None
    key = service.metadata.key
    if addresses:
        ledger.hold(Assignment(service=key, pool="", addresses=tuple(addresses), tenancy=FOREIGN))
    else:
        ledger.release(key)


def _deprecations(service: Service) -> Iterable[ServiceEvent]:
    for key in deprecated_keys(service):
        message = f"Service uses deprecated annotation {key}"
        yield ServiceEvent(EventSeverity.WARNING, "deprecatedAnnotation", message)


class _Pass:
    """One convergence; collects the events on the way."""

    def __init__(self, service: Service, ledger: Ledger) -> None:
        self._service = service
        self._key = service.metadata.key
        self._ledger = ledger
        self._events: list[ServiceEvent] = []

    def run(self) -> Convergence:
        if self._service.spec.type != "LoadBalancer":
            return self._clear(Outcome.CLEARED, None)
        request = request_of(self._service)
        if isinstance(request, AllocationRefusal):
            return self._without_request(request)
        if not self._ledger.pools:
            return self._without_pools()
        held = self._held(request)
        if held is None:
            return self._allocate(request)
        if self._ledger.is_orphan(self._key):
            return self._keep(self._told_removed(held))
        return self._assigned(self._extended(held, request), request)

    # Addresses that the Service has ---------------------------------------------------------------------------------

    def _held(self, request: AllocationRequest) -> Assignment | None:
        """What the Service goes on holding, now held in the ledger; None if it has nothing or may not keep it."""
        known = self._ledger.assignment(self._key)
        addresses = known.addresses if known is not None else self._status_addresses()
        if not addresses or not self._wanted(addresses, request):
            self._ledger.release(self._key)
            return None
        if known is not None and self._ledger.is_orphan(self._key):
            return known
        assignment = assign(request, addresses, self._ledger)
        if isinstance(assignment, AllocationRefusal):
            message = (
                f'current IP for "{self._key}" not allowed by config, will attempt for new IP assignment: '
                f"{assignment.message}"
            )
            self._event(EventSeverity.NORMAL, "ClearAssignment", message)
            self._ledger.release(self._key)
            return None
        if request.pool and assignment.pool != request.pool:
            self._ledger.release(self._key)
            return None
        if assignment != known:
            self._ledger.hold(assignment)
        return assignment

    def _status_addresses(self) -> tuple[IpAddress, ...]:
        try:
            return addresses_in_status(self._service)
        except InvalidConfig as error:
            texts = quoted(entry.ip for entry in self._service.status.load_balancer.ingress if entry.ip)
            message = f"Failed to retrieve LBIPs IPFamily for {texts}: {error}"
            self._event(EventSeverity.WARNING, "nolbIPsIPFamily", message)
            return ()

    def _wanted(self, addresses: Sequence[IpAddress], request: AllocationRequest) -> bool:
        """Whether the addresses are of the Service's families and, if it names some, exactly those."""
        families = families_of(addresses)
        may_be_partial = len(request.families) == 2 and request.policy is FamilyPolicy.PREFER_DUAL_STACK
        if families != request.families and not may_be_partial:
            return False
        return not request.addresses or set(request.addresses) == set(addresses)

    def _extended(self, held: Assignment, request: AllocationRequest) -> Assignment:
        """PreferDualStack with one address: the other family from the same pool, if there is one now."""
        if request.policy is not FamilyPolicy.PREFER_DUAL_STACK or request.addresses:
            return held
        present = families_of(held.addresses)
        for family in (wanted for wanted in request.families if wanted not in present):
            found = additional(request, self._ledger.pools[held.pool], family, self._ledger)
            if isinstance(found, AllocationRefusal):
                message = f"cannot assign additional IP in PreferDualStack: {found.message}"
                self._event(EventSeverity.NORMAL, "AdditionalAssignFailed", message)
                continue
            held = replace(held, addresses=(*held.addresses, found))
            self._ledger.hold(held)
            self._event(EventSeverity.NORMAL, "IPAllocated", f'Assigned additional IP "{found}"')
        return held

    # Addresses that it gets -------------------------------------------------------------------------------------------

    def _allocate(self, request: AllocationRequest) -> Convergence:
        assignment = allocate(request, self._ledger)
        if isinstance(assignment, AllocationRefusal):
            return self._clear(Outcome.REFUSED, self._told_refused(assignment))
        self._ledger.hold(assignment)
        self._event(EventSeverity.NORMAL, "IPAllocated", f"Assigned IP {quoted(assignment.addresses)}")
        return self._assigned(assignment, request)

    # Results ----------------------------------------------------------------------------------------------------------

    def _event(self, severity: EventSeverity, reason: str, message: str) -> None:
        self._events.append(ServiceEvent(severity, reason, message))

    def _told_refused(self, refusal: AllocationRefusal) -> AllocationRefusal:
        message = f'Failed to allocate IP for "{self._key}": {refusal.message}'
        self._event(EventSeverity.WARNING, "AllocationFailed", message)
        return refusal

    def _told_removed(self, held: Assignment) -> AllocationRefusal:
        refusal = pool_removed(held)
        self._event(EventSeverity.WARNING, refusal.reason.value, refusal.message)
        return refusal

    def _without_pools(self) -> Convergence:
        """What is in use stays, whether or not it was ever ours."""
        refusal = AllocationRefusal(RefusalReason.NO_POOLS, "there is no pool; create an IPAddressPool")
        held = self._ledger.assignment(self._key)
        if held is not None:
            self._told_removed(held)
        elif not self._service.status.load_balancer.ingress:
            self._told_refused(refusal)
        return self._keep(refusal)

    def _without_request(self, refusal: AllocationRefusal) -> Convergence:
        """What cannot be understood takes nothing away; a Service that cannot be dual-stack loses what it has."""
        match refusal.reason:
            case RefusalReason.NOT_ENOUGH_CLUSTER_ADDRESSES:
                self._event(EventSeverity.WARNING, "not enough clusterips", refusal.message)
                return self._clear(Outcome.REFUSED, refusal)
            case RefusalReason.INVALID_CLUSTER_ADDRESSES:
                self._event(EventSeverity.WARNING, "noclusterIPsIPFamily", refusal.message)
            case _ if self._service.status.load_balancer.ingress or self._ledger.assignment(self._key):
                message = f"invalid requested loadbalancer IPs: {refusal.message}"
                self._event(EventSeverity.WARNING, "LoadBalancerFailed", message)
            case _:
                self._told_refused(refusal)
        return self._keep(refusal)

    def _assigned(self, assignment: Assignment, request: AllocationRequest) -> Convergence:
        return Convergence(
            outcome=Outcome.ASSIGNED,
            ingress=self._ingress(assignment.addresses),
            pool=assignment.pool,
            events=tuple(self._events),
            incomplete=len(assignment.addresses) < len(request.families),
        )

    def _keep(self, refusal: AllocationRefusal) -> Convergence:
        """Leave the addresses where they are: those that the ledger knows, else those in the status."""
        held = self._ledger.assignment(self._key)
        current = self._service.status.load_balancer.ingress
        annotated = self._service.metadata.annotations.get(ALLOCATED_FROM_POOL)
        ingress = current if held is None else self._ingress(held.addresses)
        return Convergence(
            outcome=Outcome.KEPT if ingress else Outcome.REFUSED,
            ingress=ingress,
            pool=annotated if held is None else held.pool or annotated,
            events=tuple(self._events),
            refusal=refusal,
        )

    def _clear(self, outcome: Outcome, refusal: AllocationRefusal | None) -> Convergence:
        self._ledger.release(self._key)
        return Convergence(outcome=outcome, ingress=(), events=tuple(self._events), refusal=refusal)

    def _ingress(self, addresses: Iterable[IpAddress]) -> tuple[LoadBalancerIngress, ...]:
        """Entries that are there stay as they are: the API server fills in ipMode (contract 11, number 13)."""
        present = {entry.ip: entry for entry in self._service.status.load_balancer.ingress}
        return tuple(present.get(str(address), LoadBalancerIngress(ip=str(address))) for address in addresses)


def pool_removed(held: Assignment) -> AllocationRefusal:
    """Return what to say of an orphan."""
    pool = f"pool {held.pool}" if held.pool else "the pool"
    message = (
        f"{pool} does not contain {quoted(held.addresses)} any more; the addresses stay for a while: "
        "put them back into a pool, or expect others"
    )
    return AllocationRefusal(RefusalReason.POOL_REMOVED, message)


def addresses_in_status(service: Service) -> tuple[IpAddress, ...]:
    """Return the addresses of the status in their order; entries with a host name only are skipped.

    Raises InvalidConfig if one is no address, or if they are not one or two of different families.
    """
    addresses = tuple(parse_address(entry.ip) for entry in service.status.load_balancer.ingress if entry.ip)
    if addresses:
        families_of(addresses)
    return addresses


def adopt(service: Service, ledger: Ledger, rules: Rules) -> bool:
    """Hold what the status says, before anything is allocated; False if there is nothing of ours, or others have it.

    Addresses that are in no pool are adopted too, as orphans: the pool may have gone while nobody watched.
    """
    if not has_our_class(service, rules.classes):
        _occupy(service, ledger)
        return False
    if service.spec.type != "LoadBalancer":
        return False
    try:
        addresses = addresses_in_status(service)
    except InvalidConfig:
        return False
    key, tenancy = service.metadata.key, tenancy_of(service)
    if not addresses or any(sharing_refusal(key, tenancy, each, ledger, Beside.OUR_OWN) for each in addresses):
        return False
    pool = ledger.pool_of(addresses)
    name = pool.name if pool is not None else service.metadata.annotations.get(ALLOCATED_FROM_POOL, "")
    ledger.hold(Assignment(service=key, pool=name, addresses=addresses, tenancy=tenancy))
    return True


def adopt_all(services: Iterable[Service], ledger: Ledger, rules: Rules) -> tuple[ObjectKey, ...]:
    """Adopt every Service, the older first so that it keeps a doubly held address; return those adopted."""
    ordered = sorted(services, key=age)
    return tuple(service.metadata.key for service in ordered if adopt(service, ledger, rules))


def age(service: Service) -> tuple[bool, str, ObjectKey]:
    """Sort key: the older Service first; one without creation time counts as new."""
    created = service.metadata.creation_timestamp or ""
    return (not created, created, service.metadata.key)
