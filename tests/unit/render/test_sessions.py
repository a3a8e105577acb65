from typing import Any

import pytest

from orchestrator.config.model import BfdProfile, RemoteAs
from orchestrator.render import sessions
from orchestrator.render.canonical import Line
from tests.support.frr_documents import document, peer, ref

FAST = BfdProfile(name="fast", origin=ref("BFDProfile", "fast"), receive_interval_ms=150)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("bgpd",)),
        ({"bfd_profile": "fast"}, ("zebra", "bfdd", "bgpd")),
        ({"vrf": "blue"}, ("zebra", "bgpd")),
        ({"dual_stack_address_family": True}, ("zebra", "bgpd")),
        ({"address": "", "interface": "eth7", "remote_as": RemoteAs.EXTERNAL}, ("zebra", "bgpd")),
    ],
)
def test_daemons_are_those_that_the_peers_need(fields: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert document([peer(**fields)], profiles=[FAST]).daemons == expected


def test_node_without_peers_needs_no_daemon() -> None:
    assert sessions.daemons([], []) == ()


def test_route_maps_stand_before_activate() -> None:
    texts = [line.text.split()[-1] for line in document([peer()]).blocks["family IPv4 router"].lines]
    assert texts == ["in", "out", "activate"]


def test_instance_with_a_graceful_restart_collects_its_routes_first_and_others_do_not() -> None:
    made = document([peer("a", graceful_restart=True), peer("b", "10.98.0.1", vrf="blue")])
    assert {line for line in made.lines("bgpd") if line.text.startswith("coalesce-time")} == {
        Line(("router bgp 65001",), "coalesce-time 250"),
        Line(("router bgp 65001 vrf blue",), "coalesce-time 0"),
    }


def test_each_vrf_has_an_instance_with_its_number() -> None:
    made = document([peer("a"), peer("b", "10.98.0.1", vrf="blue")])
    assert {line.text for line in made.lines("bgpd") if line.text.startswith("router bgp")} == {
        "router bgp 65001",
        "router bgp 65001 vrf blue",
    }


def test_only_profiles_in_use_are_written() -> None:
    slow = BfdProfile(name="slow", origin=ref("BFDProfile", "slow"))
    made = document([peer(bfd_profile="fast")], profiles=[FAST, slow])
    assert made.lines("bfdd") == {Line(("bfd",), "profile fast"), Line(("bfd", "profile fast"), "receive-interval 150")}


def test_session_of_another_address_is_not_about_the_peer() -> None:
    block = document([peer()]).blocks["neighbor router"]
    assert sessions.is_about(block, peer())
    assert not sessions.is_about(block, peer(address="10.99.0.2"))
    assert not sessions.is_about(block, peer(vrf="blue"))
