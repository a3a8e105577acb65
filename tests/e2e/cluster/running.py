"""Builds a whole cluster on this machine and takes it away: the lab's network with a real control plane, kube-proxies,
and kubelets that run Pods as processes.

The lab (`orchestrator.lab`) gives machines, switch, router and clients; the plane is plugged into its switch in the
namespace that the lab has for a control plane. Everything is removed at the end, and when the test process is ended;
what a killed one left is removed by the next.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from orchestrator.lab import layout, namespaces, network, record, router
from orchestrator.lab.layout import LanHost
from orchestrator.lab.namespaces import Namespace
from orchestrator.lab.topology import Lab
from tests.e2e.cluster import node as nodes
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.kubelet import images
from tests.e2e.cluster.node import ClusterNode
from tests.e2e.cluster.waiting import eventually
from tests.support import binaries
from tests.support.plane import Plane, clean_end_on_sigterm

PREFIX = "e2e"
DISKS = Path("/dev/shm")
PLANE_HOST = LanHost(layout.CONTROL, 250)
CLIENT_LENGTH6 = 64
CLIENT6, CLIENT_GATEWAY6 = "2001:db8:2::10", "2001:db8:2::254"
BRIDGE_CALLS = "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"
PROBE_SCALE = 0.25
CONTROLLERS = (
    *("serviceaccount-controller", "root-ca-certificate-publisher-controller", "namespace-controller"),
    *("garbage-collector-controller", "pod-garbage-collector-controller", "clusterrole-aggregation-controller"),
    *("deployment-controller", "replicaset-controller", "daemonset-controller", "disruption-controller"),
    *("endpoints-controller", "endpointslice-controller", "endpointslice-mirroring-controller"),
    *("node-lifecycle-controller", "taint-eviction-controller"),
)
NODE_PERIODS = ("--node-monitor-period=500ms", "--node-monitor-grace-period=5s", "--node-startup-grace-period=5s")
"""A node is NotReady about five seconds after its last heartbeat; the default is 50 s."""


@contextlib.contextmanager
def running_cluster(*, probe_scale: float = PROBE_SCALE) -> Iterator[Cluster]:
    """A cluster of three Ready nodes with its router; probe periods are multiplied by `probe_scale`."""
    binaries.require("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubectl")
    sweep()
    name = f"{PREFIX}{os.getpid()}"
    with clean_end_on_sigterm(), contextlib.ExitStack() as undo:
        undo.callback(_remove, name)
        disks = DISKS / f"ferrule-{name}"
        lab = Lab.up(name)
        undo.callback(lab.down)
        building = undo.enter_context(images.build(disks / nodes.IMAGE))
        _extend_network(lab)
        plane = _start_plane(lab, disks)
        undo.callback(plane.stop)
        assert building.wait() == 0, "our code does not compile"
        found = nodes.all_of(lab, plane, disks, probe_scale)
        for node in found:
            undo.callback(node.kill)
        yield _start_nodes(Cluster(lab, plane, found))


def sweep() -> None:
    """Remove what the clusters of killed test processes left."""
    for name in record.names():
        pid = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and pid.isdigit() and not Path("/proc", pid).exists():
            _remove(name)


def _remove(name: str) -> None:
    for node in layout.NODES:  # first the kubelets, which would go on making Pods' namespaces
        record.kill_processes(Namespace(record.namespace_name(name, node.name)))
    for pod in namespaces.names(f"{record.namespace_name(name, '')}node-"):
        if "-pod-" in pod:
            Namespace(pod).remove()
    record.clear(name)
    shutil.rmtree(DISKS / f"ferrule-{name}", ignore_errors=True)


def _extend_network(lab: Lab) -> None:
    """The plane's cable, its way to Pods (and to nothing else), the client's IPv6, nodes' default IPv6 route."""
    machines = lab.machines
    plane, switch = machines[layout.CONTROL], machines[layout.SWITCH]
    network.plug_into_lan(machines, PLANE_HOST)
    for key in BRIDGE_CALLS:
        switch.sysctl(key, 0)
    for host in layout.NODES:
        namespaces.add_route(plane, str(host.pods), str(host.address))
        namespaces.add_route(plane, str(host.pods6), str(host.address6))
        namespaces.add_route(machines[host.name], "::/0", str(layout.ROUTER_HOST.address6))
        for key in BRIDGE_CALLS:
            machines[host.name].sysctl(key, 1)  # a Pod may reach a Pod beside it by a Service, as kubeadm wants it
    namespaces.add_address(machines[layout.ROUTER], "to-client", f"{CLIENT_GATEWAY6}/{CLIENT_LENGTH6}")
    namespaces.add_address(machines[layout.CLIENT], layout.UPLINK, f"{CLIENT6}/{CLIENT_LENGTH6}")
    namespaces.add_route(machines[layout.CLIENT], "::/0", CLIENT_GATEWAY6)
    namespaces.add_route(machines[layout.NEIGHBOR], "::/0", str(layout.ROUTER_HOST.address6))


def _start_plane(lab: Lab, disks: Path) -> Plane:
    router.start(lab)
    users = {nodes.user(host.name): "system:nodes" for host in layout.NODES}
    return Plane.start(
        disks / "plane", namespace=lab.machines[layout.CONTROL], address=str(PLANE_HOST.address), users=users
    )


def _start_nodes(cluster: Cluster) -> Cluster:
    plane, found = cluster.plane, cluster.nodes.values()
    for node in found:
        node.register()
        node.start()
    plane.start_scheduler()
    plane.start_controllers(CONTROLLERS, *NODE_PERIODS)
    try:
        eventually(lambda: cluster.ready_nodes() == set(cluster.nodes), "every node Ready", within_s=60)
        eventually(lambda: all(map(_forwards, found)), "every kube-proxy healthy", within_s=60)
    except AssertionError as error:
        error.add_note(cluster.last_words())
        raise
    return cluster


def _forwards(node: ClusterNode) -> bool:
    return node.machine.get("http://127.0.0.1:10256/healthz").status == 200
