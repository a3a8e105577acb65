from ipaddress import IPv4Address, ip_address

from orchestrator.config.model import NodeFacts
from orchestrator.net.addresses import IpAddress
from orchestrator.render.canonical import Line
from orchestrator.render.router_id import choose_router_id, router_id_in
from tests.support.frr_documents import peer

KEPT = IPv4Address("192.0.2.9")


def node(*addresses: str, name: str = "node-1") -> NodeFacts:
    internal: tuple[IpAddress, ...] = tuple(ip_address(each) for each in addresses)
    return NodeFacts(name=name, labels={}, internal_addresses=internal)


def test_peers_router_id_comes_first() -> None:
    configured = peer(router_id=IPv4Address("10.9.9.9"))
    assert choose_router_id(node("10.0.0.1"), [peer("a"), configured], KEPT) == IPv4Address("10.9.9.9")


def test_router_id_in_use_survives_a_changed_address() -> None:
    assert choose_router_id(node("10.0.0.2"), [peer()], KEPT) == KEPT


def test_first_ipv4_address_of_the_node_is_taken() -> None:
    assert choose_router_id(node("fd00::1", "10.0.0.1", "10.0.0.2"), [], None) == IPv4Address("10.0.0.1")


def test_node_without_ipv4_gets_a_stable_number_of_its_own() -> None:
    one, other = (choose_router_id(node("fd00::1", name=name), [], None) for name in ("node-1", "node-2"))
    assert one != other
    assert one == choose_router_id(node(name="node-1"), [], None)
    assert 1 <= int(one) >> 24 <= 223


def test_router_id_is_read_back() -> None:
    lines = [Line(("router bgp 1",), "coalesce-time 0"), Line(("router bgp 1",), "bgp router-id 192.0.2.9")]
    assert router_id_in(lines) == KEPT
    assert router_id_in([]) is None
