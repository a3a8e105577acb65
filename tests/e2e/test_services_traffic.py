"""A user exposes a workload: clients behind the router and on the LAN reach its Pods through kube-proxy, under both
traffic policies and in both families, and stay with those Pods that can answer.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.lab import layout
from tests.e2e.cluster import configuration
from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.datagrams import echoed
from tests.e2e.cluster.machine import Machine
from tests.e2e.cluster.printed import PENDING, announcers, assigned, events, external_ip
from tests.e2e.cluster.running import CLIENT6
from tests.e2e.cluster.steps import StepMaker
from tests.e2e.cluster.waiting import eventually
from tests.e2e.cluster.workload import Workload

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: routed}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: routed-local}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: lan, annotations: {metallb.io/address-pool: lan}}
spec:
  type: LoadBalancer
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: lan-local, annotations: {metallb.io/address-pool: lan}}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"""

NAMES = ("routed", "routed-local", "lan", "lan-local")
NEIGHBOR_ADDRESSES = {str(layout.NEIGHBOR_HOST.address), str(layout.NEIGHBOR_HOST.address6)}

RESOLVER = """
apiVersion: v1
kind: Service
metadata: {name: resolver-tcp, annotations: {metallb.io/allow-shared-ip: resolver}}
spec:
  type: LoadBalancer
  loadBalancerIP: 203.0.113.53
  selector: {app: web}
  ports: [{port: 53, protocol: TCP, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: resolver-udp, annotations: {metallb.io/allow-shared-ip: resolver}}
spec:
  type: LoadBalancer
  loadBalancerIP: 203.0.113.53
  selector: {app: web}
  ports: [{port: 53, protocol: UDP, targetPort: 7}]
"""

RIVAL = """
apiVersion: v1
kind: Service
metadata: {name: rival, annotations: {metallb.io/allow-shared-ip: resolver, metallb.io/loadBalancerIPs: 203.0.113.53}}
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 53, protocol: TCP, targetPort: http}]
"""


@pytest.fixture(scope="module")
def web(installed: Cluster) -> Workload:
    """A Pod on each node, with two Services behind BGP and two on the LAN."""
    installed.apply(configuration.NETWORK)
    installed.apply(SERVICES)
    return installed.workload("web", replicas=3)


def url(address: str, port: int = 80) -> str:
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


def test_pods_answer_behind_bgp_and_on_the_lan(web: Workload, step: StepMaker) -> None:
    cluster = web.cluster
    own = {cluster.client: {str(layout.CLIENT_ADDRESS), CLIENT6}, cluster.neighbor: NEIGHBOR_ADDRESSES}
    with step("two addresses each, in the column EXTERNAL-IP"):
        eventually(lambda: all(len(cluster.addresses(name)) == 2 for name in NAMES), "addresses")
        assert all(set(external_ip(cluster, name).split(",")) == set(cluster.addresses(name)) for name in NAMES)
    routed, routed_local, lan, lan_local = (cluster.addresses(name) for name in NAMES)
    with step("the router forwards to every node, in both families"):
        everywhere = set(cluster.nodes)
        eventually(lambda: all(cluster.next_hops(each) == everywhere for each in (*routed, *routed_local)), "ECMP")
    with step("one node each answers for the LAN's"):
        eventually(lambda: all(len(announcers(cluster, name, "l2")) == 1 for name in NAMES[2:]), "statuses")
    with step("policy Cluster: every Pod answers every client"):
        asked = [(machine, url(address)) for machine in own for address in (*routed, *lan)]
        eventually(lambda: all(set(each.spread(where)) == set(web.names()) for each, where in asked), "every Pod")
    with step("policy Local: Pods see the client's own address"):
        asked = [(machine, url(address)) for machine in own for address in (*routed_local, *lan_local)]
        eventually(lambda: all(each.reaches(where) for each, where in asked), "answers")
        assert all(each.get(where).answer.client in own[each] for each, where in asked)
    with step("policy Local on the LAN: the Pod of the node that answers"):
        (owner,) = announcers(cluster, "lan-local", "l2")
        assert {cluster.neighbor.get(url(address)).answer.node for address in lan_local} == {owner}


