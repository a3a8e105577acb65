"""A lab whose LAN Services echo datagrams, without routers; who has their addresses, by what nodes say and on the wire."""

import select
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from ipaddress import IPv4Address

from orchestrator.apply.frames import FrameSocket
from orchestrator.lab import layout, objects, probes, processes
from orchestrator.lab.topology import Lab
from orchestrator.net.addresses import IpFamily
from orchestrator.packet import arp
from orchestrator.resources.meta import Condition
from orchestrator.resources.metallb import ServiceL2Status
from tests.bench.datagrams import DatagramStream
from tests.support import running_lab
from tests.support.neighbors import listening, mac_of
from tests.support.running_lab import LIMIT_S, NODES, wait

PORT, ECHO_PORT = 5000, 5001
LISTEN_S = 0.5
"""How long answers are collected; callers ask again until they see what they wait for."""
ECHO = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default, annotations: {{metallb.io/loadBalancerIPs: "{address}"}}}}
spec:
  type: LoadBalancer
  clusterIP: "{cluster}"
  ipFamilies: [{family}]
  ports: [{{port: {port}, targetPort: {target}, protocol: UDP}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: default, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: {family}
ports: [{{port: {target}, protocol: UDP}}]
endpoints: [{{addresses: ["{endpoint}"], nodeName: node-a, conditions: {{ready: true}}}}]
"""


def echo_service(name: str, address: str) -> str:
    """A Service with that address and the endpoint behind node-a; its cluster address ends as the address does."""
    endpoint = layout.node("node-a").endpoint
    if ":" in address:
        family, cluster, behind = "IPv6", f"fd00:10:96::{address.rpartition(':')[2]}", str(endpoint.address6)
    else:
        family, cluster, behind = "IPv4", f"10.96.1.{address.rpartition('.')[2]}", str(endpoint.address)
    return ECHO.format(
        name=name, address=address, cluster=cluster, family=family, port=PORT, target=ECHO_PORT, endpoint=behind
    )


@contextmanager
def layer2_lab(
    purpose: str,
    manifests: Mapping[str, str],
    flags: Callable[[str], Sequence[str]],
    nodes: Iterable[str] = NODES,
    prepare: Callable[[Lab], object] = lambda _: None,
) -> Iterator[Lab]:
    """A lab with the Nodes, these manifests, and speakers on `nodes` with `flags`; nothing is waited for."""
    with running_lab.network(purpose) as lab:
        prepare(lab)
        lab.drop("nodes.yaml")
        for name, text in manifests.items():
            lab.write_manifest(name, text)
        processes.start_controller(lab)
        processes.start_datapath(lab)
        lab.start("echo", "ep-a", [sys.executable, "-m", "tests.bench.datagrams", str(ECHO_PORT)])
        for node in nodes:
            processes.start_node(lab, node, flags(node))
        yield lab


def patiently(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that costs a while to find out: the machine has other work than ours."""
    probes.until(condition, what, limit_s=LIMIT_S, interval_s=0.1)


def owners(lab: Lab) -> dict[str, list[str]]:
    """Which nodes say that they answer for a Service, by its name."""
    found = defaultdict(list)
    for obj in objects.read(lab).values():
        if isinstance(obj, ServiceL2Status):
            found[obj.status.service_name].append(obj.status.node)
    return dict(found)


def conditions(lab: Lab, service: str) -> dict[str, Condition]:
    """A Service's conditions by type."""
    found = (each for each in objects.services(lab) if each.metadata.name == service)
    return {condition.type: condition for each in found for condition in each.status.conditions}


def nodes_by_mac(lab: Lab) -> dict[str, str]:
    return {str(mac_of(lab.machines[node])): node for node in NODES}


def who_answers(lab: Lab, addresses: Iterable[str]) -> dict[str, set[str]]:
    """Who answers one ARP request of a LAN client for each address: nodes by name, others by MAC."""
    client = lab.machines[layout.NEIGHBOR]
    names, mac = nodes_by_mac(lab), mac_of(client)
    found: dict[str, set[str]] = {address: set() for address in addresses}
    with closing(listening(client, IpFamily.IPV4)) as opened:
        for address in found:
            opened.send(arp.request(mac, layout.NEIGHBOR_HOST.address, IPv4Address(address)))
        for reply in _replies(opened, time.monotonic() + LISTEN_S):
            sender = str(reply.sender_mac)
            if reply.target_mac == mac and (address := str(reply.sender_address)) in found:
                found[address].add(names.get(sender, sender))
    return found


def _replies(opened: FrameSocket, deadline: float) -> Iterator[arp.ArpPacket]:
    """The ARP replies that come until then."""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([opened], [], [], left)[0] and (frame := opened.receive()):
            packet = arp.decode_frame(frame)
            if isinstance(packet, arp.ArpPacket) and packet.operation is arp.Operation.REPLY:
                yield packet


def known_owner(lab: Lab, address: str) -> str:
    """The node that the LAN client sends what is for the address to, empty if it is none."""
    return nodes_by_mac(lab).get(probes.neighbor_mac(lab.machines[layout.NEIGHBOR], address) or "", "")


@contextmanager
def lossless(lab: Lab, address: str) -> Iterator[None]:
    """A LAN client sends the Service 1000 datagrams a second during the block, and every one is answered."""
    with DatagramStream(lab.machines[layout.NEIGHBOR], address, PORT) as stream:
        wait(lambda: stream.served, "answers before the change")
        began = time.time()
        yield
        wait(lambda: stream.served, "answers after the change")
    assert stream.lost_since(began) == 0
