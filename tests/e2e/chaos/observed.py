"""What is: on the wire, in the router, in the nodes' daemons, and in the status objects."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.lab import router
from orchestrator.render.canonical import Line, parse
from orchestrator.settings import RunFolder
from tests.e2e.chaos.fresh import Statement, Texts
from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster

EXCEPTION = re.compile(r"^[\s|+-]*[\w.]+(Error|Exception|Group|Warning)\b")
DAEMONS = ("bgpd", "bfdd", "zebra")


def routes(cluster: Cluster) -> dict[str, dict[str, frozenset[str]]]:
    """Per prefix the nodes that the router has it from, with the communities that came along."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for family in ("ipv4", "ipv6"):
        table = json.loads(cluster.router_show(f"show bgp {family} unicast json")).get("routes", {})
        for prefix in table:
            answer = json.loads(cluster.router_show(f"show bgp {family} unicast {prefix} json"))
            found[prefix] = {
                cluster.name_of(path["peer"]["peerId"]): frozenset(path.get("community", {}).get("string", "").split())
                for path in answer.get("paths", ())
            }
    return found


def forwarded(cluster: Cluster, prefixes: Mapping[str, object]) -> dict[str, frozenset[str]]:
    """Per prefix the nodes that the router's kernel forwards it to."""
    return {prefix: cluster.next_hops(prefix.partition("/")[0]) for prefix in prefixes}


def statements(cluster: Cluster) -> Counter[Statement]:
    """What the status objects say, and how often: once is right."""
    path = f"/apis/metallb.io/v1beta1/namespaces/{SYSTEM_NAMESPACE}"
    objects = [obj for plural in ("servicel2statuses", "servicebgpstatuses") for obj in _items(cluster, path, plural)]
    return Counter(_statement(obj) for obj in objects)


def configuration_states(cluster: Cluster) -> dict[str, str]:
    """What each says, by name: Valid, or what is wrong."""
    path = f"/apis/metallb.io/v1beta1/namespaces/{SYSTEM_NAMESPACE}"
    found = _items(cluster, path, "configurationstates")
    return {obj["metadata"]["name"]: _result(obj.get("status", {})) for obj in found}


def speakers(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The pods of our speakers by node; empty unless each node has one that is ready."""
    found = cluster.pods("ferrule.io/component=speaker", namespace=SYSTEM_NAMESPACE)
    ready = {pod["spec"]["nodeName"]: pod for pod in found if is_ready(pod)}
    return ready if len(found) == len(ready) == len(cluster.nodes) else {}


def controllers(cluster: Cluster) -> list[dict[str, Any]]:
    """The pods of our controllers; empty unless all are ready."""
    found = cluster.pods("ferrule.io/component=controller", namespace=SYSTEM_NAMESPACE)
    return found if len(found) == 2 and all(map(is_ready, found)) else []


def is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return "deletionTimestamp" not in pod["metadata"] and any(
        one["type"] == "Ready" and one["status"] == "True" for one in conditions
    )


def texts(cluster: Cluster, pod: Mapping[str, Any]) -> Texts:
    """The files that the speaker of a pod rendered for the daemons."""
    folder = run_folder(cluster, pod)
    return {daemon: path.read_text() for daemon in DAEMONS if (path := folder.daemon_conf(daemon)).exists()}


def running(cluster: Cluster, pod: Mapping[str, Any], daemon: str) -> frozenset[Line]:
    """What a daemon of a pod runs."""
    machine = cluster.node(pod["spec"]["nodeName"]).namespace
    command = f"show running-config {daemon}"
    return parse(router.vtysh(cluster.lab, machine, run_folder(cluster, pod), command))


def run_folder(cluster: Cluster, pod: Mapping[str, Any]) -> RunFolder:
    return RunFolder(cluster.volume(pod["metadata"]["name"], "run", SYSTEM_NAMESPACE))


def memory_mib(cluster: Cluster) -> dict[str, float]:
    """Resident memory of every process of ours, by node or controller and program."""
    pods = cluster.pods("ferrule.io/component", namespace=SYSTEM_NAMESPACE)
    found: Counter[str] = Counter()
    for pod in pods:
        name, place = pod["metadata"]["name"], pod["spec"]["nodeName"]
        for status in (*pod["status"]["containerStatuses"], *pod["status"].get("initContainerStatuses", ())):
            for pid in cluster.pod_processes(name, status["name"], SYSTEM_NAMESPACE):
                found[f"{place} {status['name']} {_program(pid)}"] += _resident(pid)
    return {key: round(size / 2**20, 1) for key, size in sorted(found.items())}


def restarts(cluster: Cluster) -> dict[str, int]:
    """How often the containers of the pods that are there now were restarted."""
    pods = cluster.pods("ferrule.io/component", namespace=SYSTEM_NAMESPACE)
    return {
        f"{pod['metadata']['name']} {status['name']}": int(status["restartCount"])
        for pod in pods
        for status in (*pod["status"]["containerStatuses"], *pod["status"].get("initContainerStatuses", ()))
    }


def error_lines(cluster: Cluster) -> dict[str, int]:
    """Log lines of level error of all our containers, also of pods that are gone, and how often each came."""
    errors = ((container, _error(line)) for container, line in _lines(cluster))
    return dict(sorted(Counter(f"{container}: {event}" for container, event in errors if event is not None).items()))


def bugs(cluster: Cluster) -> list[str]:
    """The last lines of tracebacks: what is logged is JSON, and nobody catches a bug."""
    return [f"{container}: {line}" for container, line in _lines(cluster) if EXCEPTION.match(line)]


def _lines(cluster: Cluster) -> Iterator[tuple[str, str]]:
    for node in cluster.nodes.values():
        for path in sorted((node.folder / "logs").glob(f"{SYSTEM_NAMESPACE}_*.log")):
            container = path.stem.rpartition("_")[2]
            yield from ((container, line) for line in path.read_text(errors="replace").splitlines())


def _error(line: str) -> str | None:
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    if not isinstance(fields, dict) or fields.get("level") not in {"error", "critical"}:
        return None
    shown = {key: fields[key] for key in ("daemon", "object", "service", "reason") if key in fields}
    return f"{fields.get('event')} {shown}"[:200]


def _result(status: Any) -> str:
    return str(status.get("errorSummary") or status.get("result", "nothing yet"))


def _statement(obj: Any) -> Statement:
    status = obj.get("status", {})
    service = f"{status.get('serviceNamespace')}/{status.get('serviceName')}"
    details = (
        status.get("peers", ())
        if obj["kind"] == "ServiceBGPStatus"
        else [each["name"] for each in status.get("interfaces", ())]
    )
    return Statement(obj["kind"], service, str(status.get("node")), tuple(sorted(details)))


def _items(cluster: Cluster, path: str, plural: str) -> list[Any]:
    found: list[Any] = cluster.get(f"{path}/{plural}")["items"]
    return found


def _program(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    ours = {"controller", "speaker", "supervise", "respond"}
    return next((word for word in words if word in ours), Path(words[0]).name)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
