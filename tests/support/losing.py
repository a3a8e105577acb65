"""A lab for what makes routes go: node-a announces with FRR, node-b with ExaBGP, an IPv4 router, and many Services."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from orchestrator.lab import objects, processes, router
from orchestrator.lab.topology import Lab
from tests.support import running_lab
from tests.support.engines import ENGINES, EXABGP_NODE, FRR_NODE, peers, tables
from tests.support.running_lab import wait

SERVICES = 24
ALL = frozenset(f"203.0.113.{number}/32" for number in range(1, SERVICES + 1))
FLAGS = {
    FRR_NODE: ("--withdrawal-hold", "60", "--withdraw-not-ready"),
    EXABGP_NODE: ("--withdrawal-hold", "1", "--withdraw-not-ready"),
}
"""One node for what is put right in time, one for what is not."""

POOLS = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: public, namespace: metallb-system}
spec:
  addresses: [203.0.113.0/24, "2001:db8:9::/64"]
"""
ADVERTISEMENT = """\
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: each, namespace: metallb-system}
"""
NODE = """\
---
apiVersion: v1
kind: Node
metadata: {{name: node-{letter}, labels: {{{labels}}}}}
status:
  addresses: [{{type: InternalIP, address: 192.0.2.1{number}}}]
  conditions: [{{type: Ready, status: "{ready}"}}, {{type: NetworkUnavailable, status: "{cut}"}}]
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default, annotations: {{metallb.io/loadBalancerIPs: "{address}"}}}}
spec:
  type: LoadBalancer
  clusterIP: "{cluster_ip}"
  clusterIPs: ["{cluster_ip}"]
  ipFamilies: [{family}]
  ports: [{{port: 80, targetPort: 8080}}]
"""
ENDPOINTS = """\
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{port: 8080}}]
endpoints: [{{addresses: [10.244.1.10], nodeName: node-a, conditions: {{ready: {ready}}}}}]
"""
EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers: ""'


def nodes(*, not_ready: Sequence[str] = (), cut: Sequence[str] = (), excluded: Sequence[str] = ()) -> str:
    """Four nodes, by letter in these conditions; only two of them have a speaker."""
    return "".join(
        NODE.format(
            letter=letter,
            number=number,
            labels=EXCLUDED if letter in excluded else "",
            ready="Unknown" if letter in not_ready else "True",
            cut="True" if letter in cut else "False",
        )
        for number, letter in enumerate("abcd", start=1)
    )


def service(name: str, address: str) -> str:
    four = ":" not in address
    return SERVICE.format(
        name=name,
        address=address,
        cluster_ip="10.96.0.1" if four else "fd00:10:96::1",
        family="IPv4" if four else "IPv6",
    )


def endpoints(name: str, *, ready: bool = True) -> str:
    return ENDPOINTS.format(name=name, ready=str(ready).lower())


@contextmanager
def losing_lab(purpose: str) -> Iterator[Lab]:
    """The lab, when both nodes announce every Service."""
    with running_lab.network(purpose) as lab:
        lab.write_manifest("nodes.yaml", nodes())
        lab.write_manifest("pools.yaml", POOLS)
        lab.write_manifest("each.yaml", ADVERTISEMENT)
        lab.write_manifest("peers.yaml", peers(only=("four",)))
        many = [service(f"s{number}", f"203.0.113.{number}") for number in range(1, SERVICES + 1)]
        lab.write_manifest("services.yaml", "".join(many))
        for number in range(1, SERVICES + 1):
            lab.write_manifest(f"endpoints-{number}.yaml", endpoints(f"s{number}"))
        lab.write_manifest("six.yaml", service("six", "2001:db8:9::6") + endpoints("six"))
        router.start(lab)
        processes.start_controller(lab)
        for node, engine in ENGINES.items():
            processes.start_supervisor(lab, node, engine)
            processes.start_speaker(lab, node, ["--bgp-engine", engine.value, *FLAGS[node]])
        try:
            wait(lambda: announced(lab, FRR_NODE) == announced(lab, EXABGP_NODE) == ALL, "every route of both nodes")
        except BaseException as error:
            error.add_note(running_lab.last_words(lab, 40))
            raise
        yield lab


def announced(lab: Lab, node: str) -> frozenset[str]:
    """The prefixes that the router has from the node."""
    return frozenset(tables(lab)[node])


def reason_of(lab: Lab, name: str) -> str:
    """The reason of the Service's condition Announced; empty while it has none."""
    for each in objects.services(lab):
        if each.metadata.name == name:
            return next((one.reason for one in each.status.conditions if one.type == "ferrule.io/Announced"), "")
    return ""
