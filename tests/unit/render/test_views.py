from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from orchestrator.config.model import BfdProfile, RemoteAs
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpFamily
from orchestrator.net.bgp import Asn
from orchestrator.render import views
from orchestrator.render.canonical import Line
from orchestrator.resources.secret_text import SecretText
from tests.support.frr_documents import LEG, peer, ref


def neighbor(address: str = "10.99.0.254", **fields: Any) -> views.NeighborView:
    return views.NeighborView(peer=peer("router", address, **fields))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"address": "fd99::fe"}, True),
        ({"address": "fd99::fe", "remote_as": RemoteAs.EXTERNAL}, True),
        ({"address": "fd99::fe", "remote_as": RemoteAs.INTERNAL}, False),
        ({"address": "fd99::fe", "remote_as": Asn(65001)}, False),
        ({"address": "fd99::fe", "ebgp_multi_hop": True}, False),
        ({"address": "fd99::fe", "dual_stack_address_family": True}, False),
        ({"address": "10.99.0.254"}, False),
        ({"address": "", "interface": "eth7"}, False),
    ],
)
def test_connected_check_is_off_for_pure_ipv6_ebgp_of_one_hop(fields: dict[str, Any], expected: bool) -> None:
    assert neighbor(**fields).disable_connected_check is expected


def test_remote_as_is_a_number_or_a_word() -> None:
    assert neighbor().remote_as == "65000"
    assert neighbor(remote_as=RemoteAs.INTERNAL).remote_as == "internal"


def test_multihop_is_for_ebgp_only() -> None:
    assert neighbor(ebgp_multi_hop=True).multi_hop
    assert not neighbor(ebgp_multi_hop=True, remote_as=RemoteAs.INTERNAL).multi_hop


def test_timers_are_seconds_and_zero_counts() -> None:
    off = neighbor(hold_time=timedelta(0), keepalive_time=timedelta(0), connect_time=None)
    assert off.timers == (0, 0)
    assert off.connect_s is None
    assert neighbor().timers is None


def test_default_port_and_missing_password_print_nothing() -> None:
    assert neighbor().port is None
    assert neighbor(port=1790).port == 1790
    assert neighbor().password is None
    assert neighbor(password=SecretText("geheim")).password == "geheim"


def test_password_is_not_in_the_views_repr() -> None:
    assert "geheim" not in repr(neighbor(password=SecretText("geheim")))


def test_bfd_defaults_print_nothing() -> None:
    default = BfdProfile(
        name="p",
        origin=ref("BFDProfile", "p"),
        receive_interval_ms=300,
        transmit_interval_ms=300,
        detect_multiplier=3,
        echo_interval_ms=50,
        minimum_ttl=254,
    )
    view = views.ProfileView(profile=default)
    assert (view.receive_ms, view.transmit_ms, view.multiplier, view.echo_ms, view.minimum_ttl) == (None,) * 5


def test_name_that_is_no_word_is_refused_in_a_context() -> None:
    with pytest.raises(InvalidConfig):
        views.router_context(Asn(65001), "blue\nno router bgp")


@pytest.mark.parametrize(
    "fields",
    [
        {"ebgp_multi_hop": True},
        {"vrf": "blue"},
        {"address": "192.0.2.1"},
        {"address": "", "interface": "eth7"},
        {"bfd_profile": ""},
        {"graceful_restart": True},
    ],
)
def test_only_directly_connected_peers_without_graceful_restart_have_a_session_made_before(
    fields: dict[str, Any],
) -> None:
    assert views.preconfigured(peer(**{"bfd_profile": "fast", **fields}), (LEG,)) is None


def test_session_made_before_uses_the_leg_of_the_source_address() -> None:
    second = views.Leg(interface="eth1", address=ip_address("10.99.0.9"), prefix=ip_network("10.99.0.0/24"))
    chosen = views.preconfigured(peer(bfd_profile="fast", source_address=second.address), (LEG, second))
    assert chosen is not None
    assert chosen.context == ("bfd", "peer 10.99.0.254 local-address 10.99.0.9 interface eth1")


def test_place_of_a_family() -> None:
    assert views.family_context(Asn(1), "", IpFamily.IPV6) == ("router bgp 1", "address-family ipv6 unicast")


def test_legs_are_read_back() -> None:
    view = views.preconfigured(peer(bfd_profile="fast"), (LEG,))
    assert view is not None
    (leg,) = views.legs_in([Line(view.context[:1], view.context[1])])
    assert (leg.interface, leg.address) == (LEG.interface, LEG.address)
