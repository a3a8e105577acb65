from ipaddress import IPv4Address

import pytest

from orchestrator.lab import layout
from orchestrator.lab.topology import manifest_folder


def test_every_address_is_used_once() -> None:
    hosts = [*layout.NODES, layout.ROUTER_HOST, layout.NEIGHBOR_HOST]
    addresses = [host.address for host in hosts] + [node.endpoint.address for node in layout.NODES]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize(
    ("address", "node"), [("192.0.2.12", "node-b"), ("10.244.3.1", "node-c"), ("198.51.100.10", None)]
)
def test_node_of(address: str, node: str | None) -> None:
    assert layout.node_of(address) == node


def test_node_by_name() -> None:
    node = layout.node("node-a")
    assert node.on_link == ("192.0.2.11/24", "2001:db8:1::11/64")
    assert (node.endpoint.name, node.endpoint.address) == ("ep-a", IPv4Address("10.244.1.10"))


def test_manifests_name_the_nodes_addresses() -> None:
    text = (manifest_folder() / "nodes.yaml").read_text()
    for node in layout.NODES:
        for address in node.on_link:
            assert address.partition("/")[0] in text
