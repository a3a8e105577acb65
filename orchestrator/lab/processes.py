"""The processes of a lab: our own commands on their machines, as a cluster would run them, and the endpoints."""

import sys
from collections.abc import Sequence

from orchestrator.lab import layout, router
from orchestrator.lab.layout import EndpointHost
from orchestrator.lab.topology import Lab
from orchestrator.net.bgp import BgpEngine


def start_all(lab: Lab) -> None:
    """Start everything at once; what needs another process waits for it by itself."""
    start_surroundings(lab)
    for node in layout.NODES:
        start_node(lab, node.name)


def start_surroundings(lab: Lab) -> None:
    """Start all but the nodes' own processes."""
    router.start(lab)
    start_controller(lab)
    start_datapath(lab)
    for node in layout.NODES:
        start_endpoint(lab, node.endpoint)


def start_node(lab: Lab, node: str, speaker_flags: Sequence[str] = ()) -> None:
    """Supervisor and speaker of a node; the supervisor starts daemons and responder."""
    start_supervisor(lab, node)
    start_speaker(lab, node, speaker_flags)


def start_supervisor(lab: Lab, node: str, engine: BgpEngine = BgpEngine.FRR, flags: Sequence[str] = ()) -> None:
    lab.start(f"supervise-{node}", node, [*_ferrule("supervise"), engine.value, *_run(lab, node), *flags])


def start_speaker(lab: Lab, node: str, flags: Sequence[str] = ()) -> None:
    lab.start(f"speaker-{node}", node, [*_ferrule("speaker"), *_run(lab, node), *_folders(lab), *flags])


def start_controller(lab: Lab) -> None:
    lab.start("controller", layout.CONTROL, [*_ferrule("controller"), *_folders(lab)])


def start_datapath(lab: Lab) -> None:
    """The process that keeps all nodes' forwarding rules."""
    nodes = [f"{node.name}={lab.machines[node.name].name}" for node in layout.NODES]
    folders = ["--manifests", str(lab.folder.manifests), "--state", str(lab.folder.state)]
    lab.start("datapath", layout.CONTROL, [sys.executable, "-m", "orchestrator.lab.datapath", *folders, *nodes])


def start_endpoint(lab: Lab, endpoint: EndpointHost) -> None:
    """The HTTP server of an endpoint machine."""
    who = ["--name", endpoint.name, "--node", endpoint.node.name, "--port", str(layout.ENDPOINT_PORT)]
    lab.start(endpoint.name, endpoint.name, [sys.executable, "-m", "orchestrator.lab.endpoint", *who])


def _ferrule(command: str) -> list[str]:
    return [sys.executable, "-m", "orchestrator", command]


def _run(lab: Lab, node: str) -> list[str]:
    return ["--run", str(lab.folder.run(node).path), "--node", node]


def _folders(lab: Lab) -> list[str]:
    return ["--source", f"manifests:{lab.folder.manifests}", "--state", str(lab.folder.state)]
