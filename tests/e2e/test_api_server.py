"""The API server goes away and comes back, with its history and without: announcements and traffic go on throughout."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from orchestrator.settings import RunFolder
from tests.e2e.cluster import etcd, ours, picture, traffic, unasked, wire
from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.running import CONTROLLERS, NODE_PERIODS
from tests.e2e.cluster.steps import StepMaker
from tests.e2e.cluster.traffic import LAN, LAN_LOCAL, Traffic
from tests.e2e.cluster.waiting import eventually
from tests.e2e.cluster.workload import UNREADY_FILE, Workload

pytestmark = pytest.mark.timeout(900)

OUTAGE_S = 60.0
BACK_S = 60.0
"""Until everybody has found the API server again: back-off is at most 1 s, machines are slow."""
NOT_WATCHED, WATCHED = "API server not watched", "API server watched again"
LISTS = 'ferrule_api_requests_total{code="200",resource="bgppeers",verb="list"}'
BURST_S = 6.0
"""So long a new owner announces itself."""
SERVICES_UP = 'ferrule_watch_up{resource="services"}'
RESTARTED = "node-a"
"""Where the speaker is restarted meanwhile."""

SIDE = """
apiVersion: v1
kind: Service
metadata: {name: side}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector: {app: side}
  ports: [{port: 80, targetPort: http}]
"""
NEWS = """
apiVersion: v1
kind: Service
metadata: {name: news}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
"""
UNREACHABLE_PEER = """
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: unreachable, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.253}
"""


@pytest.fixture(scope="module")
def going(installed: Cluster) -> Traffic:
    return traffic.begin(installed)


@pytest.fixture(scope="module")
def side(going: Traffic) -> Workload:
    """Another Service, with policy Local: a Pod that becomes unready changes its routes."""
    going.cluster.apply(SIDE)
    found = going.cluster.workload("side", replicas=2)
    eventually(lambda: _hops(going.cluster, "side") == set(found.nodes()), "routes of its nodes")
    return found


@pytest.fixture
def unmoved(going: Traffic) -> Iterator[None]:
    """No owner tells the LAN anything but its refresh of every 4 minutes, nobody else says anything."""
    owners = {
        going.flows[name].address: wire.answerers(going.cluster, going.flows[name].address) for name in (LAN, LAN_LOCAL)
    }
    time.sleep(BURST_S)
    with unasked.heard(going.cluster) as heard:
        yield
    for address, owner in owners.items():
        assert heard.of(address) in ([], [*owner])


def test_outage_is_seen_and_costs_nothing(going: Traffic, side: Workload, unmoved: None, step: StepMaker) -> None:
    cluster = going.cluster
    before, logs = picture.take(cluster, going.addresses()), _Logs.of(cluster)
    restarted_log = _log(cluster, RESTARTED)
    killed = cluster.pod_processes(ours.speaker(cluster, RESTARTED), "speaker", SYSTEM_NAMESPACE)
    unready = side.names()[0]
    gone_from, state = cluster.node_of(unready).name, cluster.volume(unready, "state")
    with going.counted() as losses:
        ends_at = time.monotonic() + OUTAGE_S
        with _away(cluster):
            with step(f"API server stopped for {OUTAGE_S:g} s: /readyz and a metric of every speaker say so"):
                eventually(lambda: all(_detail(cluster, node) for node in cluster.nodes), "a detail of each")
                assert {ours.sample(cluster, node, SERVICES_UP) for node in cluster.nodes} == {0}
            with step(f"speaker of {RESTARTED} killed meanwhile: it waits, and what it announced stays") as tell:
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)
                eventually(lambda: _waits(cluster, RESTARTED), "a speaker that waits", within_s=ours.SLOW_START_S)
                tell(f"/readyz: {_detail(cluster, 'node-b')}")
            (state / UNREADY_FILE).touch()
            time.sleep(max(0.0, ends_at - time.monotonic()))
            assert picture.updates(cluster) == before.updates
            assert logs.added(NOT_WATCHED) == dict.fromkeys(logs.files, 1) | {restarted_log: 2}
        with step("API server back: every speaker follows it again"):
            eventually(lambda: not any(_detail(cluster, node) for node in cluster.nodes), "no detail", within_s=BACK_S)
            assert {ours.sample(cluster, node, SERVICES_UP) for node in cluster.nodes} == {1}
        with step("what had changed meanwhile counts: the route to a Pod that became unready is gone"):
            eventually(lambda: _hops(cluster, "side") == set(side.nodes()) - {gone_from}, "one route", within_s=BACK_S)
    assert losses.total == 0, str(losses)
    with step("a new Service is announced, all is ready, statuses are true") as tell:
        cluster.apply(NEWS)
        eventually(lambda: _hops(cluster, "news") == set(cluster.nodes), "routes of the new one", within_s=BACK_S)
        eventually(lambda: ours.all_ready(cluster), "all ready", within_s=ours.SLOW_START_S)
        eventually(lambda: traffic.is_told(going), "true statuses", within_s=BACK_S)
        tell(str(losses))
    after = picture.take(cluster, going.addresses())
    assert (after.drops, after.next_hops, after.answerers) == (before.drops, before.next_hops, before.answerers)
    assert all(logs.added(WATCHED).values())  # a server that starts slowly refuses some once more: each tells of it


def test_lost_history_moves_nothing(going: Traffic, unmoved: None, step: StepMaker) -> None:
    cluster = going.cluster
    cluster.apply(UNREACHABLE_PEER)
    eventually(lambda: _peering_with(cluster, "192.0.2.253") == set(cluster.nodes), "a peer more everywhere")
    picture.wait_settled(cluster)
    before = picture.take(cluster, going.addresses())
    lists = {node: _lists(cluster, node) for node in cluster.nodes}
    with going.counted() as losses:
        with step("API server stopped, a peer deleted in etcd, history compacted, API server started"), _away(cluster):
            etcd.delete(cluster.plane, f"metallb.io/bgppeers/{SYSTEM_NAMESPACE}/unreachable")
            etcd.compact(cluster.plane)
        with step("everybody lists again, and learns of it"):
            eventually(lambda: not _peering_with(cluster, "192.0.2.253"), "no such peer", within_s=BACK_S)
            assert all(_lists(cluster, node) > lists[node] for node in cluster.nodes)
            eventually(lambda: ours.all_ready(cluster), "all ready", within_s=ours.SLOW_START_S)
    assert losses.total == 0, str(losses)
    assert before.difference(picture.take(cluster, going.addresses())) == []


# ---- the API server


@contextlib.contextmanager
def _away(cluster: Cluster) -> Iterator[None]:
    """Stopped for the length of the block, and Kubernetes' controllers with it: they end without their Leases."""
    cluster.plane.stop_api_server()
    os.kill(cluster.plane.pid("kube-controller-manager"), signal.SIGKILL)
    try:
        yield
    finally:
        cluster.plane.start_api_server()
        cluster.plane.start_controllers(CONTROLLERS, *NODE_PERIODS)


