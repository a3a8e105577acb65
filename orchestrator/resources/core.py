"""Kubernetes' own kinds, as far as we read them."""

from typing import ClassVar

import msgspec

from orchestrator.resources.meta import Condition, KubeStruct, ObjectMeta
from orchestrator.resources.secret_text import SecretText

LABEL_SERVICE_NAME = "kubernetes.io/service-name"
LABEL_EXCLUDE_BALANCERS = "node.kubernetes.io/exclude-from-external-load-balancers"
ANNOTATION_AS_PATH_PREPEND = "ferrule.io/as-path-prepend"
ANNOTATION_MED = "ferrule.io/med"
ANNOTATION_DRAIN = "ferrule.io/drain"


class ServicePort(KubeStruct, frozen=True):
    """One port; `target_port` is a number or the name of a container port."""

    UNUSED: ClassVar[frozenset[str]] = frozenset({"appProtocol"})

    name: str = ""
    protocol: str = "TCP"
    port: int = 0
    target_port: int | str | None = None
    node_port: int = 0


class ServiceSpec(KubeStruct, frozen=True):
    UNUSED: ClassVar[frozenset[str]] = frozenset(
        {
            "allocateLoadBalancerNodePorts",
            "externalIPs",
            "externalName",
            "healthCheckNodePort",
            "internalTrafficPolicy",
            "loadBalancerSourceRanges",
            "publishNotReadyAddresses",
            "sessionAffinity",
            "sessionAffinityConfig",
            "topologyKeys",
            "trafficDistribution",
        }
    )

    type: str = "ClusterIP"
    load_balancer_class: str | None = None
    load_balancer_ip: str = msgspec.field(default="", name="loadBalancerIP")
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    ip_families: tuple[str, ...] = ()
    ip_family_policy: str | None = None
    external_traffic_policy: str = "Cluster"
    selector: dict[str, str] = {}
    ports: tuple[ServicePort, ...] = ()


class LoadBalancerIngress(KubeStruct, frozen=True):
    UNUSED: ClassVar[frozenset[str]] = frozenset({"ports"})

    ip: str = ""
    hostname: str = ""
    ip_mode: str | None = None


class LoadBalancerStatus(KubeStruct, frozen=True):
    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(KubeStruct, frozen=True):
    load_balancer: LoadBalancerStatus = LoadBalancerStatus()
    conditions: tuple[Condition, ...] = ()


class Service(KubeStruct, frozen=True):
    metadata: ObjectMeta
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class EndpointConditions(KubeStruct, frozen=True):
    """Absent `ready` means ready (contract 4.2); absent `serving` says nothing."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(KubeStruct, frozen=True):
    UNUSED: ClassVar[frozenset[str]] = frozenset({"hostname", "targetRef", "zone", "hints", "deprecatedTopology"})

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    node_name: str | None = None


class EndpointPort(KubeStruct, frozen=True):
    UNUSED: ClassVar[frozenset[str]] = frozenset({"appProtocol"})

    name: str = ""
    protocol: str = "TCP"
    port: int | None = None


class EndpointSlice(KubeStruct, frozen=True):
    """Endpoints of the Service that label `kubernetes.io/service-name` names."""

    metadata: ObjectMeta
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Taint(KubeStruct, frozen=True):
    key: str
    effect: str
    value: str = ""
    time_added: str | None = None


class NodeSpec(KubeStruct, frozen=True):
    OPEN: ClassVar[bool] = True

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeAddress(KubeStruct, frozen=True):
    type: str
    address: str


class NodeCondition(KubeStruct, frozen=True):
    OPEN: ClassVar[bool] = True

    type: str
    status: str
    reason: str = ""
    message: str = ""


class NodeStatus(KubeStruct, frozen=True):
    OPEN: ClassVar[bool] = True

    addresses: tuple[NodeAddress, ...] = ()
    conditions: tuple[NodeCondition, ...] = ()


class Node(KubeStruct, frozen=True):
    metadata: ObjectMeta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Namespace(KubeStruct, frozen=True):
    UNUSED: ClassVar[frozenset[str]] = frozenset({"spec", "status"})

    metadata: ObjectMeta


class Secret(KubeStruct, frozen=True):
    """`data` values are base64, `stringData` plain; both are kept as text that does not print."""

    UNUSED: ClassVar[frozenset[str]] = frozenset({"immutable"})

    metadata: ObjectMeta
    type: str = "Opaque"
    data: dict[str, SecretText] = {}
    string_data: dict[str, SecretText] = {}


class ConfigMap(KubeStruct, frozen=True):
    UNUSED: ClassVar[frozenset[str]] = frozenset({"immutable", "binaryData"})

    metadata: ObjectMeta
    data: dict[str, str] = {}
