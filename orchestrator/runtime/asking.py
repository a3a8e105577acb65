"""What the objects say about who answers for an address: beside what the wire says."""

from collections.abc import Iterable

from orchestrator.errors import InvalidConfig
from orchestrator.fsm.asking import Expected
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.resources.core import Service
from orchestrator.resources.extensions import SpeakerState
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import ObjectKey
from orchestrator.resources.metallb import ServiceL2Status

READ = ("Service", "ServiceL2Status", "SpeakerState")
"""The kinds that are looked at."""


def expected_of(address: IpAddress, objects: Iterable[KubeObject]) -> Expected:
    """Return who should answer: the nodes that say so of a Service with the address, and the MACs of all nodes."""
    services: set[ObjectKey] = set()
    owners: dict[ObjectKey, set[str]] = {}
    nodes: dict[str, str] = {}
    for obj in objects:
        match obj:
            case Service() if any(_is(entry.ip, address) for entry in obj.status.load_balancer.ingress):
                services.add(obj.metadata.key)
            case ServiceL2Status(status=status):
                key = ObjectKey(status.service_namespace, status.service_name)
                owners.setdefault(key, set()).add(status.node)
            case SpeakerState(spec=spec):
                nodes.update({interface.mac: spec.node for interface in spec.interfaces if interface.mac})
            case _:
                pass
    return Expected(
        services=tuple(sorted(map(str, services))),
        owners=frozenset(node for key in services for node in owners.get(key, ())),
        nodes=nodes,
    )


def _is(text: str, address: IpAddress) -> bool:
    try:
        return parse_address(text) == address
    except InvalidConfig:
        return False
