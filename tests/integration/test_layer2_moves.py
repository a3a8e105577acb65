"""Orderly moves of an address lose nothing: a client on the LAN sends 1000 datagrams a second meanwhile."""

import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from orchestrator.decide.election import elect
from orchestrator.lab import layout, objects, probes
from orchestrator.lab.topology import Lab
from tests.bench.datagrams import DatagramStream
from tests.support import running_lab
from tests.support.lan import mac_of, metric
from tests.support.running_lab import NODES, wait

pytestmark = pytest.mark.timeout(240)

ADDRESS, PORT, ECHO_PORT = "192.0.2.212", 5000, 5001
ECHO = f"""\
apiVersion: v1
kind: Service
metadata: {{name: echo, namespace: default, annotations: {{metallb.io/loadBalancerIPs: {ADDRESS}}}}}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.78
  ports: [{{port: {PORT}, targetPort: {ECHO_PORT}, protocol: UDP}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: echo-1, namespace: default, labels: {{kubernetes.io/service-name: echo}}}}
addressType: IPv4
ports: [{{port: {ECHO_PORT}, protocol: UDP}}]
endpoints: [{{addresses: [10.244.1.10], nodeName: node-a, conditions: {{ready: true}}}}]
"""
PREFERENCE = """\
  preferredNodeSelectors:
    - weight: 10
      preference: {matchLabels: {kubernetes.io/hostname: %s}}
"""
FAILOVER = """\
apiVersion: ferrule.io/v1alpha1
kind: Failover
metadata: {name: by-hand}
spec: {address: %s, to: %s}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab.running_lab("mov") as lab:
        echo = [sys.executable, "-m", "tests.bench.datagrams", str(ECHO_PORT)]
        lab.start("echo", layout.node("node-a").endpoint.name, echo)
        lab.write_manifest("echo.yaml", ECHO)
        wait(lambda: objects.layer2_nodes(lab, "echo"), "an owner")
        yield lab


def owner(lab: Lab) -> str:
    """The only node that says that it answers."""

    def only() -> str | None:
        nodes = objects.layer2_nodes(lab, "echo")
        return nodes[0] if len(nodes) == 1 else None

    return wait(only, "one owner")


def known_mac(lab: Lab) -> str:
    """Which MAC the client has for the address."""
    return probes.neighbor_mac(lab.machines[layout.NEIGHBOR], ADDRESS) or ""


def move(lab: Lab, to: str, action: Callable[[], object]) -> None:
    """Do what moves the address, wait until the client's datagrams go to the new owner, and see that none was lost."""
    with DatagramStream(lab.machines[layout.NEIGHBOR], ADDRESS, PORT) as stream:
        wait(lambda: stream.served, "answers before the move")
        began = time.time()
        action()
        wait(lambda: known_mac(lab) == mac_of(lab.machines[to]), f"the move to {to}")
        wait(lambda: objects.layer2_nodes(lab, "echo") == [to], "the new owner's status alone")
        wait(lambda: stream.served, "answers after the move")
    assert stream.lost_since(began) == 0


def test_preference_moves_an_address_without_loss_and_back(lab: Lab) -> None:
    first = owner(lab)
    second = next(node for node in NODES if node != first)
    pools = (lab.folder.manifests / "pools.yaml").read_text()
    move(lab, second, lambda: lab.write_manifest("pools.yaml", pools + PREFERENCE % second))
    move(lab, first, lambda: lab.write_manifest("pools.yaml", pools))
    assert metric(lab, second, 'ferrule_layer2_owner_changes_total{direction="gained"}') >= 1
    assert metric(lab, second, 'ferrule_layer2_owner_changes_total{direction="lost"}') >= 1


def test_failover_moves_an_address_without_loss_until_it_is_undone(lab: Lab) -> None:
    first = owner(lab)
    second = next(node for node in NODES if node != first)
    path: list[Path] = []
    move(lab, second, lambda: path.append(lab.write_manifest("failover.yaml", FAILOVER % (ADDRESS, second))))
    move(lab, first, path[0].unlink)


def test_drained_node_gives_its_address_away_without_loss_and_takes_it_back(lab: Lab) -> None:
    first = owner(lab)
    second = elect(ip_address(ADDRESS), [node for node in NODES if node != first], {})
    assert second is not None
    nodes = (lab.folder.manifests / "nodes.yaml").read_text()
    named = f"  name: {first}\n"
    drained = nodes.replace(named, f'{named}  annotations: {{ferrule.io/drain: "true"}}\n')
    move(lab, second, lambda: lab.write_manifest("nodes.yaml", drained))
    move(lab, first, lambda: lab.write_manifest("nodes.yaml", nodes))


def test_new_node_that_sorts_first_takes_over_without_loss(lab: Lab) -> None:
    first = owner(lab)
    nodes = (lab.folder.manifests / "nodes.yaml").read_text()
    without = "---".join(part for part in nodes.split("---") if f"name: {first}\n" not in part)
    others = [node for node in NODES if node != first]
    lab.write_manifest("nodes.yaml", without)
    heir = wait(lambda: next((node for node in others if objects.layer2_nodes(lab, "echo") == [node]), None), "an heir")
    wait(lambda: known_mac(lab) == mac_of(lab.machines[heir]), "the heir's announcement")
    move(lab, first, lambda: lab.write_manifest("nodes.yaml", nodes))
