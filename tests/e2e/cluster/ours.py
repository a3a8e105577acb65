"""Our own Pods as an engineer sees them: where they are, their pages and log lines; and how they are made to crash."""

import json
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.settings import HEALTH_PORT, METRICS_PORT
from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster
from tests.e2e.cluster.waiting import eventually

CONTROLLER, SPEAKER = "controller", "speaker"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/ferrule-controller"
SLOW_START_S = 120.0
"""A Python process on a machine that others use, too."""


@dataclass(frozen=True, slots=True)
class Container:
    """A container of one of our Pods; `restarts` is how often it had been restarted by then."""

    pod: str
    name: str
    restarts: int


def pods(cluster: Cluster, component: str) -> list[dict[str, Any]]:
    """The Pods of "controller" or "speaker" that are not being deleted."""
    found = cluster.pods(f"ferrule.io/component={component}", namespace=SYSTEM_NAMESPACE)
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def speaker(cluster: Cluster, node: str) -> str:
    """The name of a node's speaker Pod. Raises AssertionError while there is none."""
    names = [str(pod["metadata"]["name"]) for pod in pods(cluster, SPEAKER) if pod["spec"]["nodeName"] == node]
    assert names, f"no speaker on {node}"
    return names[0]


def leader(cluster: Cluster) -> str:
    """The Pod that holds the Lease; empty if nobody does."""
    return str(cluster.get(LEASE)["spec"].get("holderIdentity", ""))


def containers(cluster: Cluster, component: str, *names: str) -> list[Container]:
    """The containers of these names in all Pods of a component."""
    return [
        Container(pod["metadata"]["name"], status["name"], int(status["restartCount"]))
        for pod in pods(cluster, component)
        for status in (*pod["status"]["containerStatuses"], *pod["status"].get("initContainerStatuses", ()))
        if status["name"] in names
    ]


def crash(cluster: Cluster, hit: Iterable[Container]) -> None:
    """SIGKILL to all processes of these containers."""
    for container in hit:
        cluster.signal_container(container.pod, container.name, signal.SIGKILL, SYSTEM_NAMESPACE)


def wait_restarted(cluster: Cluster, hit: Iterable[Container]) -> None:
    """Return when these containers run again and all our Pods are ready."""
    wanted = {(one.pod, one.name): one.restarts for one in hit}

    def again() -> bool:
        now = [
            one for part in (CONTROLLER, SPEAKER) for one in containers(cluster, part, *{name for _, name in wanted})
        ]
        started = {(one.pod, one.name) for one in now if one.restarts > wanted.get((one.pod, one.name), one.restarts)}
        return started >= wanted.keys() and all_ready(cluster)

    eventually(again, f"restart of {sorted(wanted)}", within_s=SLOW_START_S)


def all_ready(cluster: Cluster) -> bool:
    """Whether there are two controllers, and a speaker on each Ready node, all ready."""
    controllers, speakers = pods(cluster, CONTROLLER), pods(cluster, SPEAKER)
    enough = len(controllers) == 2 and len(speakers) == len(cluster.ready_nodes())
    return enough and all(_is_ready(pod) for pod in (*controllers, *speakers))


def roll_out(cluster: Cluster, workload: str) -> None:
    """`kubectl rollout restart`, and its end."""
    cluster.kubectl("rollout", "restart", workload, "-n", SYSTEM_NAMESPACE)

    def done() -> bool:
        watched = ("rollout", "status", workload, "-n", SYSTEM_NAMESPACE, "--watch=false")
        return "successfully rolled out" in cluster.kubectl(*watched)

    eventually(done, f"rollout of {workload}", within_s=3 * SLOW_START_S)


# ---- pages and logs


def readyz(cluster: Cluster, node: str) -> dict[str, str]:
    """The lines of a speaker's /readyz: name -> "ok" or what is the matter."""
    text = cluster.node(node).machine.get(f"http://127.0.0.1:{HEALTH_PORT}/readyz").text
    return {name: value for name, _, value in (line.partition(": ") for line in text.splitlines())}


def samples(cluster: Cluster, node: str, name: str) -> dict[str, float]:
    """The samples of a speaker's /metrics whose name begins so, by `name{labels}` as it is printed there."""
    text = cluster.node(node).machine.get(f"http://127.0.0.1:{METRICS_PORT}/metrics", limit_s=5.0).text
    found = (line.rpartition(" ") for line in text.splitlines() if line.startswith(name))
    return {labelled: float(value) for labelled, _, value in found}


def sample(cluster: Cluster, node: str, name: str) -> float | None:
    """One of them; None if it is not there."""
    return samples(cluster, node, name).get(name)


def log_lines(cluster: Cluster, pod: str, container: str, event: str) -> list[dict[str, Any]]:
    """The log lines of a container with this event, also of its earlier runs."""
    lines = (line for line in cluster.pod_log(pod, container, SYSTEM_NAMESPACE).splitlines() if line.startswith("{"))
    return [fields for fields in map(json.loads, lines) if fields.get("event") == event]


def _is_ready(pod: dict[str, Any]) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
