from orchestrator.render.canonical import Line
from orchestrator.render.commands import Impact
from orchestrator.render.difference import change_of, difference
from tests.support.frr_documents import attributes, document, peer, policy, route

INSTANCE = ("router bgp 65001",)
ONE = document([peer()], [route("198.51.100.0/24", policy(router=attributes("65001:1")))]).lines("bgpd")
OTHER = document([peer()], [route("198.51.100.7/32", policy(router=attributes("65001:2")))]).lines("bgpd")


def test_equal_configurations_need_nothing() -> None:
    found = difference(ONE, ONE, ONE)
    assert found.commands == ()
    assert found.impact is Impact.NONE


def test_order_announces_what_covers_before_it_withdraws_and_cleans_up_last() -> None:
    found = [command.text for command in difference(ONE, OTHER, ONE).commands]
    (announce,) = (number for number, text in enumerate(found) if text.startswith("network 198.51.100.7"))
    (withdraw,) = (number for number, text in enumerate(found) if text.startswith("no network"))
    made = [number for number, text in enumerate(found) if text.startswith("route-map")]
    dropped = [number for number, text in enumerate(found) if text.startswith("no route-map")]
    assert max(made) < announce < withdraw < min(dropped)


def test_what_is_covered_is_withdrawn_after_a_pause() -> None:
    found = difference(ONE, OTHER, ONE)
    assert [line.text.split()[1] for line in found.covering] == ["198.51.100.7/32"]
    assert found.commands[found.pause].text.startswith("no network 198.51.100.0/24")


def test_what_nothing_covers_is_not_waited_for() -> None:
    assert not difference(ONE, frozenset(), ONE).covering
    assert not difference(frozenset(), ONE, frozenset()).covering


def test_changed_route_maps_send_nothing_by_themselves_before_any_is_made() -> None:
    found = [command.text for command in difference(frozenset(), ONE, frozenset()).commands]
    assert found[0] == "bgp route-map delay-timer 0"


def test_foreign_and_held_lines_are_told_apart_and_stay() -> None:
    foreign, held = Line((), "ip prefix-list x seq 5 permit any"), Line(INSTANCE, "neighbor 10.99.0.254 shutdown")
    found = difference(ONE | {foreign, held}, ONE, ONE)
    assert (found.foreign, found.held, found.commands) == ((foreign,), (held,), ())


def test_supervisors_graceful_shutdown_is_taken_back() -> None:
    found = difference(ONE | {Line(INSTANCE, "bgp graceful-shutdown")}, ONE, ONE)
    assert [command.text for command in found.commands] == ["no bgp graceful-shutdown"]
    assert found.impact is Impact.ATTRIBUTE


def test_line_that_somebody_added_to_our_clause_goes() -> None:
    (clause,) = {line.context[0] for line in ONE if line.text.startswith("match tag")}
    found = difference(ONE | {Line((clause,), "set metric 5")}, ONE, ONE)
    assert [command.text for command in found.commands] == ["no set metric", "clear bgp * soft out"]


def test_change_of_blocks_looks_at_nothing_else() -> None:
    running = ONE | {Line((), "route-map svc-00000001 permit 10")}
    network = next(line for line in ONE if line.text.startswith("network"))
    found = change_of(running, [], [network])
    assert [command.text for command in found.commands] == [f"no {network.text}"]
    assert found.gone == {network}


def test_bfd_profiles_are_made_before_peers_and_go_after_them() -> None:
    profile, inner = Line(("bfd",), "profile fast"), Line(("bfd", "profile fast"), "receive-interval 150")
    session = Line(("bfd",), "peer 10.99.0.254 local-address 10.99.0.1 interface eth0")
    uses = Line(("bfd", session.text), "profile fast")
    lines = frozenset({profile, inner, session, uses})
    made = [command.text for command in difference(frozenset(), lines, frozenset()).commands]
    assert made.index("profile fast") < made.index(session.text)
    gone = [command.text for command in difference(lines, frozenset(), lines).commands]
    assert gone == [f"no {session.text}", "no profile fast"]
