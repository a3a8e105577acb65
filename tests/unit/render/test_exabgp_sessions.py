from datetime import timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import pytest

from orchestrator.net.bgp import Asn
from orchestrator.render.exabgp_sessions import held_sections, legs_in, revisions_in, router_id_in
from orchestrator.render.views import Leg
from orchestrator.resources.meta import ObjectRef
from orchestrator.resources.secret_text import SecretText
from tests.support.exabgp_documents import exabgp_document, exabgp_peer
from tests.support.frr_documents import LEG, ROUTER_ID


def lines(**fields: Any) -> set[str]:
    """The statements of a peer's section."""
    section = exabgp_document([exabgp_peer(**fields)]).sections["router"]
    return {line.strip() for line in section.body.splitlines()}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "local-as 65001;"),
        ({"local_asn": Asn(64999)}, "local-as 64999;"),
        ({}, "peer-as 65000;"),
        ({}, "local-address auto;"),
        ({"source_address": ip_address("10.99.0.7")}, "local-address 10.99.0.7;"),
        ({"port": 1179}, "connect 1179;"),
        ({"hold_time": timedelta(seconds=9), "keepalive_time": timedelta(seconds=3)}, "hold-time 9;"),
        ({"hold_time": timedelta(0), "keepalive_time": timedelta(0)}, "hold-time 0;"),
        ({}, "outgoing-ttl 1;"),
        ({"ebgp_multi_hop": True}, "outgoing-ttl 255;"),
        ({}, "graceful-restart disable;"),
        ({"graceful_restart": True}, "graceful-restart 120;"),
        ({"password": SecretText("geheim")}, 'md5-password "Z2VoZWlt";'),
        ({"dual_stack_address_family": True}, "ipv6 unicast;"),
        ({"address": "fd99::fe"}, "ipv6 unicast;"),
    ],
)
def test_option_of_a_peer_is_a_statement(fields: dict[str, Any], line: str) -> None:
    assert line in lines(**fields)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "hold-time"),
        ({}, "md5-password"),
        ({"remote_as": Asn(65001)}, "outgoing-ttl"),
        ({}, "ipv6 unicast"),
        ({"address": "fd99::fe"}, "ipv4 unicast"),
    ],
)
def test_what_a_peer_does_not_ask_for_is_left_out(fields: dict[str, Any], word: str) -> None:
    assert not [line for line in lines(**fields) if line.startswith(word)]


def test_any_difference_is_another_revision_even_of_the_password() -> None:
    texts = [
        exabgp_document([exabgp_peer(password=SecretText(word))]).sections["router"] for word in ("one", "two", "one")
    ]
    first, second, third = (section.revision for section in texts)
    assert first == third != second
    assert list(revisions_in(texts[0].text)) == [first]


def test_held_sections_are_found_whole_in_the_text_before() -> None:
    document = exabgp_document(
        [exabgp_peer("a", "10.99.0.1", dual_stack_address_family=True), exabgp_peer("b", "fd99::fe")]
    )
    held = dict(held_sections(document.text, {"a", "b", "c"}))
    assert held == document.sections
    assert held["b"].origin == ObjectRef("BGPPeer", "metallb-system", "b")
    assert held["b"].neighbor == "fd99::fe"
    assert dict(held_sections("", {"a"})) == {}


def test_legs_beside_neighbors_are_read_back() -> None:
    other = Leg(interface="eth1", address=ip_address("10.98.0.1"), prefix=ip_network("10.98.0.0/24"))
    six = Leg(interface="eth0", address=ip_address("fd99::1"), prefix=ip_network("fd99::/64"))
    assert legs_in(exabgp_document([exabgp_peer()], legs=(six, other, LEG)).text) == (LEG, six)
    assert legs_in(exabgp_document([exabgp_peer()], legs=(other,)).text) == ()


def test_router_id_is_read_back() -> None:
    assert router_id_in(exabgp_document([exabgp_peer()]).text) == IPv4Address(ROUTER_ID)
    assert router_id_in("") is None
