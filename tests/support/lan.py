"""Foreign machines on a lab's LAN, and what the nodes say of them."""

import contextlib
import os
from collections.abc import Iterator

from orchestrator.lab import layout, namespaces, network, objects
from orchestrator.lab.namespaces import Namespace
from orchestrator.lab.topology import Lab
from orchestrator.resources.extensions import AddressConflict, SpeakerState
from orchestrator.settings import METRICS_PORT
from tests.support.running_lab import http_get, wait


@contextlib.contextmanager
def stranger(lab: Lab) -> Iterator[Namespace]:
    """A machine on the LAN that is no node of ours, without an address."""
    switch, port = lab.machines[layout.SWITCH], network.switch_port("stranger")
    machine = Namespace.create(f"stranger{os.getpid()}")
    try:
        namespaces.connect(machine, layout.UPLINK, switch, port)
        namespaces.attach(switch, port, network.LAN_BRIDGE)
        yield machine
    finally:
        machine.remove()
        wait(lambda: port not in switch.run(["ip", "-o", "link"]).stdout, "the end of the stranger's cable")


def mac_of(machine: Namespace) -> str:
    return namespaces.mac_address(machine, layout.UPLINK)


def claim(machine: Namespace, address: str) -> None:
    """Announce an address by ARP, as a machine does that was just given it."""
    machine.run(["arping", "-c", "1", "-A", "-I", layout.UPLINK, "-s", address, address], check=False)


def conflicts(lab: Lab, node: str) -> dict[str, AddressConflict]:
    """What a node's SpeakerState says of others on the wire, by address."""
    found = (obj for obj in objects.read(lab).values() if isinstance(obj, SpeakerState) and obj.spec.node == node)
    return {each.address: each for state in found for each in state.spec.conflicts}


def metrics(lab: Lab, node: str) -> dict[str, float]:
    """The samples of a node's speaker by `name{labels}`; none while it is not there."""
    _, text = http_get(lab, node, METRICS_PORT, "/metrics")
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {sample: float(value) for sample, _, value in lines}


def metric(lab: Lab, node: str, sample: str) -> float:
    """The value of a sample (`name{labels}`) of a node's speaker, 0 if it is not there."""
    return metrics(lab, node).get(sample, 0)
