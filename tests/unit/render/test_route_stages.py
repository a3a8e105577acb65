from orchestrator.render.canonical import parse
from orchestrator.render.route_stages import Neighbor, Ways, peer_names, route_stages, routes_in
from tests.support.frr_documents import attributes, document, peer, policy, route

ONE, TWO, SIX = "198.51.100.7/32", "198.51.100.8/32", "2001:db8::7/128"
NEAR, FAR = Neighbor("10.99.0.254", ""), Neighbor("10.99.0.253", "")


def test_rendered_document_is_read_back_as_it_was_meant() -> None:
    peers = [peer("near"), peer("far", "10.99.0.253"), peer("bare", "", interface="eth7", vrf="blue")]
    routes = [
        route(ONE, policy(near=attributes("65001:1"), far=attributes())),
        route(TWO, policy(near=attributes())),
        route(SIX, policy(near=attributes(), bare=attributes())),
    ]
    made = document(peers, routes, peer_lists=[["near"], ["far"], ["bare"]])
    found = routes_in(parse(made.daemon_text("bgpd")))
    assert found == {NEAR: {ONE, TWO}, FAR: {ONE}, Neighbor("eth7", "blue"): {SIX}}


def test_peers_are_named_by_the_comments() -> None:
    made = document([peer("near"), peer("bare", "", interface="eth7", vrf="blue")])
    assert peer_names(made.daemon_text("bgpd")) == {NEAR: "near", Neighbor("eth7", "blue"): "bare"}


def test_clause_that_denies_lets_nothing_through() -> None:
    text = document([peer()], [route(ONE, policy(router=attributes()))]).daemon_text("bgpd")
    assert routes_in(parse(text)) == {NEAR: {ONE}}
    assert routes_in(parse(text.replace("route-map out-all permit", "route-map out-all deny"))) == {NEAR: frozenset()}


def test_routes_that_are_the_same_everywhere_have_no_note() -> None:
    everywhere = {NEAR: frozenset({ONE})}
    (stage,) = route_stages(Ways(wanted=everywhere, rendered=everywhere, running=everywhere, sent=everywhere))
    assert (stage.wanted, stage.rendered, stage.running, stage.sent, stage.note) == (True, True, True, True, "")


def test_first_difference_on_the_way_is_told_and_comes_first() -> None:
    same, two = frozenset({ONE}), frozenset({ONE, TWO})
    cases = {
        "the speaker has not rendered it: does it run?": Ways(wanted={NEAR: two}, rendered={NEAR: same}),
        "the speaker still renders it": Ways(wanted={NEAR: same}, rendered={NEAR: two}),
        "bgpd does not run it: see the speaker's log for refused lines": Ways(rendered={NEAR: two}),
        "bgpd runs it though nobody renders it: somebody typed it in, or the speaker is away": Ways(
            running={NEAR: two}
        ),
        "the session is Active": Ways(rendered={NEAR: two}, running={NEAR: two}, down={NEAR: "Active"}),
        "bgpd keeps it back: show bgp neighbors, show bgp PREFIX": Ways(rendered={NEAR: two}, running={NEAR: two}),
        "bgpd is about to withdraw it": Ways(sent={NEAR: two}),
    }
    for note, ways in cases.items():
        assert next(stage for stage in route_stages(ways) if stage.prefix == TWO).note == note
    both = {NEAR: two}
    partly = Ways(rendered=both, running=both, sent={NEAR: frozenset({ONE})})
    assert [stage.prefix for stage in route_stages(partly)] == [TWO, ONE]


def test_what_nobody_was_asked_for_is_not_missed() -> None:
    everywhere = {NEAR: frozenset({ONE})}
    (stage,) = route_stages(Ways(rendered=everywhere, running=everywhere, sent=everywhere))
    assert (stage.wanted, stage.note) == (None, "")
