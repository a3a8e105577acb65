"""Layer-2 failover on three nodes: how long until another node announces an address, and what a client loses meanwhile.

Each cause hits the owner of one address while a client on the LAN sends it 1000 datagrams a second; the owner is then
brought back and takes the address over again, in order. A killed process leaves its node's kernel forwarding, so such
a failover costs the client nothing; only the dead link does. A node that can still reach the API server (here: the state
folder) says there that its link has lost its carrier.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

from orchestrator.lab import layout, namespaces, network, objects, probes, processes, record, topology
from orchestrator.lab.topology import Lab
from tests.bench import manifests
from tests.bench.arp_capture import ArpCapture
from tests.bench.datagrams import DatagramStream
from tests.bench.path import temporary_lab
from tests.bench.rows import Row, Scope, row_of

TIMES = 20
MANY = 1000
BURSTS = 5
LIMIT_S = 60.0
FIRST_NODE = layout.NODES[0].name
"""Preferred, so that it owns every address while it may."""
ADDRESS = IPv4Address("192.0.2.200")
PORT, ECHO_PORT = 5000, 5001
RETURN_HOLD = ("--return-hold", "0.5")
"""Seconds, instead of 30: the node that was hit shall be the owner again soon."""
REST_S = 1.5
"""More than the hold: a node that is lost again within it is held for twice as long the next time."""
STP_DISABLED, STP_FORWARDING = "0", "3"
BUDGET = "p50 <= 350, p99 <= 500"

CONFIGURATION = f"""\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: lan, namespace: metallb-system}}
spec: {{addresses: ["{ADDRESS}/32", "{manifests.MANY}"]}}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {{name: lan, namespace: metallb-system}}
spec:
  preferredNodeSelectors:
    - weight: 100
      preference: {{matchLabels: {{kubernetes.io/hostname: {FIRST_NODE}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: echo, namespace: default, annotations: {{metallb.io/loadBalancerIPs: {ADDRESS}}}}}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.1
  ports: [{{port: {PORT}, targetPort: {ECHO_PORT}, protocol: UDP}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: echo-1, namespace: default, labels: {{kubernetes.io/service-name: echo}}}}
addressType: IPv4
ports: [{{port: {ECHO_PORT}, protocol: UDP}}]
endpoints:
  - {{addresses: [10.244.2.10], nodeName: node-b, conditions: {{ready: true}}}}
  - {{addresses: [10.244.3.10], nodeName: node-c, conditions: {{ready: true}}}}
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """What happens to the owner, and how that is undone."""

    name: str
    strike: Callable[[Lab], None]
    repair: Callable[[Lab], None]
    budget: str = BUDGET


def measure(scope: Scope) -> Iterator[Row]:
    """Yield two rows for each cause, and the takeover of many addresses at once."""
    with _three_nodes(CONFIGURATION, endpoints=True) as lab:
        for cause in CAUSES:
            yield from _repeat(lab, cause, scope.times(TIMES))
    yield from _take_over_many(scope)


def _repeat(lab: Lab, cause: Cause, times: int) -> Iterator[Row]:
    durations, losses = [], []
    for _ in range(times):
        duration_ms, lost = _once(lab, cause)
        durations.append(duration_ms)
        losses.append(float(lost))
    yield row_of(f"{cause.name} -> announced again", durations, "ms", budget=cause.budget)
    yield row_of(
        f"{cause.name}: datagrams lost", losses, "of 1000/s", budget="0" if cause.name == ORDERLY else "",
        note=f"most {max(losses):.0f}",
    )  # fmt: skip


def _once(lab: Lab, cause: Cause) -> tuple[float, int]:
    """Return milliseconds from the cause to an announcement, and how many datagrams were lost until it was over."""
    client = lab.machines[layout.NEIGHBOR]
    with ArpCapture(client, layout.UPLINK) as capture:
        with DatagramStream(client, str(ADDRESS), PORT) as stream:
            probes.until(lambda: stream.served, "answers before the failure", limit_s=LIMIT_S)
            capture.forget()
            struck = time.time()
            cause.strike(lab)
            announced = capture.first(ADDRESS, cause_macs(lab, cause), LIMIT_S)
            probes.until(lambda: stream.served, "answers after the failure", limit_s=LIMIT_S)
        lost = stream.lost_since(struck)
        capture.forget()
        cause.repair(lab)
        _await_return(lab, capture)
    return (announced.instant - struck) * 1000, lost


def cause_macs(lab: Lab, cause: Cause) -> frozenset[bytes]:
    """Whose announcement ends the failover: the others'; a killed responder is started again and may be the first."""
    others = {_mac(lab, node.name) for node in layout.NODES[1:]}
    return frozenset(others | ({_mac(lab, FIRST_NODE)} if cause.name == RESPONDER else set()))


def _await_return(lab: Lab, capture: ArpCapture) -> None:
    """Return when the preferred node is the owner again and its peers agree that it lives."""
    if objects.layer2_nodes(lab, "echo") != [FIRST_NODE]:
        capture.first(ADDRESS, {_mac(lab, FIRST_NODE)}, LIMIT_S)
    probes.until(lambda: objects.layer2_nodes(lab, "echo") == [FIRST_NODE], "the owner's return", limit_s=LIMIT_S)
    time.sleep(REST_S)


def _mac(lab: Lab, node: str) -> bytes:
    return bytes.fromhex(namespaces.mac_address(lab.machines[node], layout.UPLINK).replace(":", ""))


# --- causes -----------------------------------------------------------------------------------------------------


def _kill_responder(lab: Lab) -> None:
    os.kill(_child(lab, "responder"), signal.SIGKILL)


def _child(lab: Lab, name: str) -> int:
    children = json.loads(lab.folder.run(FIRST_NODE).children.read_text())
    return next(int(child["pid"]) for child in children if child["name"] == name)


def _kill_pod(lab: Lab) -> None:
    record.kill_processes(lab.machines[FIRST_NODE])


def _start_pod(lab: Lab) -> None:
    processes.start_node(lab, FIRST_NODE, speaker_flags=RETURN_HOLD)


def _restart_pod(lab: Lab) -> None:
    """A supervisor whose child dies again and again waits longer each time; a new one begins anew."""
    _kill_pod(lab)
    _start_pod(lab)


def _unplug(lab: Lab) -> None:
    """The state folder is there without a network: nobody shall read there that the carrier is lost."""
    os.kill(_speaker_pid(lab), signal.SIGSTOP)
    network.unplug(lab.machines, FIRST_NODE)


def _plug(lab: Lab) -> None:
    network.plug(lab.machines, FIRST_NODE)
    os.kill(_speaker_pid(lab), signal.SIGCONT)


def _unplug_with_notice(lab: Lab) -> None:
    network.unplug(lab.machines, FIRST_NODE)


def _plug_again(lab: Lab) -> None:
    network.plug(lab.machines, FIRST_NODE)


def _cut(lab: Lab) -> None:
    _set_port(lab, STP_DISABLED)


def _mend(lab: Lab) -> None:
    _set_port(lab, STP_FORWARDING)


def _set_port(lab: Lab, state: str) -> None:
    """The switch drops what it gets from the node and for it; both ends keep their carrier."""
    port = network.switch_port(FIRST_NODE)
    lab.machines[layout.SWITCH].run(["bridge", "link", "set", "dev", port, "state", state])


def _signal_all(lab: Lab, number: signal.Signals) -> None:
    for pid in namespaces.members(lab.machines[FIRST_NODE]):
        os.kill(pid, number)


def _freeze(lab: Lab) -> None:
    _signal_all(lab, signal.SIGSTOP)


def _thaw(lab: Lab) -> None:
    _signal_all(lab, signal.SIGCONT)


def _stop_speaker(lab: Lab) -> None:
    os.kill(_speaker_pid(lab), signal.SIGTERM)


def _speaker_pid(lab: Lab) -> int:
    return [each.identity.pid for each in lab.processes if each.identity.name == f"speaker-{FIRST_NODE}"][-1]


def _start_speaker(lab: Lab) -> None:
    processes.start_speaker(lab, FIRST_NODE, flags=RETURN_HOLD)


RESPONDER = "responder killed (the supervisor starts it again)"
ORDERLY = "speaker stopped in order"
CAUSES = (
    Cause(RESPONDER, _kill_responder, _restart_pod),
    Cause("whole pod killed", _kill_pod, _start_pod),
    Cause("cable cut (carrier stays)", _cut, _mend),
    Cause("link down", _unplug, _plug),
    Cause("link down, API server reached another way", _unplug_with_notice, _plug_again),
    Cause("node frozen (SIGSTOP)", _freeze, _thaw),
    Cause(ORDERLY, _stop_speaker, _start_speaker, budget=""),
)


# --- many addresses ---------------------------------------------------------------------------------------------


def _take_over_many(scope: Scope) -> Iterator[Row]:
    """Every address of one node at once: from the kill to each address' first announcement by another."""
    count = MANY if not scope.quick else MANY // 10
    addresses = [manifests.MANY[number] for number in range(count)]
    firsts, lasts = [], []
    for _ in range(scope.times(BURSTS)):
        configuration = f"{CONFIGURATION}---\n{manifests.many_services(count, 'node-b')}"
        with _three_nodes(configuration, endpoints=False) as lab:
            client = lab.machines[layout.NEIGHBOR]
            with ArpCapture(client, layout.UPLINK) as capture:
                capture.each(addresses, {_mac(lab, FIRST_NODE)}, LIMIT_S)
                probes.until(lambda: _is_settled(lab, count), "quiet nodes", limit_s=LIMIT_S, interval_s=0.5)
                capture.forget()
                struck = time.time()
                _kill_pod(lab)
                others = frozenset(_mac(lab, node.name) for node in layout.NODES[1:])
                announced = capture.each(addresses, others, LIMIT_S)
                firsts.append((announced[0].instant - struck) * 1000)
                lasts.append((announced[-1].instant - struck) * 1000)
    yield row_of(f"takeover of {count} addresses: first announced", firsts, "ms", budget=BUDGET)
    yield row_of(f"takeover of {count} addresses: last announced", lasts, "ms")


def _is_settled(lab: Lab, count: int) -> bool:
    """Whether the owner's statuses of all Services are written."""
    folder = lab.folder.state / "servicel2statuses" / "metallb-system"
    return folder.is_dir() and sum(1 for _ in folder.glob(f"l2-{FIRST_NODE}-*.yaml")) >= count


# --- the lab ----------------------------------------------------------------------------------------------------


@contextmanager
def _three_nodes(configuration: str, *, endpoints: bool) -> Iterator[Lab]:
    """Three nodes without BGP peers that serve; gone afterwards, whatever happens."""
    with temporary_lab("failover") as lab:
        lab.write_manifest("nodes.yaml", (topology.manifest_folder() / "nodes.yaml").read_text())
        lab.write_manifest("configuration.yaml", configuration)
        for node in layout.NODES:
            processes.start_node(lab, node.name, speaker_flags=RETURN_HOLD)
        processes.start_controller(lab)
        if endpoints:
            _serve(lab, [node.endpoint.name for node in layout.NODES])
            probes.until(lambda: objects.layer2_nodes(lab, "echo") == [FIRST_NODE], "an owner", limit_s=LIMIT_S)
        yield lab


def _serve(lab: Lab, machines: Sequence[str]) -> None:
    processes.start_datapath(lab)
    for machine in machines:
        lab.start(f"echo-{machine}", machine, [sys.executable, "-m", "tests.bench.datagrams", str(ECHO_PORT)])
