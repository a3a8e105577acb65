"""Manifests of a small cluster whose nodes peer with a router, and the nodes themselves with FRR as we render it."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.decide.eligibility import NodeView
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.render.document import DAEMONS, Daemon, FrrDocument
from orchestrator.resources.classes import CLASSLESS
from orchestrator.runtime.offline import compute, outcome_on
from orchestrator.sources.manifests.reader import read_manifests
from tests.support.frr import Daemons, daemons, namespace

NAMESPACE = "metallb-system"
NODES = {"node-a": 11, "node-b": 12, "node-c": 13}
ROUTER = 254

NODE = """\
---
apiVersion: v1
kind: Node
metadata: {{name: {name}}}
status: {{addresses: [{{type: InternalIP, address: 192.0.2.{number}}}, {{type: InternalIP, address: "2001:db8:1::{number}"}}]}}
---
apiVersion: ferrule.io/v1alpha1
kind: SpeakerState
metadata: {{name: {name}, namespace: metallb-system}}
spec: {{node: {name}, interfaces: [{{name: eth0, carrier: true, prefixes: [192.0.2.{number}/24, "2001:db8:1::{number}/64"]}}]}}
"""
POOL = """\
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: {name}, namespace: metallb-system}}
spec: {{addresses: {addresses}, autoAssign: false}}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {{name: {name}, namespace: metallb-system}}
spec: {{ipAddressPools: [{name}]}}
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default, annotations: {{metallb.io/loadBalancerIPs: "{addresses}"}}}}
spec:
  type: LoadBalancer
  clusterIPs: {cluster}
  ipFamilies: {families}
  ports: [{{port: 80, protocol: TCP}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{{addresses: [10.1.0.5], nodeName: node-a, conditions: {{ready: true}}}}]
"""
BOTH = {"cluster": '["10.96.0.1", "fd00::1"]', "families": "[IPv4, IPv6]"}
LATER = POOL.format(name="later", addresses="[198.51.100.0/24]") + SERVICE.format(
    name="outside", addresses="198.51.100.7", cluster='["10.96.0.2"]', families="[IPv4]"
)
"""A pool that the router was not told of, with a Service."""


def cluster(nodes: Sequence[str] = tuple(NODES)) -> str:
    """Nodes, a pool of both families that is advertised, and a Service with 203.0.113.7 and 2001:db8:5::7."""
    pool = POOL.format(name="public", addresses='[203.0.113.0/24, "2001:db8:5::/112"]')
    service = SERVICE.format(name="web", addresses="203.0.113.7,2001:db8:5::7", **BOTH)
    return "".join(NODE.format(name=name, number=NODES[name]) for name in nodes) + pool + service


@dataclass(frozen=True, slots=True)
class Fabric:
    """Nodes and a router on one switch; every interface is eth0."""

    nodes: dict[str, Daemons]
    router: Daemons

    def node_addresses(self, *networks: str) -> frozenset[str]:
        return frozenset(f"{network}{NODES[name]}" for name in self.nodes for network in networks)

    async def start_nodes(self, manifests: Path) -> None:
        """Start on each node what it would run; each daemon once the one before answers, or it may wait 10 s (8.4.4)."""
        documents = {name: rendered(manifests, name) for name in self.nodes}
        for daemon in DAEMONS:
            started = [self._start(name, daemon, documents[name]) for name in self.nodes]
            await asyncio.gather(*(node.ask(daemon, "show version") for node in started if node is not None))

    def _start(self, name: str, daemon: Daemon, document: FrrDocument) -> Daemons | None:
        if daemon not in document.daemons:
            return None
        node = self.nodes[name]
        node.run.daemon_conf(daemon).write_text(document.daemon_text(daemon))
        node.run.daemon_conf(daemon).chmod(0o644)
        node.start(daemon, *(("-p", "0") if daemon == "bgpd" else ()))
        return node


def rendered(manifests: Path, node: str) -> FrrDocument:
    computed = compute(read_manifests([str(manifests)], NAMESPACE), None, NAMESPACE, CLASSLESS)
    document = outcome_on(computed, computed.config.nodes[node], NodeView(node=node)).document
    assert isinstance(document, FrrDocument)
    return document


@contextmanager
def fabric(names: Sequence[str] = tuple(NODES)) -> Iterator[Fabric]:
    """Machines with addresses, nothing running."""
    with ExitStack() as stack:
        switch = stack.enter_context(namespace("w"))
        namespaces.bridge(switch, "lan")
        nodes = {name: stack.enter_context(daemons(name[-1])) for name in names}
        router = stack.enter_context(daemons("r"))
        for name, machine in {**nodes, "router": router}.items():
            _plug(switch, machine.namespace, name, NODES.get(name, ROUTER))
        yield Fabric(nodes, router)


def _plug(switch: Namespace, machine: Namespace, name: str, number: int) -> None:
    namespaces.connect(switch, f"to-{name}", machine, "eth0")
    namespaces.attach(switch, f"to-{name}", "lan")
    namespaces.add_address(machine, "eth0", f"192.0.2.{number}/24")
    namespaces.add_address(machine, "eth0", f"2001:db8:1::{number}/64")
