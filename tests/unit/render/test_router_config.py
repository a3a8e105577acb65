from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from jinja2 import FileSystemLoader

from orchestrator.config.model import BfdProfile, BgpAdvertisement, Config, NodeFacts, Peer, Pool, RemoteAs, Weight
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import parse_range
from orchestrator.net.bgp import Asn
from orchestrator.render.environment import build_environment
from orchestrator.render.router_config import Passwords, RouterInput, Vendor, render, view_of
from orchestrator.render.router_views import RouterView, SessionView
from orchestrator.render.views import Leg
from orchestrator.resources.secret_text import SecretText
from orchestrator.settings import template_folder
from tests.support.frr_documents import peer, ref

NODES = ("node-1", "node-2")
ALL = frozenset(NODES)


def facts(name: str, *addresses: str) -> NodeFacts:
    return NodeFacts(name=name, labels={}, internal_addresses=tuple(map(ip_address, addresses)))


KNOWN = (facts("node-1", "10.99.0.1", "fd99::1"), facts("node-2", "10.99.0.2", "fd99::2"))


def config(*peers: Peer, nodes: Sequence[NodeFacts] = KNOWN, **fields: Any) -> Config:
    advertisement = BgpAdvertisement(name="ad", origin=ref("BGPAdvertisement", "ad"), nodes=ALL)
    ranges = tuple(map(parse_range, ("203.0.113.0/24", "2001:db8::/64")))
    pool = Pool(name="p", origin=ref("IPAddressPool", "p"), ranges=ranges, bgp_advertisements=(advertisement,))
    return Config(
        pools={"p": pool},
        peers={each.name: each for each in peers},
        nodes={each.name: each for each in nodes},
        **fields,
    )


def view(*peers: Peer, **given: Any) -> RouterView:
    known = {"config": config(*peers), **given}
    return view_of([each.name for each in peers], RouterInput(**known))


def session(one: Peer, **given: Any) -> SessionView:
    (only,) = view(one, **given).sessions
    return only


def tor(**fields: Any) -> Peer:
    return peer("tor", **{"nodes": ALL, **fields})


def addresses(found: SessionView) -> list[str]:
    return [f"{each.node} {each.address or each.interface}" for each in found.neighbors]


def text(found: RouterView, vendor: Vendor) -> str:
    return render(found, vendor, build_environment(FileSystemLoader(template_folder())))


# --- AS numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "router", "node", "external"),
    [
        ({}, 65000, 65001, True),
        ({"remote_as": Asn(65001)}, 65001, 65001, False),
        ({"remote_as": RemoteAs.INTERNAL}, 65001, 65001, False),
        ({"local_asn": Asn(64600)}, 65000, 64600, True),
        ({"remote_as": Asn(65001), "local_asn": Asn(64600)}, 65001, 64600, True),
    ],
)
def test_as_numbers_are_seen_from_the_router(fields: dict[str, Any], router: int, node: int, external: bool) -> None:
    found = view(tor(**fields))
    assert (found.asn, found.sessions[0].node_asn, found.sessions[0].external) == (router, node, external)


def test_external_peer_needs_the_routers_as_number() -> None:
    with pytest.raises(InvalidConfig, match="give --router-asn"):
        view(tor(remote_as=RemoteAs.EXTERNAL))
    assert view(tor(remote_as=RemoteAs.EXTERNAL), router_asn=Asn(65007)).asn == 65007


def test_as_number_that_the_peer_does_not_expect_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="expects AS 65000, not 65007"):
        view(tor(), router_asn=Asn(65007))


def test_peers_of_two_routers_are_two_questions() -> None:
    with pytest.raises(InvalidConfig, match="different routers: other with AS 64999, tor with AS 65000"):
        view(tor(), peer("other", "10.99.0.253", remote_as=Asn(64999), nodes=ALL))


