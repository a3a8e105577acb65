from orchestrator.config.model import RemoteAs
from orchestrator.net.bgp import Asn
from orchestrator.render.canonical import Line
from orchestrator.render.sent_routes import sent_by_frr
from orchestrator.render.session_impact import SessionKey
from tests.support.frr_documents import attributes, document, peer, policy, route

LEFT, RIGHT = SessionKey("", "10.99.0.201"), SessionKey("", "10.99.0.202")
PREFIX = "198.51.100.7/32"


def test_common_and_own_attributes_are_united() -> None:
    ours = attributes("65001:1", "65001:2", local_pref=5, med=7), attributes("65001:1", local_pref=6, prepended=[64512])
    peers = [
        peer("left", "10.99.0.201"),
        peer("right", "10.99.0.202", remote_as=RemoteAs.INTERNAL),
    ]
    found = sent_by_frr(
        document(peers, [route(PREFIX, policy(left=ours[0], right=ours[1]))], peer_lists=[["left"]]).lines("bgpd")
    )
    assert found[LEFT] == {PREFIX: ("community 65001:1 65001:2", "metric 7")}
    assert found[RIGHT] == {PREFIX: ("as-path prepend 64512", "community 65001:1", "local-preference 6")}


def test_peer_of_another_own_as_number_is_internal_if_that_is_its_own() -> None:
    other = peer("left", "10.99.0.201", local_asn=Asn(65000))
    found = sent_by_frr(document([other], [route(PREFIX, policy(left=attributes(local_pref=9)))]).lines("bgpd"))
    assert found[LEFT] == {PREFIX: ("local-preference 9",)}


def test_nothing_passes_a_clause_that_is_closed_or_a_family_that_is_not_active() -> None:
    lines = document([peer("left", "10.99.0.201")], [route(PREFIX, policy(left=attributes()))]).lines("bgpd")
    assert sent_by_frr(lines)[LEFT] == {PREFIX: ()}
    closed = {
        Line(
            tuple(each.replace("all permit", "all deny") for each in line.context),
            line.text.replace("all permit", "all deny"),
        )
        for line in lines
    }
    assert not sent_by_frr(closed).get(LEFT)
    assert not sent_by_frr(line for line in lines if not line.text.endswith("activate")).get(LEFT)
