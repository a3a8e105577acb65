"""Parts of the cluster fail or are replaced: what clients lose, who takes over, what is right again afterwards."""

import signal
import time
from collections.abc import Iterator

import pytest

from orchestrator.lab import router
from tests.e2e.cluster import ours, picture, traffic, unasked, wire
from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.printed import PENDING, announcers, external_ip
from tests.e2e.cluster.steps import StepMaker
from tests.e2e.cluster.traffic import LAN, LAN_LOCAL, ROUTED, ROUTED_LOCAL, Traffic
from tests.e2e.cluster.waiting import eventually

pytestmark = pytest.mark.timeout(900)

RETURN_HOLD_S = 30.0
"""Of the manifest: how long a node that is back waits for its layer-2 addresses."""
LEASE_S = 15.0
WATCHED_S = 3.0
STATUSES = "servicel2statuses,servicebgpstatuses,configurationstates,speakerstates"

FAST = """
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata: {name: fast, namespace: metallb-system}
spec: {receiveInterval: 100, transmitInterval: 100, detectMultiplier: 3}
"""
BFD = '{"spec": {"bfdProfile": "fast"}}'
LATECOMER = """
apiVersion: v1
kind: Service
metadata: {{name: {name}, annotations: {{metallb.io/address-pool: lan}}}}
spec: {{type: LoadBalancer, selector: {{app: web}}, ports: [{{port: 80, targetPort: http}}]}}
"""


@pytest.fixture(scope="module")
def going(installed: Cluster) -> Traffic:
    return traffic.begin(installed)


@pytest.fixture
def still(going: Traffic) -> Iterator[None]:
    """Nothing moves during the test."""
    before = picture.take(going.cluster, going.addresses())
    yield
    assert before.difference(picture.take(going.cluster, going.addresses())) == []


# ---- our own processes


@pytest.mark.usefixtures("still")
def test_crash_of_every_speaker_loses_nothing(going: Traffic, step: StepMaker) -> None:
    cluster = going.cluster
    speakers = ours.containers(cluster, ours.SPEAKER, "speaker")
    with step("every speaker killed, and ready again") as tell:
        with going.counted() as losses, unasked.heard(cluster) as heard:
            ours.crash(cluster, speakers)
            ours.wait_restarted(cluster, speakers)
        tell(str(losses))
    assert losses.total == 0
    assert [heard.of(going.flows[name].address) for name in (LAN, LAN_LOCAL)] == [[], []]


def test_rollout_of_the_speakers_loses_nothing(going: Traffic, step: StepMaker) -> None:
    cluster = going.cluster
    owners = [_owner(going, name) for name in (LAN, LAN_LOCAL)]
    with step("kubectl rollout restart daemonset/speaker") as tell:
        with going.counted() as losses:
            ours.roll_out(cluster, "daemonset/speaker")
        tell(str(losses))
    assert losses.total == 0
    with step(
        f"routes of every node, true statuses; addresses return to who had them within {RETURN_HOLD_S:g} s"
    ) as tell:
        with going.counted(LAN, LAN_LOCAL) as losses:
            eventually(lambda: [_owner(going, name) for name in (LAN, LAN_LOCAL)] == owners, "return", within_s=90)
            _converged(going)
        tell(str(losses))
    assert losses.total == 0


@pytest.mark.usefixtures("still")
def test_service_gets_its_address_from_the_next_controller(going: Traffic, step: StepMaker) -> None:
    cluster = going.cluster
    before = ours.leader(cluster)
    with step("kubectl rollout restart deployment/controller; a Service meanwhile gets its address") as tell:
        cluster.kubectl("rollout", "restart", "deployment/controller", "-n", SYSTEM_NAMESPACE)
        eventually(lambda: ours.leader(cluster) not in {before, ""}, "another leader", within_s=ours.SLOW_START_S)
        _assigned(cluster, "during-rollout")
        eventually(lambda: ours.all_ready(cluster), "two controllers", within_s=ours.SLOW_START_S)
        tell(f"{before} -> {ours.leader(cluster)}")
    _removed(cluster, "during-rollout")


@pytest.mark.usefixtures("still")
def test_service_gets_its_address_after_a_leader_crashed(going: Traffic, step: StepMaker) -> None:
    cluster = going.cluster
    before = ours.leader(cluster)
    killed = [one for one in ours.containers(cluster, ours.CONTROLLER, "controller") if one.pod == before]
    with step("leader killed (SIGKILL) and restarted by kubelet; a Service created then has its address") as tell:
        ours.crash(cluster, killed)
        _assigned(cluster, "after-crash")
        tell(f"{before} -> {ours.leader(cluster)}")
    ours.wait_restarted(cluster, killed)
    _removed(cluster, "after-crash")


@pytest.mark.usefixtures("still")
def test_service_gets_its_address_when_a_leader_is_gone_without_a_word(going: Traffic, step: StepMaker) -> None:
    cluster = going.cluster
    before = ours.leader(cluster)
    with step(
        f"leader frozen, its Pod deleted by force; its Lease lasts {LEASE_S:g} s, then a Service has an address"
    ) as tell:
        cluster.signal_container(before, "controller", signal.SIGSTOP, SYSTEM_NAMESPACE)
        cluster.kubectl("delete", "pod", before, "-n", SYSTEM_NAMESPACE, "--grace-period=0", "--force")
        _assigned(cluster, "after-freeze")
        tell(f"{before} -> {ours.leader(cluster)}")
    assert ours.leader(cluster) != before
    eventually(lambda: ours.all_ready(cluster), "two controllers", within_s=ours.SLOW_START_S)
    _removed(cluster, "after-freeze")


