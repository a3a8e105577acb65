from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from orchestrator.config.model import NodeFacts
from orchestrator.net.bgp import Asn, LinkBandwidth, PrefixText, SentRoute, parse_community
from orchestrator.render.exabgp import update
from orchestrator.render.views import Leg
from orchestrator.resources.secret_text import SecretText
from tests.support.exabgp_documents import exabgp_document, exabgp_peer
from tests.support.frr_documents import LEG, NODE, attributes, policy, route

V4, V6 = "198.51.100.7/32", "2001:db8:1::7/128"
LEG_V6 = Leg(interface="eth0", address=ip_address("fd99::1"), prefix=ip_network("fd99::/64"))
FOREIGN = Leg(interface="eth1", address=ip_address("10.98.0.1"), prefix=ip_network("10.98.0.0/24"))
SECOND = Leg(interface="eth0", address=ip_address("10.99.0.2"), prefix=ip_network("10.99.0.0/24"))
LINK_LOCAL = Leg(interface="eth0", address=ip_address("fe80::1"), prefix=ip_network("fe80::/64"))


def test_section_names_its_peer_and_password_is_in_the_file_alone() -> None:
    document = exabgp_document([exabgp_peer(password=SecretText("a \"b';{#"))])
    assert "# BGPPeer metallb-system/router\nneighbor 10.99.0.254 {" in document.text
    assert 'md5-password "YSAiYic7eyM=";' in document.text
    assert "YSAiYic7eyM=" not in document.text_without_passwords
    assert 'md5-password "***";' in document.text_without_passwords


def test_password_that_tcp_cannot_take_leaves_out_its_peer_alone() -> None:
    document = exabgp_document([exabgp_peer(password=SecretText("x" * 81)), exabgp_peer("other", "10.99.0.253")])
    assert document.sections.keys() == {"other"}
    (problem,) = document.problems
    assert problem.ref.name == "router"
    assert "80 octets" in problem.message


def test_each_peer_is_sent_its_own_attributes() -> None:
    peers = [
        exabgp_peer(),
        exabgp_peer("ibgp", "10.99.0.253", remote_as=Asn(65001)),
        exabgp_peer("none", "10.99.0.252"),
    ]
    how = policy(router=attributes("1:1", local_pref=200), ibgp=attributes(local_pref=200))
    document = exabgp_document(peers, [route(V4, how)])
    prefix = PrefixText(V4)
    assert document.routes == {
        "10.99.0.254": {prefix: SentRoute(next_hop=LEG.address, communities=(parse_community("1:1"),))},
        "10.99.0.253": {prefix: SentRoute(next_hop=LEG.address, local_pref=200)},
        "10.99.0.252": {},
    }


def test_external_peer_sees_the_path_that_it_would_see_from_frr() -> None:
    longer = replace(attributes(), med=70, prepended=(Asn(64999), Asn(64999)))
    document = exabgp_document([exabgp_peer(local_asn=Asn(64999))], [route(V4, policy(router=longer))])
    sent = document.routes["10.99.0.254"][PrefixText(V4)]
    assert (sent.med, sent.as_path) == (70, (64999, 64999, 64999))


def test_weight_goes_with_the_as_number_that_frr_would_send() -> None:
    peers = [exabgp_peer(local_asn=Asn(64999)), exabgp_peer("equal", "10.99.0.253")]
    document = exabgp_document(peers, [route(V4, policy(router=attributes(weight=3), equal=attributes()))])
    sent = {address: routes[PrefixText(V4)].bandwidth for address, routes in document.routes.items()}
    assert sent == {"10.99.0.254": LinkBandwidth(Asn(65001), 3), "10.99.0.253": None}


def test_family_that_the_session_does_not_carry_is_not_sent() -> None:
    document = exabgp_document([exabgp_peer()], [route(V6, policy(router=attributes()))])
    assert document.routes == {"10.99.0.254": {}}


