"""Pools and nodes of two zones behind one advertisement, as a guide for enterprises has them."""

from collections.abc import Iterator

import pytest

from orchestrator.lab import layout, objects, processes, record
from orchestrator.lab.topology import Lab
from tests.support.layer2_lab import layer2_lab, owners, patiently, who_answers
from tests.support.running_lab import wait

pytestmark = pytest.mark.timeout(240)

ZONES = {"node-a": "zone-a", "node-b": "zone-b", "node-c": "zone-c"}
NODE = """\
apiVersion: v1
kind: Node
metadata: {{name: {name}, labels: {{topology.kubernetes.io/zone: {zone}}}}}
status: {{addresses: [{{type: InternalIP, address: {address}}}]}}
"""
POOLS = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: zone-a-pool, namespace: metallb-system}
spec:
  addresses: [192.0.2.200-192.0.2.204]
  serviceAllocation: {priority: 100, serviceSelectors: [{matchLabels: {metallb.io/zone: zone-a}}]}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: zone-b-pool, namespace: metallb-system}
spec:
  addresses: [192.0.2.210-192.0.2.214]
  serviceAllocation: {priority: 90, serviceSelectors: [{matchLabels: {metallb.io/zone: zone-b}}]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: zone-aware-advertisement, namespace: metallb-system}
spec:
  ipAddressPools: [zone-a-pool, zone-b-pool]
  nodeSelectors: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [zone-a, zone-b]}]}]
  interfaces: [eth0, ens192]
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default, labels: {{metallb.io/zone: {zone}}}}}
spec:
  type: LoadBalancer
  clusterIP: 10.96.1.{number}
  ports: [{{port: 80}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: 80}}]
endpoints: [{{addresses: [10.244.1.10], nodeName: node-c, conditions: {{ready: true}}}}]
"""
FLAGS = ("--return-hold", "1")
ADDRESSES = {"in-a": "192.0.2.200", "in-b": "192.0.2.210"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    nodes = "---\n".join(
        NODE.format(name=name, zone=zone, address=layout.node(name).address) for name, zone in ZONES.items()
    )
    wanted = (("in-a", "zone-a"), ("in-b", "zone-b"), ("elsewhere", "zone-c"))
    services = "---\n".join(
        SERVICE.format(name=name, zone=zone, number=number) for number, (name, zone) in enumerate(wanted, start=10)
    )
    manifests = {"nodes.yaml": nodes, "pools.yaml": POOLS, "services.yaml": services}
    with layer2_lab("zone", manifests, lambda _: FLAGS) as lab:
        wait(lambda: set(owners(lab)) == set(ADDRESSES), "owners of both Services")
        yield lab


def test_services_get_addresses_of_their_zone_and_none_of_another(lab: Lab) -> None:
    assert {name: objects.address_of(lab, name) for name in (*ADDRESSES, "elsewhere")} == {
        **ADDRESSES,
        "elsewhere": None,
    }


def test_nodes_of_the_zones_answer_and_take_over_from_each_other(lab: Lab) -> None:
    for survivor, dead in (("node-a", "node-b"), ("node-b", "node-a")):
        record.kill_processes(lab.machines[dead])
        await_answers(lab, survivor)
        processes.start_node(lab, dead, FLAGS)
        wait(lambda: set(answering(lab)) == {"node-a", "node-b"}, "both nodes again: by hash each has one")


def answering(lab: Lab) -> set[str]:
    return set().union(*who_answers(lab, ADDRESSES.values()).values())


def await_answers(lab: Lab, node: str) -> None:
    expected = {address: {node} for address in ADDRESSES.values()}
    patiently(lambda: who_answers(lab, ADDRESSES.values()) == expected, f"{node} to answer for both addresses")
