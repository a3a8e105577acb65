"""Which addresses a Service gets: `request_of` reads what it asks for, `allocate` finds it in the ledger (contract 2.4).

Nothing is held here. A refusal is a value: its reason for conditions and metrics, its message in MetalLB's words
followed by the remedy. Where MetalLB's order is random (pools of equal rank) it is the pools' names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from orchestrator.config.model import Pool
from orchestrator.decide.annotations import ADDRESS_POOL, ALLOW_SHARED_IP, LOAD_BALANCER_IPS, annotation
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.space import Tenancy
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, IpFamily, family_of, parse_address
from orchestrator.resources.core import Service, ServiceSpec
from orchestrator.resources.meta import ObjectKey
from orchestrator.resources.selectors import admits

DUAL = (IpFamily.IPV4, IpFamily.IPV6)


class RefusalReason(Enum):
    """Why a Service has no address, or not the one that it asks for; values are condition reasons."""

    INVALID_REQUEST = "InvalidRequest"
    INVALID_CLUSTER_ADDRESSES = "InvalidClusterAddresses"
    NOT_ENOUGH_CLUSTER_ADDRESSES = "NotEnoughClusterAddresses"
    FAMILY_MISMATCH = "FamilyMismatch"
    UNKNOWN_POOL = "UnknownPool"
    OTHER_POOL = "OtherPool"
    ADDRESS_NOT_IN_POOLS = "AddressNotInPools"
    POOL_NOT_FOR_SERVICE = "PoolNotForService"
    SHARING_KEY_DIFFERS = "SharingKeyDiffers"
    PORT_IN_USE = "PortInUse"
    NO_AVAILABLE_ADDRESSES = "NoAvailableAddresses"
    POOL_DRAINING = "PoolDraining"
    RESERVED = "Reserved"
    QUOTA_EXCEEDED = "QuotaExceeded"
    NO_POOLS = "NoPools"
    POOL_REMOVED = "PoolRemoved"


@dataclass(frozen=True, slots=True)
class AllocationRefusal:
    """No, because."""

    reason: RefusalReason
    message: str


class FamilyPolicy(Enum):
    """spec.ipFamilyPolicy."""

    SINGLE_STACK = "SingleStack"
    PREFER_DUAL_STACK = "PreferDualStack"
    REQUIRE_DUAL_STACK = "RequireDualStack"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRequest:
    """What a Service asks for. `families` are those of its cluster addresses, IPv4 first; `primary` is its first one.

    `addresses` are requested by name (empty: any); `pool` is the address-pool annotation (empty: any).
    """

    service: ObjectKey
    labels: Mapping[str, str]
    families: tuple[IpFamily, ...]
    primary: IpFamily
    policy: FamilyPolicy
    addresses: tuple[IpAddress, ...] = ()
    pool: str = ""
    tenancy: Tenancy


def quoted(values: Iterable[object]) -> str:
    """Return a list as MetalLB's texts have it: ["a" "b"]."""
    return "[" + " ".join(f'"{value}"' for value in values) + "]"


# What a Service asks for ---------------------------------------------------------------------------------------------


def request_of(service: Service) -> AllocationRequest | AllocationRefusal:
    """Return what the Service asks for, or why that cannot be understood."""
    policy = _policy(service)
    families = _families(service, policy)
    if isinstance(families, AllocationRefusal):
        return families
    addresses = _requested(service)
    if isinstance(addresses, AllocationRefusal):
        return addresses
    return AllocationRequest(
        service=service.metadata.key,
        labels=service.metadata.labels,
        families=families,
        primary=_primary(service),
        policy=policy,
        addresses=addresses,
        pool=annotation(service, ADDRESS_POOL) or "",
        tenancy=tenancy_of(service),
    )


def tenancy_of(service: Service) -> Tenancy:
    """Return the terms of sharing (contract 2.7).

    With externalTrafficPolicy Local only Services of the same endpoints may share, which MetalLB takes for Services
    of equal selectors; the namespace belongs to it (contract 11, number 35).
    """
    backend_key = ""
    if service.spec.external_traffic_policy == "Local":
        selector = ",".join(f"{key}={value}" for key, value in sorted(service.spec.selector.items()))
        backend_key = f"{service.metadata.namespace}/{selector}"
    return Tenancy(
        sharing_key=annotation(service, ALLOW_SHARED_IP) or "",
        backend_key=backend_key,
        ports=frozenset((port.protocol, port.port) for port in service.spec.ports),
    )


