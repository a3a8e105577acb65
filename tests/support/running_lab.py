"""A lab that serves, and questions about it: what the tests of the whole path stand on."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from orchestrator.errors import NotReady
from orchestrator.lab import layout, objects, probes, processes, router, steps, topology
from orchestrator.lab.record import Started
from orchestrator.lab.topology import Lab
from tests.support.frr import forget_path_space
from tests.support.frr_versions import FrrVersion, binaries

T = TypeVar("T")
LIMIT_S = 30.0
NODES = tuple(node.name for node in layout.NODES)
HOPS = frozenset(str(node.address) for node in layout.NODES)


@contextmanager
def network(purpose: str) -> Iterator[Lab]:
    """The machines of a lab of its own, without manifests and processes; gone afterwards, whatever happens."""
    lab = Lab.up(f"{purpose}{os.getpid()}")
    runs = [lab.folder.run(node) for node in NODES]
    try:
        yield lab
    finally:
        lab.down()
        for run in runs:
            forget_path_space(run)


def start_nodes(lab: Lab, versions: Mapping[str, FrrVersion]) -> None:
    """Supervisors and speakers of all nodes, with FRR of these versions."""
    for node in NODES:
        folder = binaries(versions.get(node, FrrVersion.MACHINE))
        processes.start_supervisor(lab, node, flags=["--frr-bin", str(folder)])
        processes.start_speaker(lab, node)


@contextmanager
def running_lab(
    purpose: str,
    more_peers: Callable[[str], str] = str,
    versions: Mapping[str, FrrVersion] = MappingProxyType({}),
) -> Iterator[Lab]:
    """A lab of its own for the tests of one module, with everything that the demo has.

    `more_peers` edits its peers; `versions` are those of FRR on the nodes that have another than this machine's.
    """
    with network(purpose) as lab:
        for manifest in topology.initial_manifests():
            lab.drop(manifest)
        peers = _patient((topology.manifest_folder() / "peers.yaml").read_text())
        lab.write_manifest("peers.yaml", more_peers(peers))
        processes.start_surroundings(lab)
        start_nodes(lab, versions)
        try:
            settle(lab)
        except NotReady as error:
            error.add_note(last_words(lab))
            raise
        yield lab


def _patient(peers: str) -> str:
    """BFD that bears a busy machine: 3 s instead of 0.3 s. These tests count flaps; the demo measures failover."""
    slower = peers.replace("Interval: 100", "Interval: 300").replace("detectMultiplier: 3", "detectMultiplier: 10")
    assert slower != peers
    return slower


def last_words(lab: Lab, lines: int = 20) -> str:
    """The end of every process' log: what a person would look at first."""
    logs = sorted(lab.folder.logs.glob("*.log"))
    return "\n".join("\n".join((f"--- {path.name}", *path.read_text().splitlines()[-lines:])) for path in logs)


def wait(condition: Callable[[], T | None], what: str) -> T:
    return probes.until(condition, what, limit_s=LIMIT_S)


def settle(lab: Lab) -> None:
    """Wait until everything that the lab's first manifests ask for is served."""
    wait(lambda: all(map(objects.addresses, objects.services(lab))), "an address for every Service")
    wait(lambda: router.established(lab) == HOPS, "the sessions of every node")
    wait(lambda: router.next_hops(lab, address_of(lab, "web")) == HOPS, "the routes of web by way of every node")
    wait(lambda: owner(lab) is not None, "an owner of the layer-2 address")


def address_of(lab: Lab, service: str) -> str:
    return wait(lambda: objects.address_of(lab, service), f"the address of {service}")


def owner(lab: Lab) -> str | None:
    """The node that answers a LAN client's request to the layer-2 Service, found by its MAC address."""
    address = address_of(lab, "intranet")
    neighbor = lab.machines[layout.NEIGHBOR]
    neighbor.run(["ip", "neigh", "flush", "to", address], check=False)
    answered = probes.get(neighbor, address).answer
    return steps.owner_of(lab, address) if answered else None


def process(lab: Lab, name: str) -> Started:
    """The newest process of that name that the lab started."""
    return [each for each in lab.processes if each.identity.name == name][-1]


def kill(lab: Lab, name: str, number: signal.Signals = signal.SIGKILL) -> None:
    """End a process of the lab and wait until it is gone."""
    victim = process(lab, name)
    os.kill(victim.identity.pid, number)
    wait(lambda: not victim.is_running or _is_zombie(victim.identity.pid), f"the end of {name}")


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def child_pid(lab: Lab, node: str, name: str) -> int:
    """The pid of a supervised child of a node, 0 while there is none."""
    children = json.loads(lab.folder.run(node).children.read_text())
    return next((int(child["pid"]) for child in children if child["name"] == name), 0)


def renewed_pid(lab: Lab, node: str, name: str, before: int) -> int:
    """The pid of a child that was started after the one with pid `before`."""
    return wait(lambda: child_pid(lab, node, name) not in (0, before) and child_pid(lab, node, name), f"a new {name}")


def flaps(lab: Lab) -> Mapping[str, tuple[int, int]]:
    """Per session of the router: how often it was established and dropped."""
    found = router.sessions(lab)
    return {peer: (each.connections_established, each.connections_dropped) for peer, each in found.items()}


def log_lines(lab: Lab, name: str, event: str) -> list[dict[str, object]]:
    """The JSON log lines of a process with that event."""
    lines = (lab.folder.logs / f"{name}.log").read_text().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in found if line.get("event") == event]


def http_get(lab: Lab, machine: str, port: int, path: str) -> tuple[int, str]:
    """A request from inside a machine to itself; status 0 while nobody listens."""

    def ask() -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except ConnectionError:
            return 0, ""
        finally:
            connection.close()

    return lab.machines[machine].inside(ask)