def test_paths_of_several_as_numbers_are_equal_only_if_relaxed() -> None:
    racks = [peer(f"rack-{n}", my_asn=Asn(64500 + n), nodes=frozenset({f"node-{n}"})) for n in (1, 2)]
    assert view(*racks).relax
    assert view_of(["rack-1"], RouterInput(config=config(*racks))).relax
    assert not view(tor()).relax
    assert not view(tor(), peer("tor6", "fd99::fe", nodes=ALL)).relax


# --- which peer, which nodes ------------------------------------------------------------------------------------------


def test_unknown_peer_is_told_the_known_ones() -> None:
    with pytest.raises(InvalidConfig, match="no BGPPeer 'tro'; known peers: 'tor', 'tor6'"):
        view_of(["tro"], RouterInput(config=config(tor(), peer("tor6", "fd99::fe"))))


def test_peer_that_cannot_be_used_is_not_an_unknown_one() -> None:
    with pytest.raises(InvalidConfig, match="cannot be used as it is"):
        view_of(["tor"], RouterInput(config=config(held_peers=frozenset({"tor"}))))


def test_no_node_objects_and_no_node_selected_are_two_errors() -> None:
    with pytest.raises(InvalidConfig, match="there are no Node objects"):
        view(tor(nodes=frozenset()), config=config(tor(nodes=frozenset()), nodes=()))
    with pytest.raises(InvalidConfig, match=r"'tor' selects no node; .* known nodes: 'node-1', 'node-2'"):
        view(tor(nodes=frozenset()))


def test_neighbors_are_the_selected_nodes_in_the_routers_family() -> None:
    assert addresses(session(tor())) == ["node-1 10.99.0.1", "node-2 10.99.0.2"]
    assert addresses(session(tor(address=ip_address("fd99::fe")))) == ["node-1 fd99::1", "node-2 fd99::2"]
    assert addresses(session(tor(nodes=frozenset({"node-2"})))) == ["node-2 10.99.0.2"]


def test_address_in_the_routers_network_is_the_one_that_dials() -> None:
    leg = Leg(interface="eth1", address=ip_address("10.99.0.77"), prefix=ip_network("10.99.0.0/24"))
    far = Leg(interface="eth2", address=ip_address("10.98.0.1"), prefix=ip_network("10.98.0.0/24"))
    assert addresses(session(tor(), legs={"node-1": (far, leg)})) == ["node-1 10.99.0.77", "node-2 10.99.0.2"]


def test_node_without_an_address_of_the_family_is_left_out_and_named() -> None:
    some = config(tor(), nodes=(facts("node-1", "fd99::1"), facts("node-2", "10.99.0.2")))
    found = view(tor(), config=some)
    assert addresses(found.sessions[0]) == ["node-2 10.99.0.2"]
    assert found.notes == ("no IPv4 InternalIP is known of node-1: left out of BGPPeer 'tor'",)
    with pytest.raises(InvalidConfig, match="no IPv4 InternalIP is known of node-1, node-2"):
        view(tor(), config=config(tor(), nodes=(facts("node-1"), facts("node-2", "fd99::2"))))


def test_source_address_is_one_nodes() -> None:
    source = tor(source_address=ip_address("10.99.0.2"))
    found = view(source)
    assert addresses(found.sessions[0]) == ["node-2 10.99.0.2"]
    assert "give each a BGPPeer" in found.notes[0]
    assert view(tor(source_address=ip_address("10.5.0.1"), nodes=frozenset({"node-2"}))).notes == ()


def test_unnumbered_session_needs_the_routers_interfaces() -> None:
    bare = tor(address="", interface="eth1")
    with pytest.raises(InvalidConfig, match=r"--interface node-2=NAME$"):
        view(bare, ports={"node-1": "swp1"})
    found = session(bare, ports={"node-1": "swp1", "node-2": "swp2"})
    assert addresses(found) == ["node-1 swp1", "node-2 swp2"]
    assert found.local is None
    with pytest.raises(InvalidConfig, match="cannot be written"):
        view(bare, ports={"node-1": "swp1\nquit", "node-2": "swp2"})


# --- options ----------------------------------------------------------------------------------------------------------


