"""What the guides that users follow contain, and a site with the guides' networks: their objects apply as they are.

The machines of the LAN get an address in each of these networks, the router those that the guides name as peers. Only
the images of Deployments are others: one program answers on all ports that a container declares.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from orchestrator.lab import layout, namespaces
from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.kubelet import images

Raw = dict[str, Any]

OBJECTS = images.CHECKOUT / "tests" / "unit" / "resources"
WORKLOADS = Path(__file__).parents[1] / "seeds" / "workloads.yaml"
LAYER2_AND_BGP, TCP_AND_UDP = "seed_layer2_and_bgp.yaml", "seed_tcp_and_udp.yaml"
SHARED_ADDRESS, PRODUCTION = "seed_shared_address.yaml", "seed_production.yaml"

NODE_ADDRESSES = ("192.168.1.{0}/24", "192.168.20.{0}/24", "192.168.30.{0}/24", "172.18.0.{0}/16", "10.0.2.{1}/16")
"""In the last network the first node is .10."""
NEIGHBOR_ADDRESSES = ("192.168.1.8/24", "192.168.20.100/24", "192.168.30.100/24", "172.18.0.100/16", "10.0.2.50/16")
ROUTER_ADDRESSES = (
    *("192.168.1.1/24", "192.168.20.1/24", "192.168.30.1/24", "172.18.0.1/16"),
    *("10.0.0.1/16", "10.0.1.1/16", "10.0.1.2/16"),
)
SERVER = """
import asyncio, os, sys
from orchestrator.lab.endpoint import serve

class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, sender):
        self.transport.sendto(data, sender)

async def main():
    loop = asyncio.get_running_loop()
    ports = [each.split(":") for each in sys.argv[1:]]
    for port in (int(port) for kind, port in ports if kind == "UDP"):
        await loop.create_datagram_endpoint(Echo, local_addr=("::", port))
    async with asyncio.TaskGroup() as tasks:
        for port in (int(port) for kind, port in ports if kind == "TCP"):
            tasks.create_task(serve(os.environ["POD_NAME"], os.environ["NODE_NAME"], port))

asyncio.run(main())
"""


def add_networks(cluster: Cluster) -> None:
    """Put the guides' networks on the LAN."""
    machines = cluster.lab.machines
    for index, host in enumerate(layout.NODES):
        for address in NODE_ADDRESSES:
            namespaces.add_address(machines[host.name], layout.UPLINK, address.format(host.number, 10 + index))
    for address in NEIGHBOR_ADDRESSES:
        namespaces.add_address(machines[layout.NEIGHBOR], layout.UPLINK, address)
    for address in ROUTER_ADDRESSES:
        namespaces.add_address(machines[layout.ROUTER], layout.UPLINK, address)


def configure_router(cluster: Cluster, lines: Sequence[str]) -> None:
    """What the network team enters: lines below `router bgp`."""
    lab = cluster.lab
    entered = ("configure terminal", "router bgp 64513", *(line.strip() for line in lines))
    sockets = ["--vty_socket", str(lab.folder.router.path), "--config_dir", str(lab.folder.vtysh)]
    commands = [part for line in entered for part in ("-c", line)]
    lab.machines[layout.ROUTER].run(["vtysh", *sockets, *commands])


def objects(guide: str, *names: str) -> list[Raw]:
    """A guide's objects in their order; only those of these names, if there are any."""
    found = yaml.safe_load_all((OBJECTS / guide).read_text())
    return [each for each in found if not names or each["metadata"]["name"] in names]


def workloads(*names: str) -> list[Raw]:
    """Deployments of the guides, with a program of ours in place of each image."""
    found = [each for each in yaml.safe_load_all(WORKLOADS.read_text()) if each["metadata"]["name"] in names]
    for deployment in found:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            _answer_on_its_ports(container)
    return found


def workload(name: str, labels: Raw, ports: Iterable[str], *, namespace: str = "default", replicas: int = 2) -> Raw:
    """A Deployment for Services whose guide has none; ports as "TCP:80"."""
    split = [port.split(":") for port in ports]
    container = {"name": name, "ports": [{"protocol": kind, "containerPort": int(port)} for kind, port in split]}
    _answer_on_its_ports(container)
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def _answer_on_its_ports(container: Raw) -> None:
    ports = [f"{port.get('protocol', 'TCP')}:{port['containerPort']}" for port in container["ports"]]
    paths = (("POD_NAME", "metadata.name"), ("NODE_NAME", "spec.nodeName"))
    container["env"] = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in paths]
    container["image"] = images.PAUSE
    container["command"] = [sys.executable, "-c", SERVER, *ports]
    container.pop("args", None)


def apply(cluster: Cluster, found: Iterable[Raw], *argv: str) -> str:
    """`kubectl apply` of these objects."""
    return cluster.apply(yaml.safe_dump_all(found), *argv)
