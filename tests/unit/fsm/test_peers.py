"""Where heartbeats go, and what of a SpeakerState is used."""

from ipaddress import ip_network

from orchestrator.decide.eligibility import NodeLink
from orchestrator.fsm.peers import node_links, peer_node
from orchestrator.fsm.responder_api import PeerNode
from orchestrator.resources.extensions import SpeakerInterface, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta

MAC = "02:00:00:00:00:02"


def interface(name: str, *prefixes: str, mac: str = MAC) -> SpeakerInterface:
    return SpeakerInterface(name=name, mac=mac, carrier=True, prefixes=prefixes)


def peer(*interfaces: SpeakerInterface, mesh: tuple[str, ...] = ("198.51.100.2",)) -> SpeakerState:
    spec = SpeakerStateSpec(node="b", mesh_addresses=mesh, interfaces=interfaces)
    return SpeakerState(metadata=ObjectMeta(name="b"), spec=spec)


OWN = (interface("eth0", "192.0.2.1/24", "fe80::1/64"), interface("eth1", "203.0.113.1/24"))


def test_heartbeats_go_where_the_subnets_meet() -> None:
    state = peer(interface("eth0", "192.0.2.2/24"), interface("eth1", "203.0.113.2/24"))
    assert peer_node(OWN, None, state, None) == PeerNode("b", ("192.0.2.2", "203.0.113.2"), (MAC,))


def test_only_interfaces_of_announcements_count_on_both_sides() -> None:
    state = peer(interface("eth0", "192.0.2.2/24"), interface("eth1", "203.0.113.2/24"))
    assert peer_node(OWN, ("eth1",), state, None) == PeerNode("b", ("203.0.113.2",), (MAC,))
    assert peer_node(OWN, None, state, ("eth0",)) == PeerNode("b", ("192.0.2.2",), (MAC,))


def test_peer_in_another_subnet_is_reached_between_nodes() -> None:
    state = peer(interface("eth0", "10.1.0.2/24", "fe80::2/64"))
    assert peer_node(OWN, None, state, None) == PeerNode("b", ("198.51.100.2",), (MAC,))


def test_address_of_the_node_object_comes_before_a_floating_one() -> None:
    state = peer(interface("eth0", "192.0.2.2/24", "192.0.2.9/24"), mesh=("192.0.2.9",))
    assert peer_node(OWN, ("eth0",), state, None) == PeerNode("b", ("192.0.2.9",), (MAC,))


def test_peer_without_address_is_none() -> None:
    assert peer_node(OWN, None, peer(mesh=()), None) is None


def test_links_have_networks_without_link_local_ones() -> None:
    links = node_links((interface("eth0", "192.0.2.1/24", "fe80::1/64", "nonsense"),))
    assert links == (NodeLink(interface="eth0", carrier=True, networks=(ip_network("192.0.2.0/24"),)),)
