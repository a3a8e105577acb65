"""Somebody else has an address of ours on the wire: a machine that is no node, or a node that we do not hear."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestrator.lab import layout, namespaces, processes
from orchestrator.lab.topology import Lab
from tests.support import running_lab
from tests.support.lan import claim, conflicts, mac_of, metric, stranger
from tests.support.running_lab import NODES, address_of, kill, owner, wait

pytestmark = pytest.mark.timeout(240)

FREE = "192.0.2.215"
SERVICE = f"""\
apiVersion: v1
kind: Service
metadata: {{name: late, namespace: default, annotations: {{metallb.io/loadBalancerIPs: {FREE}}}}}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.77
  ports: [{{port: 80, targetPort: 8080}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: late-1, namespace: default, labels: {{kubernetes.io/service-name: late}}}}
addressType: IPv4
ports: [{{port: 8080}}]
endpoints: [{{addresses: [10.244.1.10], nodeName: node-a, conditions: {{ready: true}}}}]
"""
RESPONDERS_SILENCED = """\
table inet split {
  chain in { type filter hook input priority 0; udp dport 7946 drop; }
  chain out { type filter hook output priority 0; udp dport 7946 drop; }
}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab.running_lab("cft") as lab:
        yield lab


def settled_owner(lab: Lab) -> str:
    """The owner of the LAN Service, when no node tells of a conflict."""
    wait(lambda: not any(conflicts(lab, node) for node in NODES), "the end of earlier conflicts")
    return wait(lambda: owner(lab), "an owner")


def answering(lab: Lab, address: str) -> set[str]:
    """The MACs that answer a LAN client's requests."""
    asked = lab.machines[layout.NEIGHBOR].run(
        ["arping", "-c", "3", "-w", "2", "-I", layout.UPLINK, address], check=False
    )
    return {line.partition("[")[2].partition("]")[0].lower() for line in asked.stdout.splitlines() if "[" in line}


def event_text(lab: Lab, service: str, reason: str) -> str:
    found = (lab.folder.state / "events" / "default").glob(f"{service}.{reason}.*")
    return "".join(path.read_text() for path in found)


@contextmanager
def yielding(lab: Lab, node: str) -> Iterator[None]:
    """Run the node's speaker so that it gives way to strangers."""
    kill(lab, f"speaker-{node}")
    processes.start_speaker(lab, node, ["--on-address-conflict", "yield"])
    try:
        yield
    finally:
        kill(lab, f"speaker-{node}")
        processes.start_speaker(lab, node)


@contextmanager
def unheard(lab: Lab, node: str) -> Iterator[None]:
    """Split the network between the nodes: no heartbeat comes to this one or leaves it."""
    machine = lab.machines[node]
    machine.run(["nft", "-f", "-"], stdin=RESPONDERS_SILENCED)
    try:
        yield
    finally:
        machine.run(["nft", "delete", "table", "inet", "split"])


def test_stranger_with_our_address_is_told_of_and_fought(lab: Lab) -> None:
    node, address = settled_owner(lab), address_of(lab, "intranet")
    with stranger(lab) as machine:
        machine.sysctl("net.ipv4.conf.all.arp_ignore", 8)  # it announces itself, and answers nobody
        namespaces.add_address(machine, layout.UPLINK, f"{address}/24")
        claim(machine, address)
        told = wait(lambda: conflicts(lab, node).get(address), "the report of the conflict")
        assert (told.action, told.mac, told.node) == ("defended", mac_of(machine), "")
        assert metric(lab, node, 'ferrule_layer2_conflicts_total{kind="stranger"}') >= 1
        assert metric(lab, node, 'ferrule_layer2_conflicts_open{action="defended"}') == 1
        wait(lambda: mac_of(machine) in event_text(lab, "intranet", "addressConflict"), "the event")
        assert answering(lab, address) == {mac_of(lab.machines[node])}


def test_node_gives_way_to_a_stranger_if_told_to_and_comes_back(lab: Lab) -> None:
    node, address = settled_owner(lab), address_of(lab, "intranet")
    ours = mac_of(lab.machines[node])
    with yielding(lab, node):
        wait(lambda: answering(lab, address) == {ours}, "the restarted speaker's address")
        with stranger(lab) as machine:
            namespaces.add_address(machine, layout.UPLINK, f"{address}/24")

            def gave_way() -> bool:
                claim(machine, address)
                return conflicts(lab, node).get(address, None) is not None

            wait(gave_way, "the report of the conflict")
            assert conflicts(lab, node)[address].action == "yielded"
            wait(lambda: answering(lab, address) == {mac_of(machine)}, "the stranger alone")
            wait(lambda: mac_of(machine) in event_text(lab, "intranet", "announceFailed"), "the event")
        wait(lambda: not conflicts(lab, node), "the end of the conflict")
        wait(lambda: answering(lab, address) == {ours}, "our answer")


def test_address_that_is_in_use_is_refused_until_it_is_free(lab: Lab) -> None:
    with stranger(lab) as machine:
        mac = mac_of(machine)
        namespaces.add_address(machine, layout.UPLINK, f"{FREE}/24")
        path = lab.write_manifest("late.yaml", SERVICE)
        told = wait(
            lambda: next((found for node in NODES if (found := conflicts(lab, node).get(FREE))), None), "the refusal"
        )
        assert (told.action, told.mac) == ("refused", mac)
        wait(lambda: mac in event_text(lab, "late", "announceFailed"), "the event")
        assert answering(lab, FREE) == {mac}
    wait(lambda: len(answering(lab, FREE)) == 1, "our answer")
    wait(lambda: not any(conflicts(lab, node) for node in NODES), "the end of the conflict")
    path.unlink()
    wait(lambda: not answering(lab, FREE), "the end of our answers")


def test_split_between_nodes_leaves_one_owner_by_rank_and_heals(lab: Lab) -> None:
    """The old owner has the better rank: it was elected when all were heard. When it comes back it may have to wait."""
    node, address = settled_owner(lab), address_of(lab, "intranet")
    ours = mac_of(lab.machines[node])
    others = [other for other in NODES if other != node]

    def yielded() -> bool:
        sample = 'ferrule_layer2_conflicts_total{kind="node"}'
        return any(metric(lab, other, sample) for other in others)

    with unheard(lab, node):
        wait(yielded, "the conflict between nodes")
        wait(lambda: answering(lab, address) == {ours}, "one owner")
        found = [told for other in others if (told := conflicts(lab, other).get(address))]
        assert [(told.action, told.node) for told in found] == [("yielded", node)]
    wait(lambda: not any(conflicts(lab, each) for each in NODES), "the end of the conflict")
    wait(lambda: len(answering(lab, address)) == 1, "one owner after the split")