# ---- nodes


def test_killed_node_is_replaced_and_comes_back(going: Traffic, step: StepMaker) -> None:
    cluster = going.cluster
    cluster.apply(FAST)
    cluster.kubectl("patch", "bgppeer", "router", "-n", SYSTEM_NAMESPACE, "--type=merge", "-p", BFD)
    eventually(lambda: _is_watched(cluster), "BFD sessions of all nodes", within_s=60)
    name = _owner(going, LAN_LOCAL)
    node = cluster.node(name)
    with step(f"{name}, which has the LAN's addresses, killed and unplugged") as tell:
        with going.counted() as losses:
            node.unplug()
            node.kill()
            eventually(lambda: all(_owner(going, service) not in {name, ""} for service in (LAN, LAN_LOCAL)), "owner")
            eventually(lambda: name not in _next_hops(going), "routes without it")
            eventually(lambda: name not in cluster.ready_nodes(), "NotReady", within_s=60)
            eventually(lambda: name not in _endpoint_nodes(cluster), "endpoints without it", within_s=60)
        tell(str(losses))
    with step("the others serve, and lose nothing"):
        _lossless(going)
        eventually(lambda: len(announcers(cluster, LAN, "l2") - {name}) == 1, "status of the new owner")
    with step(f"{name} back: Ready, speaker ready, routes; its addresses return after {RETURN_HOLD_S:g} s") as tell:
        node.plug()
        node.start()
        eventually(lambda: ours.all_ready(cluster), "every node and speaker", within_s=2 * ours.SLOW_START_S)
        _converged(going)
        with going.counted(LAN, LAN_LOCAL) as losses:
            eventually(lambda: _owner(going, LAN_LOCAL) == name, "return", within_s=90)
        tell(str(losses))
    assert losses.total == 0
    _converged(going)


def test_deleted_node_leaves_nothing_behind(going: Traffic, step: StepMaker) -> None:
    cluster = going.cluster
    node = cluster.node("node-c")
    assert len(_told_of(cluster, node.name)) >= 3
    with step("node-c killed, kubectl delete node"):
        node.kill()
        cluster.kubectl("delete", "node", node.name)
        eventually(lambda: node.name not in _next_hops(going), "routes without it")
    with step("nothing speaks of it any more"):
        eventually(lambda: not _told_of(cluster, node.name), f"no status of {node.name}", within_s=240)


# ---- what is seen


def _owner(going: Traffic, service: str) -> str:
    """The node that answers for a Service's address on the LAN; empty unless it is exactly one."""
    found = wire.answerers(going.cluster, going.flows[service].address)
    return next(iter(found)) if len(found) == 1 else ""


def _next_hops(going: Traffic) -> frozenset[str]:
    """Every node to which the router forwards anything of ours."""
    return frozenset().union(*(going.cluster.next_hops(going.flows[name].address) for name in (ROUTED, ROUTED_LOCAL)))


def _converged(going: Traffic) -> None:
    """Return when routes and statuses say of each Service what is so."""
    eventually(lambda: traffic.is_everywhere(going), "routes of all nodes", within_s=60)
    eventually(lambda: traffic.is_told(going), "true statuses", within_s=60)
    picture.wait_settled(going.cluster)


def _lossless(going: Traffic) -> None:
    """Return after seconds in which nothing was lost."""
    with going.counted() as losses:
        time.sleep(WATCHED_S)
    assert losses.total == 0, str(losses)


def _assigned(cluster: Cluster, service: str) -> None:
    """Create a Service on the LAN, of which the router hears nothing, and wait for its address."""
    cluster.apply(LATECOMER.format(name=service))
    eventually(lambda: external_ip(cluster, service) != PENDING, f"address of {service}", within_s=120)


def _removed(cluster: Cluster, service: str) -> None:
    """Delete a Service, and wait until nobody answers for it."""
    (address,) = cluster.addresses(service)
    cluster.kubectl("delete", "service", service)
    eventually(lambda: not wire.answerers(cluster, address), f"nobody who answers for {address}")


def _is_watched(cluster: Cluster) -> bool:
    return router.watched(cluster.lab) >= {node.address for node in cluster.nodes.values()}


def _endpoint_nodes(cluster: Cluster) -> set[str]:
    """Where the endpoints are that kube-proxy may use."""
    path = (
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name%3Drouted"
    )
    slices = cluster.get(path)["items"]
    return {one["nodeName"] for part in slices for one in part["endpoints"] or () if one["conditions"]["ready"]}


def _told_of(cluster: Cluster, node: str) -> list[str]:
    """The status objects that name a node."""
    columns = "custom-columns=:.kind,:.metadata.name,:.status.node,:.spec.node"
    printed = cluster.kubectl("get", STATUSES, "-n", SYSTEM_NAMESPACE, "--no-headers", "-o", columns)
    return [line for line in printed.splitlines() if node in line]