def test_password_is_a_placeholder_unless_asked_for() -> None:
    locked = tor(password=SecretText("geheim"))
    assert session(locked).password == "PASSWORD-OF-tor"
    assert session(locked, passwords=Passwords.SHOWN).password == "geheim"
    assert session(tor()).password is None
    for vendor in Vendor:
        assert "geheim" not in text(view(locked), vendor)


def test_password_that_cannot_be_read_is_still_one() -> None:
    known = config(locked_peers={"tor": tor()})
    assert view_of(["tor"], RouterInput(config=known)).sessions[0].password == "PASSWORD-OF-tor"
    shown = view_of(["tor"], RouterInput(config=known, passwords=Passwords.SHOWN))
    assert shown.sessions[0].password == "PASSWORD-OF-tor"
    assert "cannot be read" in shown.notes[0]


def test_quote_in_a_password_cannot_be_said_to_bird() -> None:
    quoted = view(tor(password=SecretText('ge"heim')), passwords=Passwords.SHOWN)
    assert 'password ge"heim\n' in text(quoted, Vendor.FRR)
    with pytest.raises(InvalidConfig, match="has a quote"):
        text(quoted, Vendor.BIRD)


def test_options_of_the_peer_are_mirrored() -> None:
    profile = BfdProfile(name="fast", origin=ref("BFDProfile", "fast"), receive_interval_ms=100)
    one = tor(
        hold_time=timedelta(seconds=9),
        keepalive_time=timedelta(seconds=3),
        bfd_profile="fast",
        graceful_restart=True,
        ebgp_multi_hop=True,
        port=1790,
    )
    found = session(one, config=config(one, bfd_profiles={"fast": profile}))
    assert (found.timers, found.graceful_restart, found.multihop, found.port) == ((3, 9), True, True, 1790)
    assert found.bfd is not None
    assert (found.bfd.transmit_ms, found.bfd.receive_ms) == (100, 300)


def test_families_are_those_that_the_session_carries() -> None:
    assert [channel.word for channel in session(tor()).carried] == ["ipv4"]
    both = session(tor(dual_stack_address_family=True))
    assert [(channel.word, len(channel.permits)) for channel in both.carried] == [("ipv4", 1), ("ipv6", 1)]


def test_peer_that_gets_nothing_is_said_so_and_accepts_nothing() -> None:
    lonely = Config(peers={"tor": tor()}, nodes={each.name: each for each in KNOWN})
    found = view(tor(), config=lonely)
    assert "accepts nothing" in found.notes[0]
    assert "deny any" in text(found, Vendor.FRR)
    assert "permit 20" in text(found, Vendor.FRR)
    assert "  reject;\n}" in text(found, Vendor.BIRD)


def test_frr_activates_no_family_by_default() -> None:
    only_v6 = text(view(tor(address=ip_address("fd99::fe"))), Vendor.FRR)
    assert " address-family ipv4 unicast\n  no neighbor ferrule-tor activate\n" in only_v6


@pytest.mark.parametrize(
    ("advertisement", "is_weighed"),
    [
        ({"weight": Weight.ENDPOINTS}, True),
        ({"weight": Weight.ENDPOINTS, "peers": frozenset({"tor"})}, True),
        ({"weight": Weight.ENDPOINTS, "peers": frozenset({"other"})}, False),
        ({}, False),
    ],
)
def test_router_is_told_of_weights_if_an_advertisement_for_it_has_them(
    advertisement: dict[str, Any], is_weighed: bool
) -> None:
    known = config(tor(local_asn=Asn(64999)))
    weighed = BgpAdvertisement(name="ad", origin=ref("BGPAdvertisement", "ad"), nodes=ALL, **advertisement)
    pool = replace(known.pools["p"], bgp_advertisements=(weighed,))
    found = session(tor(local_asn=Asn(64999)), config=replace(known, pools={"p": pool})).weights
    assert bool(found) is is_weighed
    assert [each.weight for each in found][:: len(found) - 1 or 1] == ([1, 256] if is_weighed else [])
    assert {each.key for each in found} == ({"0x0004fde9"} if is_weighed else set())
