"""The nftables rules by which one node forwards Service addresses to endpoints, as kube-proxy does; computed, not applied.

Cluster: any node forwards to any endpoint and hides the client behind its own address, so that answers come back
through it. Local: only to endpoints on this node, the client's address stays; a node without one drops. A Service
without any endpoint is refused. Only new connections are looked at: the kernel remembers the rest.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from operator import attrgetter

from orchestrator.net.addresses import IpFamily, family_of
from orchestrator.resources.core import (
    LABEL_SERVICE_NAME,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Service,
    ServicePort,
)

TABLE = "ferrule-lab"
MASQUERADE_MARK = "0x4000"
LOCAL = "Local"
FAMILY_WORD = {IpFamily.IPV4: "ip", IpFamily.IPV6: "ip6"}
ADDRESS_TYPE = {IpFamily.IPV4: "IPv4", IpFamily.IPV6: "IPv6"}


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """One endpoint address and port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address} . {self.port}"


@dataclass(frozen=True, slots=True)
class Frontend:
    """One Service address and port."""

    service: Service
    address: str
    port: ServicePort

    @property
    def family(self) -> IpFamily:
        return family_of(ip_address(self.address))

    @property
    def match(self) -> str:
        word = FAMILY_WORD[self.family]
        return f"{word} daddr {self.address} {self.port.protocol.lower()} dport {self.port.port}"


def render(node: str, services: Iterable[Service], slices: Iterable[EndpointSlice]) -> str:
    """Return what `nft -f -` replaces the node's table with, in one transaction. Equal input gives equal text."""
    per_service = _by_service(slices)
    unserved: list[str] = []
    served: list[str] = []
    for frontend in _frontends(services):
        targets = _targets(frontend, per_service.get(frontend.service.metadata.key, ()), node)
        (served if targets.here else unserved).append(_rule(frontend, targets))
    return "\n".join(
        (
            f"table inet {TABLE}",
            f"delete table inet {TABLE}",
            f"table inet {TABLE} {{",
            *_chain("unserved", "filter hook prerouting priority dstnat - 10", unserved),
            *_chain("served", "nat hook prerouting priority dstnat", served),
            *_chain("leaving", "nat hook postrouting priority srcnat", [_masquerade()]),
            "}\n",
        )
    )


@dataclass(frozen=True, slots=True)
class Targets:
    """`here` may be used on this node; `anywhere` says whether any node has one."""

    here: tuple[Target, ...]
    anywhere: bool


def _frontends(services: Iterable[Service]) -> Iterator[Frontend]:
    for service in sorted(services, key=attrgetter("metadata.key")):
        if service.spec.type != "LoadBalancer":
            continue
        for ingress in service.status.load_balancer.ingress:
            yield from (Frontend(service, ingress.ip, port) for port in service.spec.ports if ingress.ip)


def _by_service(slices: Iterable[EndpointSlice]) -> dict[tuple[str, str], list[EndpointSlice]]:
    found: dict[tuple[str, str], list[EndpointSlice]] = {}
    for one in sorted(slices, key=attrgetter("metadata.key")):
        name = one.metadata.labels.get(LABEL_SERVICE_NAME, "")
        found.setdefault((one.metadata.namespace, name), []).append(one)
    return found


def _targets(frontend: Frontend, slices: Sequence[EndpointSlice], node: str) -> Targets:
    every = [
        (endpoint.node_name, Target(endpoint.addresses[0], port.port))
        for one in slices
        if one.address_type == ADDRESS_TYPE[frontend.family]
        for port in one.ports
        if _is_same_port(frontend.port, port) and port.port is not None
        for endpoint in one.endpoints
        if _is_usable(endpoint)
    ]
    is_local = frontend.service.spec.external_traffic_policy == LOCAL
    here = {target for place, target in every if place == node or not is_local}
    return Targets(tuple(sorted(here)), bool(every))


def _is_same_port(wanted: ServicePort, offered: EndpointPort) -> bool:
    return (wanted.name, wanted.protocol) == (offered.name, offered.protocol)


def _is_usable(endpoint: Endpoint) -> bool:
    return bool(endpoint.addresses) and endpoint.conditions.ready is not False


def _rule(frontend: Frontend, targets: Targets) -> str:
    if not targets.here:
        return f"ct state new {frontend.match} {'drop' if targets.anywhere else 'reject'}"
    mark = f"meta mark set meta mark or {MASQUERADE_MARK} "
    choice = ", ".join(f"{number} : {target}" for number, target in enumerate(targets.here))
    return (
        f"{frontend.match} {'' if frontend.service.spec.external_traffic_policy == LOCAL else mark}"
        f"dnat {FAMILY_WORD[frontend.family]} to numgen random mod {len(targets.here)} map {{ {choice} }}"
    )


def _masquerade() -> str:
    return f"ct status dnat meta mark and {MASQUERADE_MARK} == {MASQUERADE_MARK} masquerade"


def _chain(name: str, hook: str, rules: Sequence[str]) -> list[str]:
    return [f" chain {name} {{", f"  type {hook}; policy accept;", *(f"  {rule}" for rule in rules), " }"]
