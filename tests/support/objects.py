"""Small builders of Kubernetes objects and resolved values: each fills in what a test does not care about."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from orchestrator.config.model import BgpAdvertisement, Config, L2Advertisement, NodeFacts, Peer, Pool
from orchestrator.net.addresses import IpAddress, parse_address, parse_range
from orchestrator.net.bgp import Asn
from orchestrator.resources import core, extensions, metallb
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef

NAMESPACE = "metallb-system"


def metadata(name: str, namespace: str = NAMESPACE, **fields: Any) -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace, **fields)


def labeled(**labels: str) -> metallb.LabelSelector:
    return metallb.LabelSelector(match_labels=labels)


# Objects ------------------------------------------------------------------------------------------------------------


def pool_object(
    name: str, *addresses: str, labels: dict[str, str] | None = None, created: str | None = None, **spec: Any
) -> metallb.IPAddressPool:
    return metallb.IPAddressPool(
        metadata=metadata(name, labels=labels or {}, creation_timestamp=created),
        spec=metallb.IPAddressPoolSpec(addresses=addresses, **spec),
    )


def peer_object(name: str, address: str = "192.0.2.1", created: str | None = None, **spec: Any) -> metallb.BGPPeer:
    fields = {"my_asn": 64512, "peer_asn": 64513, "peer_address": address, **spec}
    return metallb.BGPPeer(metadata=metadata(name, creation_timestamp=created), spec=metallb.BGPPeerSpec(**fields))


def bgp_object(name: str, created: str | None = None, **spec: Any) -> metallb.BGPAdvertisement:
    return metallb.BGPAdvertisement(
        metadata=metadata(name, creation_timestamp=created), spec=metallb.BGPAdvertisementSpec(**spec)
    )


def l2_object(name: str, **spec: Any) -> metallb.L2Advertisement:
    return metallb.L2Advertisement(metadata=metadata(name), spec=metallb.L2AdvertisementSpec(**spec))


def community_object(name: str, created: str | None = None, **aliases: str) -> metallb.Community:
    entries = tuple(metallb.CommunityAlias(name=alias, value=value) for alias, value in aliases.items())
    return metallb.Community(
        metadata=metadata(name, creation_timestamp=created), spec=metallb.CommunitySpec(communities=entries)
    )


def config_map_object(name: str, **data: str) -> core.ConfigMap:
    return core.ConfigMap(metadata=metadata(name), data=data)


def bfd_object(name: str, **spec: Any) -> metallb.BFDProfile:
    return metallb.BFDProfile(metadata=metadata(name), spec=metallb.BFDProfileSpec(**spec))


def reservation_object(
    name: str, *addresses: str, created: str | None = None, **spec: Any
) -> extensions.AddressReservation:
    return extensions.AddressReservation(
        metadata=metadata(name, creation_timestamp=created),
        spec=extensions.AddressReservationSpec(addresses=addresses, **spec),
    )


def quota_object(name: str, **spec: Any) -> extensions.AddressQuota:
    return extensions.AddressQuota(metadata=metadata(name), spec=extensions.AddressQuotaSpec(**spec))


def namespace_object(name: str, **labels: str) -> core.Namespace:
    return core.Namespace(metadata=ObjectMeta(name=name, labels=labels))


def node_object(name: str, annotations: Mapping[str, str] | None = None, **labels: str) -> core.Node:
    return core.Node(metadata=ObjectMeta(name=name, labels=labels, annotations=dict(annotations or {})))


def with_conditions(node: core.Node, **conditions: str) -> core.Node:
    """The node with these conditions: their types and statuses."""
    found = tuple(core.NodeCondition(type=name, status=status) for name, status in conditions.items())
    return msgspec.structs.replace(node, status=core.NodeStatus(conditions=found))


def named(*objects: Any) -> dict[str, Any]:
    """The objects by name, as a ClusterSnapshot has them."""
    return {obj.metadata.name: obj for obj in objects}


def service(
    name: str = "web",
    namespace: str = "default",
    *,
    held: Sequence[str] = (),
    ports: Iterable[int] = (80,),
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    created: str | None = None,
    **spec: Any,
) -> core.Service:
    """A LoadBalancer Service whose status has the addresses `held`."""
    fields = {"type": "LoadBalancer", "ports": tuple(core.ServicePort(port=port) for port in ports), **spec}
    return core.Service(
        metadata=metadata(
            name, namespace, annotations=dict(annotations or {}), labels=dict(labels or {}), creation_timestamp=created
        ),
        spec=core.ServiceSpec(**fields),
        status=core.ServiceStatus(
            load_balancer=core.LoadBalancerStatus(ingress=tuple(core.LoadBalancerIngress(ip=text) for text in held))
        ),
    )


def endpoint(
    node: str | None = "n1", ready: bool | None = None, serving: bool | None = None, address: str = "10.244.0.1"
) -> core.Endpoint:
    conditions = core.EndpointConditions(ready=ready, serving=serving)
    return core.Endpoint(addresses=(address,), node_name=node, conditions=conditions)


def endpoints(*nodes: str) -> tuple[core.EndpointSlice, ...]:
    """One slice with a ready endpoint on each of the nodes."""
    return (core.EndpointSlice(metadata=metadata("slice"), endpoints=tuple(endpoint(node) for node in nodes)),)


def pods(family: str = "IPv4", **numbers: int) -> core.EndpointSlice:
    """A slice with so many ready endpoints on each of the nodes."""
    start = "10.244" if family == "IPv4" else "fd00"
    found = (
        endpoint(node, address=f"{start}.{node}.{each}") for node, number in numbers.items() for each in range(number)
    )
    return core.EndpointSlice(metadata=metadata(f"slice-{family}"), address_type=family, endpoints=tuple(found))


# Resolved values ------------------------------------------------------------------------------------------------------


def ref(kind: str, name: str) -> ObjectRef:
    return ObjectRef(kind, NAMESPACE, name)


def key(name: str, namespace: str = "default") -> ObjectKey:
    return ObjectKey(namespace, name)


def ips(*texts: str) -> tuple[IpAddress, ...]:
    return tuple(parse_address(text) for text in texts)


def pool(name: str, *ranges: str, **fields: Any) -> Pool:
    return Pool(
        name=name, origin=ref("IPAddressPool", name), ranges=tuple(parse_range(text) for text in ranges), **fields
    )


def pools(*all_pools: Pool) -> dict[str, Pool]:
    return {one.name: one for one in all_pools}


def l2(name: str, *nodes: str, **fields: Any) -> L2Advertisement:
    return L2Advertisement(name=name, origin=ref("L2Advertisement", name), nodes=frozenset(nodes), **fields)


def bgp(name: str, *nodes: str, **fields: Any) -> BgpAdvertisement:
    return BgpAdvertisement(name=name, origin=ref("BGPAdvertisement", name), nodes=frozenset(nodes), **fields)


def peer(name: str, *nodes: str, address: str = "192.0.2.1", **fields: Any) -> Peer:
    given = {"my_asn": Asn(64512), "remote_as": Asn(64513), **fields}
    return Peer(name=name, origin=ref("BGPPeer", name), nodes=frozenset(nodes), address=parse_address(address), **given)


def config(*, nodes: Iterable[str | NodeFacts], pools: Iterable[Pool] = (), peers: Iterable[Peer] = ()) -> Config:
    facts = [NodeFacts(name=node, labels={}) if isinstance(node, str) else node for node in nodes]
    return Config(
        pools={one.name: one for one in pools},
        peers={one.name: one for one in peers},
        nodes={one.name: one for one in facts},
    )
