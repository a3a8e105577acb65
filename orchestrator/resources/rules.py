"""Rules of the schemas that are about more than the type of one field: CEL rules of the CRDs (contract 01), the API
server's own checks of a Service. Rules that need other objects or meaning (pools that overlap) belong to `config`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import parse_address
from orchestrator.resources import core, durations, extensions, metallb
from orchestrator.resources.fields import Fault
from orchestrator.resources.kinds import KubeObject

DEFAULT_AGGREGATION_LENGTH = 32
DEFAULT_AGGREGATION_LENGTH_V6 = 128
SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
TRAFFIC_POLICIES = ("Cluster", "Local")
FAMILIES = ("IPv4", "IPv6")
FAMILY_POLICIES = ("SingleStack", "PreferDualStack", "RequireDualStack")
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""RFC 1123; at most 63 octets."""
PROTOCOLS = ("TCP", "UDP", "SCTP")


def broken_rules(obj: KubeObject) -> tuple[Fault, ...]:
    """Return the rules that an object breaks though each of its values is of the right type."""
    check = _RULES.get(type(obj))
    return tuple(check(obj)) if check is not None else ()


def _peer_rules(peer: metallb.BGPPeer) -> Iterator[Fault]:
    spec = peer.spec
    for name, text in (("holdTime", spec.hold_time), ("keepaliveTime", spec.keepalive_time)):
        if text is not None:
            yield from _seconds(f"spec.{name}", text)[1]
    if spec.connect_time is not None:
        seconds, faults = _seconds("spec.connectTime", spec.connect_time)
        yield from faults
        if seconds is not None:
            yield from _connect_time(seconds)


def _seconds(field: str, text: str) -> tuple[Fraction | None, tuple[Fault, ...]]:
    try:
        return durations.parse_seconds(text), ()
    except InvalidConfig as error:
        return None, (Fault(field, str(error)),)


def _connect_time(seconds: Fraction) -> Iterator[Fault]:
    if not 1 <= seconds <= 65535:
        yield Fault("spec.connectTime", "connect time should be between 1 seconds to 65535; choose one in that range")
    if seconds.denominator != 1:
        yield Fault("spec.connectTime", "connect time should contain a whole number of seconds; round it")


def _bgp_advertisement_rules(advertisement: metallb.BGPAdvertisement) -> Iterator[Fault]:
    spec = advertisement.spec
    if spec.service_selectors and (spec.aggregation_length, spec.aggregation_length_v6) != (
        DEFAULT_AGGREGATION_LENGTH,
        DEFAULT_AGGREGATION_LENGTH_V6,
    ):
        yield Fault(
            "spec.serviceSelectors",
            "serviceSelectors and aggregationLength are mutually exclusive, can only be used together with default "
            "aggregationLength (32) and aggregationLengthV6 (128); remove one of them",
        )


def _service_rules(service: core.Service) -> Iterator[Fault]:
    spec = service.spec
    yield from _choice("spec.type", spec.type, SERVICE_TYPES)
    yield from _choice("spec.externalTrafficPolicy", spec.external_traffic_policy, TRAFFIC_POLICIES)
    if spec.ip_family_policy is not None:
        yield from _choice("spec.ipFamilyPolicy", spec.ip_family_policy, FAMILY_POLICIES)
    for index, family in enumerate(spec.ip_families):
        yield from _choice(f"spec.ipFamilies[{index}]", family, FAMILIES)
    for index, port in enumerate(spec.ports):
        yield from _choice(f"spec.ports[{index}].protocol", port.protocol, PROTOCOLS)
        if not 1 <= port.port <= 65535:
            yield Fault(f"spec.ports[{index}].port", "a port is required; write a number from 1 to 65535")


def _failover_rules(failover: extensions.Failover) -> Iterator[Fault]:
    spec = failover.spec
    try:
        canonical = str(parse_address(spec.address))
    except InvalidConfig as error:
        yield Fault("spec.address", f"{error}; write the address of a Service")
    else:
        if canonical != spec.address:
            yield Fault("spec.address", f'"{spec.address}" is not the usual form; write "{canonical}"')
    if not (spec.to or spec.avoid):
        yield Fault("spec.to", "says nothing without avoid; name a node, or one to avoid")
    if spec.to and spec.to in spec.avoid:
        yield Fault("spec.avoid", f"{spec.to} is where the address should be; remove it from one of the two")


def _reservation_rules(reservation: extensions.AddressReservation) -> Iterator[Fault]:
    spec = reservation.spec
    selecting = spec.namespaces or spec.namespace_selectors or spec.service_selectors
    if spec.service is None:
        if not selecting:
            yield Fault("spec.service", "says not for whom; add service, or namespaces or selectors")
        return
    if selecting:
        message = "service excludes namespaces, namespaceSelectors and serviceSelectors; remove it or them"
        yield Fault("spec.service", message)
    for field, name in (("namespace", spec.service.namespace), ("name", spec.service.name)):
        if len(name) > 63 or not DNS_LABEL.fullmatch(name):
            yield Fault(f"spec.service.{field}", f'"{name[:80]}" is no name of a {_NAMED[field]}; correct it')


_NAMED = {"namespace": "Namespace", "name": "Service"}


def _quota_rules(quota: extensions.AddressQuota) -> Iterator[Fault]:
    if quota.spec.ipv4 is None and quota.spec.ipv6 is None:
        yield Fault("spec", "limits nothing; add ipv4 or ipv6, the most addresses to be held")


def _choice(field: str, value: str, choices: Sequence[str]) -> Iterator[Fault]:
    if value not in choices:
        yield Fault(field, f'"{value}" is not one of {", ".join(choices)}; write one of them')


_RULES: Mapping[type, Callable[..., Iterator[Fault]]] = {
    core.Service: _service_rules,
    metallb.BGPPeer: _peer_rules,
    metallb.BGPAdvertisement: _bgp_advertisement_rules,
    extensions.Failover: _failover_rules,
    extensions.AddressReservation: _reservation_rules,
    extensions.AddressQuota: _quota_rules,
}