def _policy(service: Service) -> FamilyPolicy:
    try:
        return FamilyPolicy(service.spec.ip_family_policy)
    except ValueError:
        return FamilyPolicy.SINGLE_STACK


def _primary(service: Service) -> IpFamily:
    first = service.spec.ip_families[:1]
    return IpFamily.IPV6 if first == (IpFamily.IPV6.value,) else IpFamily.IPV4


def _families(service: Service, policy: FamilyPolicy) -> tuple[IpFamily, ...] | AllocationRefusal:
    spec = service.spec
    texts = spec.cluster_ips or ((spec.cluster_ip,) if spec.cluster_ip else ())
    if not texts:
        return _families_without_cluster_addresses(spec, policy)
    if policy is FamilyPolicy.REQUIRE_DUAL_STACK and len(texts) < 2:
        message = (
            f"Service requires dual stack but not enough clusterips {quoted(texts)}; the cluster gives it one family"
        )
        return AllocationRefusal(RefusalReason.NOT_ENOUGH_CLUSTER_ADDRESSES, message)
    try:
        return families_of([parse_address(text) for text in texts])
    except InvalidConfig as error:
        message = f"Failed to retrieve ClusterIPs IPFamily for {quoted(texts)}: {error}; create the Service again"
        return AllocationRefusal(RefusalReason.INVALID_CLUSTER_ADDRESSES, message)


def _families_without_cluster_addresses(spec: ServiceSpec, policy: FamilyPolicy) -> tuple[IpFamily, ...]:
    """Manifests that no API server has filled in: its defaults are taken (two named families ask for both)."""
    known = {family.value: family for family in IpFamily}
    named = [known[name] for name in spec.ip_families if name in known]
    if policy is not FamilyPolicy.SINGLE_STACK or (spec.ip_family_policy is None and len(set(named)) == 2):
        return DUAL
    return (*named, IpFamily.IPV4)[:1]


def families_of(addresses: Sequence[IpAddress]) -> tuple[IpFamily, ...]:
    """Return the families of one or two addresses, IPv4 first. Raises InvalidConfig if they are not distinct."""
    families = {family_of(address) for address in addresses}
    if not 1 <= len(addresses) <= 2 or len(families) != len(addresses):
        raise InvalidConfig(f"IPFamilyForAddresses: same address family {quoted(addresses)}")
    return tuple(family for family in IpFamily if family in families)


def _requested(service: Service) -> tuple[IpAddress, ...] | AllocationRefusal:
    annotated, spec_text = annotation(service, LOAD_BALANCER_IPS) or "", service.spec.load_balancer_ip
    if annotated and spec_text:
        return _invalid(
            "service can not have both metallb.io/loadBalancerIPs and svc.Spec.LoadBalancerIP; remove spec.loadBalancerIP"
        )
    what, texts = ("metallb.io/loadBalancerIPs:", annotated.split(",")) if annotated else ("spec.loadBalancerIP", [])
    if spec_text:
        texts = [spec_text]
    try:
        addresses = tuple(parse_address(text.strip()) for text in texts)
    except InvalidConfig as error:
        return _invalid(f'invalid {what} "{annotated or spec_text}": {error}; write one address, or one of each family')
    try:
        if addresses:
            families_of(addresses)
    except InvalidConfig as error:
        return _invalid(f"{error}; request at most one address of each family")
    return addresses


def _invalid(message: str) -> AllocationRefusal:
    return AllocationRefusal(RefusalReason.INVALID_REQUEST, message)


# What it gets ------------------------------------------------------------------------------------------------------


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


def sharing_refusal(
    service: ObjectKey, tenancy: Tenancy, address: IpAddress, ledger: Ledger
) -> AllocationRefusal | None:
    """Return why the Service may not use an address beside its present users (contract 2.7)."""
    others = {key: terms for key, terms in ledger.users(address).items() if key != service}
    if (not tenancy.sharing_key and others) or any(other.terms != tenancy.terms for other in others.values()):
        names = ",".join(str(key) for key in sorted(others))
        remedy = (
            "give all of them one metallb.io/allow-shared-ip (and one selector with Local), or take another address"
        )
        message = f'can\'t change sharing key for "{service}", address also in use by {names}; {remedy}'
        return AllocationRefusal(RefusalReason.SHARING_KEY_DIFFERS, message)
    taken = {port for other in others.values() for port in other.ports} & tenancy.ports
    if taken:
        protocol, number = min(taken)
        message = f'port {protocol}/{number} is already in use on "{address}"; use another port or address'
        return AllocationRefusal(RefusalReason.PORT_IN_USE, message)
    return None


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
