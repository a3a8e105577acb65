"""What a Service asks for: families, addresses, a pool, and on which terms it shares (contract 2.1, 2.3, 2.4, 2.7).

A refusal is a value: its reason for conditions and metrics, its message in MetalLB's words followed by the remedy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from orchestrator.decide.annotations import ADDRESS_POOL, ALLOW_SHARED_IP, LOAD_BALANCER_IPS, annotation
from orchestrator.decide.space import Tenancy
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, IpFamily, family_of, parse_address
from orchestrator.resources.core import Service, ServiceSpec
from orchestrator.resources.meta import ObjectKey

DUAL = (IpFamily.IPV4, IpFamily.IPV6)


FOREIGN = Tenancy(foreign=True)


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
        message = (
            f"Failed to retrieve ClusterIPs IPFamily for {quoted(texts)} {spec.cluster_ip}: {error}; "
            "create the Service again"
        )
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
