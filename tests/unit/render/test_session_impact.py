from typing import Any

import pytest

from orchestrator.config.model import Peer
from orchestrator.net.bgp import Asn
from orchestrator.render.canonical import Line
from orchestrator.render.difference import difference
from orchestrator.render.session_impact import Fate, SessionImpact, SessionKey, session_impacts, sessions_in
from orchestrator.resources.secret_text import SecretText
from tests.support.frr_documents import attributes, document, peer, policy, route

KEY = SessionKey("", "10.99.0.254")


def lines(*peers: Peer) -> frozenset[Line]:
    return document(peers).lines("bgpd")


def impacts(before: frozenset[Line], after: frozenset[Line]) -> tuple[SessionImpact, ...]:
    return session_impacts(before, difference(before, after, before))


@pytest.mark.parametrize(
    ("before", "after", "causes"),
    [
        ({}, {"password": SecretText("geheim")}, ("password ***",)),
        ({"password": SecretText("old")}, {"password": SecretText("new")}, ("password ***",)),
        ({"password": SecretText("old")}, {}, ("no password ***",)),
        ({}, {"remote_as": Asn(65009)}, ("remote-as 65009",)),
        ({}, {"dual_stack_address_family": True}, ("ipv6 unicast activate",)),
        ({}, {"my_asn": Asn(65002)}, ("router bgp 65002",)),
    ],
)
def test_reset_names_the_option_and_no_password(
    before: dict[str, Any], after: dict[str, Any], causes: tuple[str, ...]
) -> None:
    (found,) = impacts(lines(peer(**before)), lines(peer(**after)))
    assert (found.key, found.fate) == (KEY, Fate.RESET)
    assert set(causes) <= set(found.causes)
    assert "geheim" not in repr(found)


def test_session_is_made_and_ended() -> None:
    with_one, with_two = lines(peer()), lines(peer(), peer("other", "10.99.0.253"))
    other = SessionKey("", "10.99.0.253")
    assert impacts(with_one, with_two) == (SessionImpact(key=other, fate=Fate.MADE, causes=()),)
    assert impacts(with_two, with_one) == (SessionImpact(key=other, fate=Fate.ENDED, causes=()),)
    assert [each.fate for each in impacts(with_one, frozenset())] == [Fate.ENDED]


def test_one_vrf_does_not_concern_the_other() -> None:
    blue = peer("blue", "10.99.0.253", vrf="blue", my_asn=Asn(65003))
    changed = peer("blue", "10.99.0.253", vrf="blue", my_asn=Asn(65004))
    assert [each.key.vrf for each in impacts(lines(peer(), blue), lines(peer(), changed))] == ["blue"]
    assert sessions_in(lines(peer(), blue)) == {KEY, SessionKey("blue", "10.99.0.253")}


def test_routes_timers_and_policies_disturb_no_session() -> None:
    plain = document([peer()], [route("198.51.100.7/32", policy(router=attributes("65001:1")))]).lines("bgpd")
    other = document([peer(port=1790)], [route("198.51.100.8/32", policy(router=attributes()))]).lines("bgpd")
    assert impacts(plain, other) == ()
