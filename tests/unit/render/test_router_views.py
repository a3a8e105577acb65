from ipaddress import ip_address
from typing import Any

import pytest

from orchestrator.config.model import BfdProfile
from orchestrator.net.addresses import IpFamily
from orchestrator.net.bgp import Asn, LinkBandwidth
from orchestrator.render.router_views import (
    BfdView,
    ChannelView,
    NodeView,
    RouterView,
    SessionView,
    WeightView,
    path_limit,
    plain_name,
)
from tests.support.frr_documents import ref

LONG = "x" * 100


def bfd(**fields: Any) -> BfdView:
    return BfdView.facing(BfdProfile(name="p", origin=ref("BFDProfile", "p"), **fields))


def session(**fields: Any) -> SessionView:
    given: dict[str, Any] = {
        "peer": "tor",
        "node_asn": Asn(64512),
        "external": True,
        "local": ip_address("192.0.2.1"),
        "port": None,
        "multihop": False,
        "connected_check": True,
        "timers": None,
        "password": None,
        "bfd": None,
        "graceful_restart": False,
        "neighbors": (),
        "channels": (ChannelView(family=IpFamily.IPV4, carried=True), ChannelView(family=IpFamily.IPV6, carried=False)),
        **fields,
    }
    return SessionView(**given)


def router(*sessions: SessionView) -> RouterView:
    return RouterView(asn=Asn(64513), sessions=sessions, paths=8, relax=False)


def test_what_one_end_sends_the_other_receives() -> None:
    facing = bfd(receive_interval_ms=100, transmit_interval_ms=150, detect_multiplier=5, minimum_ttl=250)
    assert (facing.receive_ms, facing.transmit_ms, facing.multiplier, facing.minimum_ttl) == (150, 100, 5, 250)


def test_profile_that_leaves_all_open_means_the_defaults_of_frr() -> None:
    assert bfd() == BfdView(receive_ms=300, transmit_ms=300, multiplier=3, echo_ms=None, minimum_ttl=None)


def test_echo_interval_counts_in_echo_mode_only() -> None:
    assert [bfd(echo_interval_ms=80).echo_ms, bfd(echo_mode=True).echo_ms] == [None, 50]
    assert bfd(echo_mode=True, echo_interval_ms=80).echo_ms == 80


@pytest.mark.parametrize(("nodes", "expected"), [(1, 8), (8, 8), (9, 16), (64, 64), (500, 128)])
def test_paths_have_room_within_what_routers_take(nodes: int, expected: int) -> None:
    assert path_limit(nodes) == expected


def test_name_that_is_plain_stays() -> None:
    assert plain_name("tor-1.rack_7") == "tor-1.rack_7"


def test_two_long_names_stay_two_and_short() -> None:
    names = {plain_name(LONG), plain_name(LONG + "y"), plain_name("tör'")}
    assert len(names) == 3
    assert all(len(f"ferrule-{name}") < 64 and "'" not in name for name in names)


def test_families_that_a_session_does_not_carry_are_not_the_routers() -> None:
    assert [channel.word for channel in session().carried] == ["ipv4"]
    assert router(session()).families == ("ipv4",)


@pytest.mark.parametrize(
    ("fields", "hops"),
    [
        ({}, "direct"),
        ({"multihop": True}, "multihop"),
        ({"external": False}, "multihop"),
        ({"external": False, "bfd": bfd()}, "direct"),
    ],
)
def test_bird_expects_several_hops_where_there_may_be_some(fields: dict[str, Any], hops: str) -> None:
    assert session(**fields).hops == hops
    assert router(session(**fields)).has_distant is (hops == "multihop")


def test_router_knows_what_any_session_needs() -> None:
    port = NodeView(node="node-a", interface="swp1")
    both = router(session(), session(external=False, bfd=bfd(), neighbors=(port,)))
    assert (both.has_external, both.has_internal, both.has_bfd, both.ports) == (True, True, True, ("swp1",))
    assert (router(session()).has_internal, router(session()).has_bfd, router(session()).ports) == (False, False, ())


def test_prefix_lists_of_the_families_have_different_commands() -> None:
    assert [channel.list_command for channel in session().channels] == ["ip", "ipv6"]
    assert NodeView(node=LONG, address=ip_address("192.0.2.11")).name == plain_name(LONG)


def test_weight_is_told_with_both_halves_of_what_nodes_send() -> None:
    assert WeightView.of(LinkBandwidth(Asn(65001), 3)) == WeightView(weight=3, key="0x0004fde9", value="0x48b71b00")
    assert WeightView.of(LinkBandwidth(Asn(65001), 288)).weight == 256
