"""What a scenario does to the cluster and sees of it: kubectl, Pods, nodes, clients, the router. See `running`."""

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from orchestrator.lab import layout, probes, router
from orchestrator.lab.router import Session
from orchestrator.lab.topology import Lab
from tests.e2e.cluster import workload
from tests.e2e.cluster.kubelet.images import CHECKOUT
from tests.e2e.cluster.machine import Machine
from tests.e2e.cluster.node import ClusterNode
from tests.e2e.cluster.workload import Workload
from tests.support.plane import Plane

MANIFEST = CHECKOUT / "deploy" / "manifests" / "ferrule.yaml"
SYSTEM_NAMESPACE = "metallb-system"
LOG_LINES, LOG_COLUMNS = 15, 400


class Cluster:
    """Made by `running.running_cluster`."""

    def __init__(self, lab: Lab, plane: Plane, cluster_nodes: Sequence[ClusterNode]) -> None:
        self.lab, self.plane = lab, plane
        self.nodes = {node.name: node for node in cluster_nodes}
        self.client = Machine(layout.CLIENT, lab.machines[layout.CLIENT])
        """Behind the router."""
        self.neighbor = Machine(layout.NEIGHBOR, lab.machines[layout.NEIGHBOR])
        """On the nodes' LAN."""

    # ---- what a user does

    def kubectl(self, *argv: str, stdin: str | None = None, check: bool = True) -> str:
        """What kubectl prints. Raises CalledProcessError with what it objects to, unless told not to check."""
        done = self.plane.kubectl(*argv, stdin=stdin, check=check, timeout_s=90)
        return done.stdout if check else done.stdout + done.stderr

    def apply(self, manifest: str | Path, *argv: str) -> str:
        """`kubectl apply` of a file, or of YAML as text."""
        if isinstance(manifest, Path):
            return self.kubectl("apply", "-f", str(manifest), *argv)
        return self.kubectl("apply", "-f", "-", *argv, stdin=manifest)

    def get(self, path: str) -> Any:
        """An object or list from the API server, as it has it. Raises AssertionError unless it is there."""
        status, answer = self.plane.request("GET", path)
        assert status == 200, f"{path}: {status} {answer}"
        return answer

    def service(self, name: str, namespace: str = "default") -> Any:
        return self.get(f"/api/v1/namespaces/{namespace}/services/{name}")

    def addresses(self, service: str, namespace: str = "default") -> list[str]:
        """The load balancer addresses in a Service's status."""
        ingress = self.service(service, namespace)["status"]["loadBalancer"].get("ingress", [])
        return [str(one["ip"]) for one in ingress]

    def pods(self, selector: str = "", *, namespace: str = "default") -> list[dict[str, Any]]:
        """Pods by label selector, sorted by name."""
        found = self.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector={quote(selector)}")["items"]
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    def workload(
        self,
        name: str,
        *,
        replicas: int = 2,
        labels: Mapping[str, str] | None = None,
        namespace: str = "default",
        node_selector: Mapping[str, str] | None = None,
    ) -> Workload:
        """A Deployment of the web image whose Pods are ready; labels are `app: <name>` unless said otherwise."""
        return workload.create(
            self, name, replicas=replicas, labels=labels, namespace=namespace, node_selector=node_selector
        )

    def install(self) -> None:
        """Apply our manifest as it is, and wait until controller and speakers are ready."""
        self.apply(MANIFEST, "--server-side")
        for kind, name in (("deployment", "controller"), ("daemonset", "speaker")):
            self.kubectl("rollout", "status", f"{kind}/{name}", "-n", SYSTEM_NAMESPACE, "--timeout=60s")

    # ---- what the machines show

    def node(self, name: str) -> ClusterNode:
        return self.nodes[name]

    def ready_nodes(self) -> set[str]:
        """Names of the nodes that are Ready and take Pods."""
        return {item["metadata"]["name"] for item in self.get("/api/v1/nodes")["items"] if _is_usable(item)}

    def node_of(self, pod: str, namespace: str = "default") -> ClusterNode:
        """Where a Pod runs."""
        return self.nodes[self._pod(pod, namespace)["spec"]["nodeName"]]

    def pod_log(self, pod: str, container: str, namespace: str = "default") -> str:
        """Everything that a container printed so far."""
        path = self.node_of(pod, namespace).pod_log(pod, container, namespace)
        return path.read_text(errors="replace") if path.exists() else ""

    def volume(self, pod: str, volume: str, namespace: str = "default") -> Path:
        """The folder of a Pod's emptyDir on its node's disk."""
        return self._pod_folder(pod, namespace) / "volumes" / volume

    def first_process(self, pod: str, container: str, namespace: str = "default") -> int:
        """The pid of a container's first process, as this machine sees it."""
        return int((self._pod_folder(pod, namespace) / f"{container}.pid").read_text())

    def pod_processes(self, pod: str, container: str, namespace: str = "default") -> list[int]:
        """The pids of all of a container's processes: those of its process namespace."""
        wanted = Path(f"/proc/{self.first_process(pod, container, namespace)}/ns/pid").stat()
        pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return sorted(pid for pid in pids if _is_in(pid, wanted))

    def signal_container(self, pod: str, container: str, number: signal.Signals, namespace: str = "default") -> None:
        """Send a signal to each process of a container: SIGKILL crashes it, SIGSTOP freezes it."""
        for pid in self.pod_processes(pod, container, namespace):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def sessions(self) -> Mapping[str, Session]:
        """The router's BGP sessions by the node's address."""
        return router.sessions(self.lab)

    def next_hops(self, address: str) -> frozenset[str]:
        """The names of the nodes that the router's kernel forwards an address to."""
        prefix = f"{address}/{128 if ':' in address else 32}"
        return frozenset(self.name_of(hop) for hop in probes.next_hops(self.lab.machines[layout.ROUTER], prefix))

    def router_show(self, command: str) -> str:
        """What the router's vtysh prints."""
        return router.vtysh(self.lab, self.lab.machines[layout.ROUTER], self.lab.folder.router, command)

    def name_of(self, address: str) -> str:
        """The node that has a LAN address; other addresses stay as they are."""
        found = (node.name for node in self.nodes.values() if address in (node.address, node.address6))
        return next(found, address)

    def last_words(self) -> str:
        """The ends of all logs: what to look at when a test failed."""
        folder = self.plane.folder.parent
        paths = [*sorted(folder.rglob("*.log")), *sorted(self.lab.folder.logs.glob("*.log"))]
        return "\n".join("\n".join((f"--- {path.relative_to('/')}", *_end(path))) for path in paths)

    def _pod(self, name: str, namespace: str) -> Any:
        return self.get(f"/api/v1/namespaces/{namespace}/pods/{name}")

    def _pod_folder(self, pod: str, namespace: str) -> Path:
        found = self._pod(pod, namespace)
        return self.nodes[found["spec"]["nodeName"]].folder / "pods" / str(found["metadata"]["uid"])


def _end(path: Path) -> list[str]:
    return [line[:LOG_COLUMNS] for line in path.read_text(errors="replace").splitlines()[-LOG_LINES:]]


def _is_usable(node: Any) -> bool:
    conditions = {one["type"]: one["status"] for one in node["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and not node["spec"].get("taints")


def _is_in(pid: int, namespace: os.stat_result) -> bool:
    try:
        found = Path(f"/proc/{pid}/ns/pid").stat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (namespace.st_dev, namespace.st_ino)