# ---- what is seen


def _detail(cluster: Cluster, node: str) -> str:
    """What a speaker's /readyz says of the API server."""
    return ours.readyz(cluster, node).get("API server", "")


def _waits(cluster: Cluster, node: str) -> bool:
    """Whether a speaker has begun anew and reads what it cannot reach."""
    said = ours.readyz(cluster, node)
    return said["first list"].startswith("reading") and bool(said.get("API server"))


def _hops(cluster: Cluster, service: str) -> frozenset[str]:
    """Where the router forwards a Service's address to; nowhere before it has one."""
    return frozenset().union(*map(cluster.next_hops, cluster.addresses(service)))


def _lists(cluster: Cluster, node: str) -> float:
    return ours.sample(cluster, node, LISTS) or 0.0


def _peering_with(cluster: Cluster, address: str) -> set[str]:
    """The nodes whose bgpd is configured with a peer."""
    return {node for node in cluster.nodes if address in _run_folder(cluster, node).daemon_conf("bgpd").read_text()}


def _run_folder(cluster: Cluster, node: str) -> RunFolder:
    return RunFolder(cluster.volume(ours.speaker(cluster, node), "run", SYSTEM_NAMESPACE))


def _log(cluster: Cluster, node: str) -> Path:
    return cluster.node(node).pod_log(ours.speaker(cluster, node), "speaker", SYSTEM_NAMESPACE)


@dataclass(frozen=True, slots=True)
class _Logs:
    """The logs of all our processes that talk with the API server, and how long they were."""

    files: dict[Path, int]

    @classmethod
    def of(cls, cluster: Cluster) -> Self:
        found = [
            cluster.node(pod["spec"]["nodeName"]).pod_log(pod["metadata"]["name"], component, SYSTEM_NAMESPACE)
            for component in (ours.CONTROLLER, ours.SPEAKER)
            for pod in ours.pods(cluster, component)
        ]
        return cls({path: path.stat().st_size for path in found})

    def added(self, event: str) -> dict[Path, int]:
        """How many lines of an event each has more by now."""
        return {
            path: path.read_bytes()[size:].count(f'"event": "{event}"'.encode()) for path, size in self.files.items()
        }