def test_local_policy_follows_the_readiness_of_pods(web: Workload, step: StepMaker) -> None:
    cluster = web.cluster
    addresses = cluster.addresses("routed-local")
    everywhere = set(cluster.nodes)
    eventually(lambda: all(cluster.next_hops(each) == everywhere for each in addresses), "all nodes")
    pod = web.names()[0]
    node = cluster.node_of(pod).name
    with step("a Pod is unready: its node's route goes"):
        web.make_unready(pod)
        eventually(lambda: all(cluster.next_hops(a) == everywhere - {node} for a in addresses), f"no {node}")
        eventually(lambda: announcers(cluster, "routed-local", "bgp") == everywhere - {node}, f"no status of {node}")
    with step("the others answer all"):
        eventually(lambda: set(cluster.client.spread(url(addresses[0]))) == set(web.names()) - {pod}, "two Pods")
    assert cluster.next_hops(cluster.addresses("routed")[0]) == everywhere
    with step("ready again: the route is back"):
        web.make_ready(pod)
        eventually(lambda: all(cluster.next_hops(each) == everywhere for each in addresses), "all nodes")
        eventually(lambda: set(cluster.client.spread(url(addresses[0]))) == set(web.names()), "three Pods")
    with step("on the LAN: another node takes over from one whose Pod is unready"):
        (owner,) = announcers(cluster, "lan-local", "l2")
        its_pod = next(name for name in web.names() if cluster.node_of(name).name == owner)
        web.make_unready(its_pod)
        lan = cluster.addresses("lan-local")
        eventually(lambda: cluster.neighbor.get(url(lan[0])).answer.node != owner, "IPv4 from another node")
        eventually(lambda: cluster.neighbor.get(url(lan[1])).answer.node != owner, "IPv6 from another node")
        eventually(lambda: announcers(cluster, "lan-local", "l2") not in ({owner}, set()), "status of another")
        web.make_ready(its_pod)


def test_scaling_changes_the_next_hops(web: Workload, step: StepMaker) -> None:
    cluster = web.cluster
    addresses = cluster.addresses("routed-local")

    def follows() -> bool:
        return all(cluster.next_hops(each) == set(web.nodes()) for each in addresses)

    for replicas in (1, 2, 0, 3):
        with step(f"scaled to {replicas}"):
            web.scale(replicas)
            web.wait_rolled_out()
            eventually(follows, "next hops as there are Pods")
            assert len(cluster.next_hops(addresses[0])) == replicas
    with step("all answer again"):
        eventually(lambda: set(cluster.client.spread(url(addresses[0]))) == set(web.names()), "three Pods")


def test_deleted_service_is_withdrawn_and_can_be_created_again(web: Workload, step: StepMaker) -> None:
    cluster = web.cluster
    eventually(lambda: announcers(cluster, "routed", "bgp") == set(cluster.nodes), "announced")
    addresses, others = cluster.addresses("routed"), cluster.addresses("routed-local")
    used = assigned(cluster, "routed")
    with step("deleted: routes, statuses and addresses go"):
        cluster.kubectl("delete", "svc", "routed", "lan")
        eventually(lambda: not any(cluster.next_hops(each) for each in addresses), "no route")
        eventually(lambda: not announcers(cluster, "routed", "bgp"), "no ServiceBGPStatus")
        eventually(lambda: not announcers(cluster, "lan", "l2"), "no ServiceL2Status")
        eventually(lambda: assigned(cluster, "routed") == (used[0] - 1, used[1] - 1), "free in the pool's status")
    assert all(cluster.next_hops(each) == set(cluster.nodes) for each in others)
    with step("created again: addresses, routes, answers"):
        cluster.apply(SERVICES)
        eventually(lambda: all(len(cluster.addresses(name)) == 2 for name in NAMES), "addresses")
        again = [url(address) for name in ("routed", "lan") for address in cluster.addresses(name)]
        eventually(lambda: all(cluster.client.reaches(each) for each in again), "answers")
        eventually(lambda: assigned(cluster, "routed") == used, "in use in the pool's status")


