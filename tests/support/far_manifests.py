"""Manifests of a small cluster whose nodes peer with a router."""

from collections.abc import Sequence

from orchestrator.net.bgp import BgpEngine

NAMESPACE = "metallb-system"
NODES = {"node-a": 11, "node-b": 12, "node-c": 13}
ROUTER = 254
ENGINES = {"node-a": BgpEngine.FRR, "node-b": BgpEngine.EXABGP, "node-c": BgpEngine.FRR}
"""What the nodes run; it is their label `engine`, too."""

NODE = """\
---
apiVersion: v1
kind: Node
metadata: {{name: {name}, labels: {{engine: {engine}}}}}
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
spec: {{ipAddressPools: [{name}]{attributes}}}
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
PEER = """\
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: {name}, namespace: metallb-system}}
spec: {{nodeSelectors: [{{matchLabels: {{engine: {engine}}}}}], {spec}}}
"""
BOTH = {"cluster": '["10.96.0.1", "fd00::1"]', "families": "[IPv4, IPv6]"}
FOUR = {"cluster": '["10.96.0.2"]', "families": "[IPv4]"}


def _served(name: str, addresses: Sequence[str], pool: str, attributes: str = "", **service: str) -> str:
    """A pool that is advertised with these attributes, and a Service with addresses of it."""
    return POOL.format(name=name, addresses=pool, attributes=attributes) + SERVICE.format(
        name=name, addresses=",".join(addresses), **service
    )


WEB = ("203.0.113.7", "2001:db8:5::7")
DRAINED, OUTSIDE = "198.51.100.200", "198.51.100.7"
ATTRIBUTES = ', communities: ["64512:100", "large:64512:1:2"], localPref: 210'
SERVED = _served("web", WEB, '[203.0.113.0/24, "2001:db8:5::/112"]', ATTRIBUTES, **BOTH) + _served(
    "drained", [DRAINED], "[198.51.100.128/25]", ", communities: [graceful-shutdown]", **FOUR
)
LATER = _served("later", [OUTSIDE], "[198.51.100.0/25]", **FOUR)
"""A pool that the router was not told of, with a Service."""


def cluster(nodes: Sequence[str] = tuple(NODES)) -> str:
    """Nodes, and two pools with a Service each: WEB with attributes, DRAINED as if all its nodes were to go."""
    texts = (NODE.format(name=name, number=NODES[name], engine=ENGINES[name].value) for name in nodes)
    return "".join(texts) + SERVED


def session(name: str, spec: str, engine: BgpEngine) -> str:
    """A BGPPeer of the nodes with this engine; FRR's dials again after a second, ExaBGP's whenever it does."""
    again = ", connectTime: 1s" if engine is BgpEngine.FRR else ""
    return PEER.format(name=name, engine=engine.value, spec=f"{spec}{again}")


def sessions(name: str, spec: str) -> str:
    """The same session of all nodes: the BGPPeers `name` for FRR, `name`-x for ExaBGP."""
    return session(name, spec, BgpEngine.FRR) + session(f"{name}-x", spec, BgpEngine.EXABGP)
