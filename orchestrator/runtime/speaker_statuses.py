"""The statuses and events with which a speaker tells of its announcements, as objects (contract 1.8, 1.9, 12.1).

ServiceL2Status and ServiceBGPStatus get names made from the Service and the node, so a lost deletion is overwritten
instead of left behind.
"""

from collections.abc import Iterable
from hashlib import sha256

from orchestrator.config.model import NodeName
from orchestrator.decide.node_plan import Announced, Protocol
from orchestrator.net.addresses import IpAddress
from orchestrator.resources import metallb
from orchestrator.resources.extensions import AddressConflict
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef
from orchestrator.sources.interface import EventType, ObjectEvent

COMPONENT = "metallb-speaker"


def status_name(prefix: str, service: ObjectKey, node: NodeName) -> str:
    """Return the name of the status object of a Service on a node; `prefix` is `l2` or `bgp` (contract 1.8, 1.9)."""
    return f"{prefix}-{node}-{sha256(f'{service}@{node}'.encode()).hexdigest()[:12]}"


def is_of_node(name: str, prefix: str, node: NodeName) -> bool:
    """Whether `status_name` made this name for a Service on the node."""
    start = f"{prefix}-{node}-"
    return name.startswith(start) and "-" not in name.removeprefix(start)


def status_of(part: Announced, node: NodeName, namespace: str) -> metallb.ServiceL2Status | metallb.ServiceBGPStatus:
    """Return the status object of one Service and protocol on a node."""
    service_namespace, name = part.service
    labels = {
        "metallb.io/node": node,
        "metallb.io/service-name": name,
        "metallb.io/service-namespace": service_namespace,
    }
    prefix = "l2" if part.protocol is Protocol.LAYER2 else "bgp"
    metadata = ObjectMeta(name=status_name(prefix, part.service, node), namespace=namespace, labels=labels)
    if part.protocol is Protocol.LAYER2:
        interfaces = tuple(metallb.InterfaceInfo(name=each) for each in sorted(part.interfaces or ()))
        return metallb.ServiceL2Status(
            metadata=metadata,
            status=metallb.ServiceL2StatusStatus(
                node=node, service_name=name, service_namespace=service_namespace, interfaces=interfaces
            ),
        )
    return metallb.ServiceBGPStatus(
        metadata=metadata,
        status=metallb.ServiceBGPStatusStatus(
            node=node, service_name=name, service_namespace=service_namespace, peers=part.peers
        ),
    )


def node_assigned(part: Announced, node: NodeName) -> ObjectEvent:
    """Return the event of a node that begins to announce a Service."""
    message = f'announcing from node "{node}" with protocol "{part.protocol.value}"'
    return _on_service(part.service, EventType.NORMAL, "nodeAssigned", message)


def interface_missing(service: ObjectKey, addresses: Iterable[IpAddress], node: NodeName) -> tuple[ObjectEvent, ...]:
    """Return the events of a Service whose interfaces this node does not have, one per address (contract 4.3)."""
    return tuple(
        announce_failed(
            service,
            f'the interfaces specified by LB IP "{address}" doesn\'t exist in assigned node "{node}" '
            'with protocol "layer2"',
        )
        for address in addresses
    )


def announce_failed(service: ObjectKey, message: str) -> ObjectEvent:
    """Return the event of a Service that this node was elected for and does not announce."""
    return _on_service(service, EventType.WARNING, "announceFailed", message)


def address_conflict(service: ObjectKey, conflict: AddressConflict, node: NodeName) -> ObjectEvent:
    """Return the event of a Service whose address somebody else claims, while this node goes on answering."""
    who = f'node "{conflict.node}"' if conflict.node else "a machine that is not a node of this cluster"
    message = (
        f'{who} with MAC {conflict.mac} claims {conflict.address} on interface {conflict.interface} of node "{node}", '
        "which goes on answering; take the address off that machine, or out of the pool"
    )
    return _on_service(service, EventType.WARNING, "addressConflict", message)


def _on_service(service: ObjectKey, kind: EventType, reason: str, message: str) -> ObjectEvent:
    ref = ObjectRef("Service", service.namespace, service.name)
    return ObjectEvent(ref=ref, type=kind, reason=reason, message=message, component=COMPONENT)