def test_other_family_of_a_session_gets_the_next_hop_on_the_same_link() -> None:
    document = exabgp_document(
        [exabgp_peer(dual_stack_address_family=True)],
        [route(V6, policy(router=attributes()))],
        legs=(LEG, LINK_LOCAL, LEG_V6),
    )
    assert document.routes["10.99.0.254"][PrefixText(V6)].next_hop == LEG_V6.address


def test_other_family_of_a_distant_neighbor_gets_the_internal_address() -> None:
    node = NodeFacts(name=NODE, labels={}, internal_addresses=(ip_address("10.99.0.1"), ip_address("fd77::1")))
    document = exabgp_document(
        [exabgp_peer(dual_stack_address_family=True)], [route(V6, policy(router=attributes()))], node=node
    )
    assert document.routes["10.99.0.254"][PrefixText(V6)].next_hop == ip_address("fd77::1")


@pytest.mark.parametrize(
    ("legs", "source", "chosen"),
    [
        ((FOREIGN, LEG), None, "10.99.0.1"),
        ((LEG, SECOND), None, "10.99.0.2"),
        ((LEG, SECOND), "10.99.0.9", "10.99.0.9"),
        ((FOREIGN,), None, "10.99.0.2"),
        ((), None, "10.99.0.2"),
    ],
)
def test_next_hop_is_the_address_that_the_neighbor_reaches(
    legs: tuple[Leg, ...], source: str | None, chosen: str
) -> None:
    node = NodeFacts(name=NODE, labels={}, internal_addresses=(ip_address("10.99.0.2"),))
    asked = exabgp_peer(source_address=ip_address(source) if source else None)
    document = exabgp_document([asked], [route(V4, policy(router=attributes()))], node=node, legs=legs)
    assert str(document.routes["10.99.0.254"][PrefixText(V4)].next_hop) == chosen


def test_session_without_a_next_hop_of_its_own_is_a_problem() -> None:
    document = exabgp_document([exabgp_peer()], [route(V4, policy(router=attributes()))], legs=())
    assert document.routes == {"10.99.0.254": {}}
    assert [problem.field for problem in document.problems] == ["spec.peerAddress"]


def test_family_without_a_next_hop_is_a_problem_and_the_other_is_sent() -> None:
    how = policy(router=attributes())
    document = exabgp_document(
        [exabgp_peer(dual_stack_address_family=True)], [route(V4, how), route(V6, how)], legs=(LEG, LINK_LOCAL)
    )
    assert document.routes["10.99.0.254"].keys() == {V4}
    (problem,) = document.problems
    assert problem.field == "spec.dualStackAddressFamily"


def test_update_gives_what_rendering_gives_and_shares_the_rest() -> None:
    plain, other = policy(router=attributes()), policy(router=attributes("1:1"))
    before = exabgp_document([exabgp_peer()], [route(V4, plain), route("10.1.0.0/16", plain)])
    after = update(before, {ip_network(V4): route(V4, other), ip_network("10.2.0.0/16"): route("10.2.0.0/16", plain)})
    anew = exabgp_document(
        [exabgp_peer()], [route(V4, other), route("10.1.0.0/16", plain), route("10.2.0.0/16", plain)]
    )
    assert after == anew
    kept = PrefixText("10.1.0.0/16")
    assert after.routes["10.99.0.254"][kept] is before.routes["10.99.0.254"][kept]
    gone = update(after, {ip_network(V4): None})
    assert V4 not in gone.routes["10.99.0.254"]


def test_locked_peer_keeps_its_section_and_its_routes() -> None:
    routes = [route(V4, policy(router=attributes()))]
    before = exabgp_document([exabgp_peer(password=SecretText("secret"))], routes)
    after = exabgp_document([], routes, locked=[exabgp_peer()], previous=before.text)
    assert after.sections == before.sections
    assert after.routes == before.routes
    assert exabgp_document([], routes, locked=[exabgp_peer()]).routes == {}