def test_tcp_and_udp_share_an_address(web: Workload, step: StepMaker) -> None:
    cluster = web.cluster
    address = "203.0.113.53"
    with step("both Services have it"):
        cluster.apply(RESOLVER)
        resolvers = ("resolver-tcp", "resolver-udp")
        eventually(lambda: all(external_ip(cluster, name) == address for name in resolvers), "one address")
    with step("both protocols are answered"):
        machines = (cluster.client, cluster.neighbor)
        eventually(lambda: all(each.reaches(url(address, 53)) for each in machines), "HTTP")
        eventually(lambda: all(echoed(each, address, 53) for each in machines), "UDP echo")
    with step("a third that wants a port in use is told so"):
        cluster.apply(RIVAL)
        told = (
            f'AllocationFailed Failed to allocate IP for "default/rival": port TCP/53 is already in use on "{address}"'
        )
        eventually(lambda: any(told in event for event in events(cluster, "rival")), "the event")
        assert external_ip(cluster, "rival") == PENDING
    with step("and gets the address with another port"):
        change = '[{"op": "replace", "path": "/spec/ports/0/port", "value": 8053}]'
        cluster.kubectl("patch", "svc", "rival", "--type=json", "-p", change)
        eventually(lambda: external_ip(cluster, "rival") == address, "the address")
        eventually(lambda: cluster.client.reaches(url(address, 8053)), "an answer")
    with step("it stays while one of them is left"):
        cluster.kubectl("delete", "svc", "resolver-tcp", "rival")
        eventually(lambda: not cluster.client.reaches(url(address, 8053)), "no answer to TCP")
        eventually(lambda: echoed(cluster.client, address, 53), "UDP echo")
        cluster.kubectl("delete", "svc", "resolver-udp")
        eventually(lambda: not cluster.next_hops(address), "no route")


def test_address_is_moved_by_hand(web: Workload, step: StepMaker, tmp_path: Path) -> None:
    cluster = web.cluster
    kubeconfig, node = cluster.plane.kubeconfig(), cluster.node("node-a").machine
    address = eventually(lambda: cluster.addresses("lan"), "addresses")[0]
    (before,) = eventually(lambda: announcers(cluster, "lan", "l2"), "an owner")
    with step("arping: the one that should answer does"):
        eventually(
            lambda: ferrule(cluster.neighbor, "arping", kubeconfig, address).returncode == 0, "the owner's answer"
        )
        assert (
            f"{before} answers for {address}, as it should"
            in ferrule(cluster.neighbor, "arping", kubeconfig, address).stdout
        )
    with step("failover: another answers, also on the wire"):
        moved = ferrule(node, "failover", kubeconfig, address, "--wait", "60")
        assert moved.returncode == 0, moved.stderr
        assert moved.stdout.startswith(f"{address}: {before} -> node-")
        (after,) = announcers(cluster, "lan", "l2")
        assert after != before
        asked = ferrule(cluster.neighbor, "arping", kubeconfig, address)
        assert (asked.returncode, f"{after} answers for {address}, as it should" in asked.stdout) == (0, True)
        assert cluster.neighbor.reaches(url(address))
    with step("to a node by name; listed, also by kubectl"):
        third = min(set(cluster.nodes) - {before, after})
        assert ferrule(node, "failover", kubeconfig, address, "--to", third, "--wait", "60").returncode == 0
        listed = ferrule(node, "failover", kubeconfig).stdout.splitlines()
        assert listed[1].split() == [address, "default/lan", third, third, "yes"]
        found = cluster.kubectl("get", "failovers", "-n", SYSTEM_NAMESPACE, "--no-headers").split()
        assert found[:3] == [address, address, third]
    with step("undone: the elected one again"):
        undone = ferrule(node, "failover", kubeconfig, address, "--undo")
        assert undone.stdout == f"{address}: the election decides again\n"
        eventually(lambda: announcers(cluster, "lan", "l2") == {before}, "the first owner")
        assert ferrule(node, "failover", kubeconfig).stdout.splitlines()[1:] == []
    with step("an API server that nobody is: said in a line"):
        nowhere = tmp_path / "kubeconfig"
        nowhere.write_text(kubeconfig.read_text().replace(cluster.plane.server, "https://192.0.2.251:6443"))
        failed = ferrule(node, "failover", nowhere, address)
        assert (failed.returncode, failed.stderr.count("\n")) == (4, 1)
        assert "https://192.0.2.251:6443 cannot be read" in failed.stderr
    assert cluster.neighbor.reaches(url(address))


def ferrule(machine: Machine, command: str, kubeconfig: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "orchestrator", command, "--kubeconfig", str(kubeconfig), *words]
    return machine.namespace.run(argv, check=False, timeout_s=120)
