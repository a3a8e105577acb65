"""Manifests of many Services, as text: every Service has one EndpointSlice with one endpoint on one node."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

MANY = IPv4Network("198.18.0.0/16")
"""Addresses of the many Services, in their order (RFC 2544: for benchmarks)."""
FEW = IPv4Network("203.0.113.0/24")
"""Addresses of the Services that change while something is measured."""

_POOLS = f"""\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: many, namespace: metallb-system}}
spec: {{addresses: [{MANY}]}}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: few, namespace: metallb-system}}
spec: {{addresses: [{FEW}], autoAssign: false}}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {{name: all, namespace: metallb-system}}
spec: {{communities: ["64512:100"]}}
"""
_PEER = """\
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: router, namespace: metallb-system}}
spec: {{myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.254{more}}}
"""
CONFIGURATION = _POOLS + _PEER.format(more=", connectTime: 1s")
EXABGP_CONFIGURATION = _POOLS + _PEER.format(more="")
"""ExaBGP cannot be told how long to wait between attempts."""

_SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default, annotations: {{{annotations}}}}}
spec:
  type: LoadBalancer
  externalTrafficPolicy: {policy}
  clusterIP: 10.96.0.1
  ports: [{{port: 80, targetPort: 8080}}]
"""
_SLICE = """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: 8080}}]
endpoints: [{{addresses: [10.244.1.10], nodeName: {node}, conditions: {{ready: {ready}}}}}]
"""


def service(name: str, *, policy: str = "Cluster", address: IPv4Address | None = None) -> str:
    """A Service; it may ask for its address."""
    annotations = f"metallb.io/loadBalancerIPs: {address}" if address else ""
    return _SERVICE.format(name=name, policy=policy, annotations=annotations)


def endpoint_slice(name: str, node: str, *, ready: bool) -> str:
    """The EndpointSlice of a Service."""
    return _SLICE.format(name=name, node=node, ready="true" if ready else "false")


def many_services(count: int, node: str) -> str:
    """One document stream of `count` Services without addresses, and their endpoints."""
    return "---\n".join(_parts(count, node)) if count else "# none\n"


def _parts(count: int, node: str) -> Iterator[str]:
    for number in range(count):
        yield service(f"many-{number:05}")
        yield endpoint_slice(f"many-{number:05}", node, ready=True)
