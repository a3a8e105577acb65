"""Who answers for an address on the nodes' LAN, asked there as any machine would."""

import asyncio

from orchestrator.apply import asking
from orchestrator.lab import layout, namespaces
from orchestrator.net.addresses import parse_address
from tests.e2e.cluster.cluster import Cluster

QUESTIONS, TIMEOUT_S = 2, 1.5


def answerers(cluster: Cluster, address: str) -> frozenset[str]:
    """The names of the nodes that answer an ARP request or a Neighbor Solicitation; a MAC where it is no node's."""
    names = {_mac(cluster, name): name for name in cluster.nodes}
    asked = parse_address(address)

    def ask() -> frozenset[str]:
        links = [link for link in asyncio.run(asking.read_links()).values() if link.name == layout.UPLINK]
        replies = asking.ask(asked, links, count=QUESTIONS, timeout_s=TIMEOUT_S)
        return frozenset(names.get(str(reply.mac), str(reply.mac)) for reply in replies)

    return cluster.neighbor.namespace.inside(ask)


def _mac(cluster: Cluster, node: str) -> str:
    found = namespaces.with_netlink(
        cluster.node(node).namespace, lambda netlink: list(netlink.link("dump", ifname=layout.UPLINK))
    )
    return str(found[0].get("address"))
