"""A node of the cluster: kube-proxy and kubelet, and with it every container of the node's Pods."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.lab import layout, namespaces, network
from orchestrator.lab.layout import NodeHost
from orchestrator.lab.namespaces import Namespace
from orchestrator.lab.topology import Lab
from tests.e2e.cluster.kubelet.images import CHECKOUT
from tests.e2e.cluster.machine import Machine
from tests.support import binaries
from tests.support.plane import PROXY, Plane

IMAGE = "image"
"""The folder with our code, beside the nodes' disks."""
POD_NETWORKS = "10.244.0.0/16,fd00:10:244::/48"
PROXY_FLAGS = (
    "--proxy-mode=nftables",
    f"--cluster-cidr={POD_NETWORKS}",
    *("--conntrack-max-per-core=0", "--conntrack-min=0"),
    *("--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s"),
    *("--healthz-bind-address=0.0.0.0:10256", "--metrics-bind-address=127.0.0.1:10249"),
)


def user(name: str) -> str:
    """Of a node's kubelet; the Node authorizer knows it by this name."""
    return f"system:node:{name}"


@dataclass(slots=True, kw_only=True)
class ClusterNode:
    """A node; `folder` is its disk: logs/, pods/<uid>/volumes/, and root/ for host paths."""

    host: NodeHost
    lab: Lab
    plane: Plane
    folder: Path
    image: Path
    probe_scale: float
    _processes: list["subprocess.Popen[str]"] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def machine(self) -> Machine:
        return Machine(self.name, self.namespace)

    @property
    def namespace(self) -> Namespace:
        return self.lab.machines[self.name]

    @property
    def address(self) -> str:
        return str(self.host.address)

    @property
    def address6(self) -> str:
        return str(self.host.address6)

    def register(self) -> None:
        """Make the Node object, as a person or a cloud does; the kubelet fills its status."""
        labels = {"kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        pods = [str(self.host.pods), str(self.host.pods6)]
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"podCIDR": pods[0], "podCIDRs": pods},
        }
        status, answer = self.plane.request("POST", "/api/v1/nodes", node)
        assert status == 201, answer

    def start(self) -> None:
        """Switch the machine on: kube-proxy, kubelet, and by it the Pods that the API server has for it."""
        self._start_proxy()
        self._start_kubelet()

    def kill(self) -> None:
        """SIGKILL every process of the node and of its Pods. Its network stays; see `unplug`."""
        for process in self._processes:
            process.kill()
        for name in [*namespaces.names(f"{self.namespace.name}-pod-"), self.namespace.name]:
            namespaces.kill_members(Namespace(name))
        while self._processes:
            self._processes.pop().wait()

    def unplug(self) -> None:
        """Pull its cable."""
        network.unplug(self.lab.machines, self.name)

    def plug(self) -> None:
        network.plug(self.lab.machines, self.name)

    def remove_pods(self) -> None:
        """Take away the Pods' networks after `kill`."""
        for name in namespaces.names(f"{self.namespace.name}-pod-"):
            Namespace(name).remove()

    def pod_log(self, pod: str, container: str, namespace: str = "default") -> Path:
        """The file with everything that a container printed, over its restarts."""
        return self.folder / "logs" / f"{namespace}_{pod}_{container}.log"

    @property
    def kubelet_log(self) -> Path:
        return self.folder / "kubelet.log"

    @property
    def proxy_log(self) -> Path:
        return self.folder / "kube-proxy.log"

    def _start_proxy(self) -> None:
        argv = [str(binaries.path("kube-proxy")), f"--kubeconfig={self.plane.kubeconfig(PROXY)}"]
        argv += [f"--hostname-override={self.name}", *PROXY_FLAGS]
        self._processes.append(self._spawn(self.namespace.command(argv), self.proxy_log))

    def _start_kubelet(self) -> None:
        options: Mapping[str, object] = {
            "node": self.name,
            "lab": self.lab.name,
            "folder": self.folder,
            "image": self.image,
            "kubeconfig": self.plane.kubeconfig(user(self.name)),
            "probe-scale": self.probe_scale,
        }
        flags = [f"--{name}={value}" for name, value in options.items()]
        # nsenter, not `ip netns exec`: the namespaces that it makes for Pods must be seen outside.
        enter = ["nsenter", f"--net={self.namespace.path}"]
        argv = [*enter, sys.executable, "-m", "tests.e2e.cluster.kubelet", *flags]
        self._processes.append(self._spawn(argv, self.kubelet_log))

    def _spawn(self, argv: list[str], path: Path) -> "subprocess.Popen[str]":
        path.parent.mkdir(parents=True, exist_ok=True)
        dies_with_us = ["setpriv", "--pdeathsig", "KILL"]
        with path.open("a") as log:
            return subprocess.Popen(
                [*dies_with_us, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, text=True,
                start_new_session=True, cwd=CHECKOUT,
            )  # fmt: skip


def all_of(lab: Lab, plane: Plane, disks: Path, probe_scale: float) -> list[ClusterNode]:
    """The nodes of the lab's layout."""
    return [
        ClusterNode(
            host=host, lab=lab, plane=plane, folder=disks / host.name, image=disks / IMAGE, probe_scale=probe_scale
        )
        for host in layout.NODES
    ]
