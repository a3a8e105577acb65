"""The gateways of a namespace's default routes."""

import os
import socket
from collections.abc import Iterator

import pytest

from orchestrator.apply.gateways import gateways
from orchestrator.fsm.interfaces import Gateway
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.net.addresses import parse_address
from orchestrator.net.link import MacAddress

MAC = "02:00:00:00:00:fe"
OTHER_MAC = "02:00:00:00:00:ff"


@pytest.fixture
def node() -> Iterator[Namespace]:
    """Two interfaces with addresses of both families, and no default route."""
    made = Namespace.create(f"gw{os.getpid()}")
    try:
        for number in (0, 1):
            namespaces.connect(made, f"eth{number}", made, f"far{number}")
            namespaces.add_address(made, f"eth{number}", f"192.0.{number}.1/24")
            namespaces.add_address(made, f"eth{number}", f"2001:db8:{number}::1/64")
        yield made
    finally:
        made.remove()


def found(node: Namespace) -> tuple[Gateway, ...]:
    return node.inside(lambda: gateways(index for index, _ in socket.if_nameindex()))


def gateway(node: Namespace, interface: str, address: str, mac: str = MAC) -> Gateway:
    index = node.inside(lambda: socket.if_nametoindex(interface))
    return Gateway(interface=index, address=parse_address(address), mac=MacAddress.parse(mac))


def ip(node: Namespace, *commands: str) -> None:
    for command in commands:
        node.run(["ip", *command.split()])


def test_node_without_default_route_has_none(node: Namespace) -> None:
    ip(node, "route add 198.51.100.0/24 via 192.0.0.254", f"neighbor add 192.0.0.254 lladdr {MAC} dev eth0")
    assert found(node) == ()


@pytest.mark.parametrize(("family", "address"), [("-4", "192.0.0.254"), ("-6", "2001:db8::254"), ("-6", "fe80::254")])
def test_gateway_with_a_mac_is_found(node: Namespace, family: str, address: str) -> None:
    ip(node, f"{family} route add default via {address} dev eth0")
    ip(node, f"neighbor add {address} lladdr {MAC} dev eth0 nud stale")
    assert found(node) == (gateway(node, "eth0", address),)


def test_gateway_that_is_not_known_is_left_out(node: Namespace) -> None:
    ip(node, "route add default via 192.0.0.254", "-6 route add default via 2001:db8::254")
    ip(node, "neighbor add 192.0.0.254 dev eth0 nud failed")
    assert found(node) == ()


def test_each_interface_has_its_own(node: Namespace) -> None:
    ip(node, "route add default via 192.0.0.254", "route add default via 192.0.1.254 metric 50")
    ip(node, f"neighbor add 192.0.0.254 lladdr {MAC} dev eth0", f"neighbor add 192.0.1.254 lladdr {OTHER_MAC} dev eth1")
    assert set(found(node)) == {
        gateway(node, "eth0", "192.0.0.254"),
        gateway(node, "eth1", "192.0.1.254", OTHER_MAC),
    }


@pytest.mark.parametrize(
    ("family", "first", "second"), [("-4", "192.0.0.254", "192.0.0.253"), ("-6", "fe80::1", "fe80::2")]
)
def test_hops_of_a_multipath_route_are_all_found(node: Namespace, family: str, first: str, second: str) -> None:
    ip(node, f"{family} route add default nexthop via {first} dev eth0 nexthop via {second} dev eth0")
    ip(node, f"neighbor add {first} lladdr {MAC} dev eth0", f"neighbor add {second} lladdr {OTHER_MAC} dev eth0")
    expected = {gateway(node, "eth0", first), gateway(node, "eth0", second, OTHER_MAC)}
    assert set(found(node)) == expected


def test_interface_that_is_gone_has_none(node: Namespace) -> None:
    assert node.inside(lambda: gateways([9999])) == ()
