"""The whole path with a real API server: a lab's network and router, a control plane on its LAN, our processes on the nodes.

There is no kube-proxy, kubelet or controller of Kubernetes: what is measured is ours and the API server's.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestrator.lab import layout, network, probes, router
from orchestrator.lab.layout import LanHost
from orchestrator.lab.topology import Lab
from tests.bench import manifests
from tests.bench.path import UNDAMPED, LogLine, temporary_lab
from tests.bench.processes import cpu_s
from tests.support.plane import Plane

PLANE_HOST = LanHost(layout.CONTROL, 250)
CONTROLLER = "controller"
NODES = tuple(node.name for node in layout.NODES)
METRICS_PORT, HEALTH_PORT = 9120, 17472
READY_LIMIT_S = 120.0
LONG_S = 600.0


@dataclass(slots=True)
class ClusterPath:
    """`started` is when each process was started, seconds since the epoch."""

    lab: Lab
    plane: Plane
    started: dict[str, float] = field(default_factory=dict)

    # ---- processes

    def start_controller(self) -> None:
        self._start(CONTROLLER, layout.CONTROL, ["controller"])

    def start_nodes(self, names: Sequence[str] = NODES) -> None:
        for name in names:
            self._start(f"supervise-{name}", name, ["supervise", *self._run(name)])
            self.start_speaker(name)

    def start_speaker(self, node: str) -> None:
        self._start(speaker_of(node), node, ["speaker", *self._run(node), *UNDAMPED])

    def stop(self, process: str) -> None:
        """End it in order and wait for it."""
        pid = self.pid(process)
        os.kill(pid, signal.SIGTERM)
        probes.until(lambda: not _runs(pid), f"the end of {process}", limit_s=READY_LIMIT_S)

    def pid(self, process: str) -> int:
        """The pid of the newest process of that name."""
        return [each.identity.pid for each in self.lab.processes if each.identity.name == process][-1]

    def node_pids(self, node: str) -> list[int]:
        """All processes of a node: supervisor, daemons, responder, speaker."""
        answer = self.lab.machines[node].run(["sh", "-c", "ip netns pids $(ip netns identify $$)"]).stdout
        return [int(pid) for pid in answer.split() if _runs(int(pid))]

    def wait_ready(self) -> None:
        """Return when the controller leads and every speaker is ready."""
        machines = [layout.CONTROL, *NODES]
        probes.until(lambda: all(map(self._is_ready, machines)), "ready processes", limit_s=READY_LIMIT_S)
        probes.until(lambda: self.logged(CONTROLLER, "adopted addresses"), "a leader", limit_s=READY_LIMIT_S)

    def logged(self, process: str, event: str) -> list[LogLine]:
        """What the newest process of that name has logged of an event, in order."""
        lines = (self.lab.folder.logs / f"{process}.log").read_text().splitlines()
        found = (json.loads(line) for line in lines if f'"event": "{event}"' in line)
        events = (LogLine(event=line["event"], ts=line["ts"]) for line in found)
        return [line for line in events if line.instant > self.started[process]]

    # ---- what they count

    def api_requests(self) -> float:
        """Requests to the API server by all our processes so far; watches, which last, aside."""
        lines = [line for machine in (layout.CONTROL, *NODES) for line in self._metrics(machine)]
        counted = (
            line for line in lines if line.startswith("ferrule_api_requests_total{") and 'verb="watch"' not in line
        )
        return sum(float(line.rpartition(" ")[2]) for line in counted)

    def plane_cpu_s(self) -> float:
        return cpu_s(self.plane.pid("etcd")) + cpu_s(self.plane.pid("kube-apiserver"))

    def routes(self) -> Mapping[str, int]:
        """How many prefixes the router has from each node."""
        text = router.vtysh(
            self.lab, self.lab.machines[layout.ROUTER], self.lab.folder.router, "show bgp ipv4 unicast summary json"
        )
        peers = json.loads(text).get("peers", {})
        return {name: int(peers.get(str(layout.node(name).address), {}).get("pfxRcd", 0)) for name in NODES}

    def wait_routed(self, prefixes: int) -> float:
        """Return when (seconds since the epoch) the router has that many prefixes from each node, within 50 ms."""
        what = f"{prefixes} prefixes from each node"
        everywhere = dict.fromkeys(NODES, prefixes)
        probes.until(lambda: self.routes() == everywhere, what, limit_s=LONG_S, interval_s=0.05)
        return time.time()

    def settle(self) -> None:
        """Return when our processes use next to no CPU; what is written behind may still be."""

        def used() -> float:
            pids = [self.pid(CONTROLLER), *(self.pid(speaker_of(node)) for node in NODES)]
            before = sum(map(cpu_s, pids))
            time.sleep(1.0)
            return sum(map(cpu_s, pids)) - before

        probes.until(lambda: used() < 0.3, "quiet processes", limit_s=LONG_S)

    # ---- inner parts

    def _start(self, name: str, machine: str, argv: Sequence[str]) -> None:
        self.started[name] = time.time()
        flags = [] if argv[0] == "supervise" else [f"--kubeconfig={self.plane.kubeconfig()}"]
        self.lab.start(name, machine, [sys.executable, "-m", "orchestrator", *argv, *flags])

    def _run(self, node: str) -> list[str]:
        return ["--run", str(self.lab.folder.run(node).path), "--node", node]

    def _is_ready(self, machine: str) -> bool:
        page = f"http://127.0.0.1:{HEALTH_PORT}/readyz"
        return self.lab.machines[machine].run(["curl", "-sf", page], check=False).returncode == 0

    def _metrics(self, machine: str) -> list[str]:
        page = f"http://127.0.0.1:{METRICS_PORT}/metrics"
        return self.lab.machines[machine].run(["curl", "-s", page]).stdout.splitlines()


def speaker_of(node: str) -> str:
    """The name of a node's speaker process."""
    return f"speaker-{node}"


@contextmanager
def cluster_path() -> Iterator[ClusterPath]:
    """A plane with our definitions and configuration, three Nodes and a router; nothing of ours runs yet."""
    with temporary_lab("bench") as lab:
        control = lab.machines[layout.CONTROL]
        network.plug_into_lan(lab.machines, PLANE_HOST)
        router.start(lab)
        plane = Plane.start(lab.folder.path / "plane", namespace=control, address=str(PLANE_HOST.address))
        try:
            plane.kubectl("apply", "--server-side", "-f", "deploy/crds")
            plane.kubectl("create", "namespace", "metallb-system")
            plane.kubectl("apply", "-f", "-", stdin=manifests.CONFIGURATION)
            for host in layout.NODES:
                _register(plane, host.name, str(host.address))
            yield ClusterPath(lab, plane)
        finally:
            plane.stop()


def _register(plane: Plane, name: str, address: str) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    status = {
        "addresses": [{"type": "InternalIP", "address": address}],
        "conditions": [{"type": "Ready", "status": "True", "reason": "Bench", "message": ""}],
    }
    merge = "application/merge-patch+json"
    for method, path, body, kind in (
        ("POST", "/api/v1/nodes", node, "application/json"),
        ("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": None}}, merge),
        ("PATCH", f"/api/v1/nodes/{name}/status", {"status": status}, merge),
    ):
        code, answer = plane.request(method, path, body, kind)
        assert code < 300, answer


def _runs(pid: int) -> bool:
    try:
        stat = open(f"/proc/{pid}/stat").read()  # noqa: SIM115, PTH123 - a file of one line, many times
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
