"""ExaBGP instead of FRR, as an engineer changes it on a cluster that runs: one variable in both containers."""

import json

import pytest

from tests.e2e.cluster import configuration, ours
from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.printed import announcers
from tests.e2e.cluster.steps import StepMaker
from tests.e2e.cluster.waiting import eventually
from tests.e2e.cluster.workload import Workload

NETWORK = configuration.NETWORK.replace(", connectTime: 1s", "")
"""ExaBGP cannot be told how long to wait between attempts."""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: routed}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""
WATCHED = """
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: watched, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.253, bfdProfile: fast}
---
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata: {name: fast, namespace: metallb-system}
spec: {}
"""


@pytest.fixture(scope="module")
def web(installed: Cluster) -> Workload:
    installed.apply(NETWORK)
    installed.apply(SERVICE)
    return installed.workload("web", replicas=3)


def _from(cluster: Cluster, nodes: set[str]) -> bool:
    """Whether the router has the routes of both families from exactly these nodes."""
    addresses = cluster.addresses("routed")
    return len(addresses) == 2 and all(cluster.next_hops(each) == nodes for each in addresses)


def _refused(cluster: Cluster, node: str) -> str:
    states = ("get", "configurationstates", f"speaker-{node}", "-n", SYSTEM_NAMESPACE, "-o", "json")
    return str(json.loads(cluster.kubectl(*states)).get("status", {}).get("errorSummary", ""))


def test_engine_is_changed_by_a_variable(web: Workload, step: StepMaker) -> None:
    cluster = web.cluster
    with step("FRR announces"):
        eventually(lambda: _from(cluster, set(cluster.nodes)), "next hops")
    with step("METALLB_BGP_TYPE=native, and the DaemonSet rolls out"):
        variable = ("METALLB_BGP_TYPE=native", "--containers=*")
        cluster.kubectl("set", "env", "daemonset/speaker", "-n", SYSTEM_NAMESPACE, *variable)
        ours.roll_out(cluster, "daemonset/speaker")
    with step("ExaBGP announces from every node, in both families"):
        eventually(lambda: _from(cluster, set(cluster.nodes)), "next hops")
        eventually(lambda: announcers(cluster, "routed", "bgp") == set(cluster.nodes), "statuses")
        assert all("exabgp" in ours.readyz(cluster, node) for node in cluster.nodes)
    with step("every Pod answers"):
        address = f"http://{cluster.addresses('routed')[0]}:80/"
        eventually(lambda: set(cluster.client.spread(address)) == set(web.names()), "every Pod")


def test_routes_follow_the_pods(web: Workload, step: StepMaker) -> None:
    cluster, pod = web.cluster, web.names()[0]
    node = cluster.node_of(pod).name
    with step("a Pod is unready: its node's routes go"):
        web.make_unready(pod)
        eventually(lambda: _from(cluster, set(cluster.nodes) - {node}), "two nodes")
    with step("ready again: they are back"):
        web.make_ready(pod)
        eventually(lambda: _from(cluster, set(cluster.nodes)), "three nodes")


def test_peer_that_exabgp_cannot_serve_is_refused_alone(web: Workload, step: StepMaker) -> None:
    cluster = web.cluster
    node = next(iter(cluster.nodes))
    with step("a peer with BFD: said in the node's ConfigurationState"):
        cluster.apply(WATCHED)
        eventually(lambda: "bfdProfile" in _refused(cluster, node), "a problem")
    with step("the other peers go on"):
        assert _from(cluster, set(cluster.nodes))
