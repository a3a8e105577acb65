from dataclasses import replace

from orchestrator.config.model import Extras
from orchestrator.render.canonical import Line, parse
from orchestrator.render.document import FrrDocument
from orchestrator.render.extras import (
    ExtraLines,
    Objection,
    Refused,
    Trial,
    as_written,
    extras_in,
    judge,
    taking_back,
)
from orchestrator.resources.secret_text import SecretText
from tests.support.frr_documents import attributes, frr_input, peer, policy, ref, renderer, route

INSTANCE = ("router bgp 65001",)
FAMILY = (*INSTANCE, "address-family ipv4 unicast")
ORIGIN = ref("ConfigMap", "bgpextras")
ROUTES = [route("198.51.100.7/32", policy(router=attributes()))]
BEFORE = "router bgp 65001\n neighbor 10.99.0.254 remote-as 65000\n neighbor 10.99.0.254 timers connect 1\nexit\n"


def added(*lines: Line) -> ExtraLines:
    return ExtraLines(origin=ORIGIN, lines=lines)


def rendered(extras: ExtraLines | None) -> FrrDocument:
    return renderer().render(replace(frr_input([peer()], ROUTES), extras=extras))


def verdict(after: str, before: str = BEFORE) -> tuple[Line, ...] | Objection:
    return judge(Trial(before=before, after=after))


def test_lines_are_those_that_came_in_the_order_of_the_daemon() -> None:
    after = BEFORE.replace("exit", " neighbor 10.9.9.9 remote-as 65009\nexit") + "ip prefix-list a seq 5 permit any\n"
    assert verdict(after) == (
        Line(INSTANCE, "neighbor 10.9.9.9 remote-as 65009"),
        Line((), "ip prefix-list a seq 5 permit any"),
    )


def test_refused_line_is_told_with_its_number_and_the_words_of_bgpd_but_no_password() -> None:
    refused = Refused(number=4, line="neighbor 10.9.9.9 password a b", words="unknown: neighbor 10.9.9.9 password a b")
    objection = judge(Trial(before=BEFORE, after=BEFORE, refused=refused))
    message = 'line 4 "neighbor 10.9.9.9 password ***": bgpd says: unknown: neighbor 10.9.9.9 password ***'
    assert objection == Objection(message)


def test_text_that_takes_a_line_of_ours_out_is_refused() -> None:
    objection = verdict(BEFORE.replace(" neighbor 10.99.0.254 remote-as 65000\n", ""))
    assert isinstance(objection, Objection)
    assert "takes out" in objection.message


def test_text_may_set_otherwise_what_we_set() -> None:
    changed = BEFORE.replace("connect 1", "connect 7")
    assert verdict(changed) == (Line(INSTANCE, "neighbor 10.99.0.254 timers connect 7"),)


def test_names_of_our_policies_are_taken() -> None:
    objection = verdict(BEFORE + "route-map out-1 permit 1\nexit\n")
    assert isinstance(objection, Objection)
    assert "route-map out-1 permit 1" in objection.message


def test_taking_back_restores_what_was_there_before() -> None:
    after = BEFORE.replace("connect 1", "connect 7") + "ip prefix-list a seq 5 permit any\n"
    back = taking_back(Trial(before=BEFORE, after=after))
    assert back.gone - back.come == parse(after) - parse(BEFORE)
    assert back.come == parse(BEFORE) - parse(after)


def test_extra_lines_stand_at_the_end_and_are_found_there_again() -> None:
    extras = added(
        Line(INSTANCE, "neighbor 10.9.9.9 remote-as 65009"),
        Line(FAMILY, "neighbor 10.9.9.9 activate"),
        Line((), "ip prefix-list a seq 5 permit any"),
    )
    document = rendered(extras)
    assert set(extras.lines) <= document.lines("bgpd")
    text = document.daemon_text("bgpd")
    assert "198.51.100.7" not in text[text.index("! from ConfigMap metallb-system/bgpextras") :]
    assert parse(text) == document.lines("bgpd")
    assert extras_in(text) == extras
    assert extras_in(rendered(None).daemon_text("bgpd")) is None


def test_extra_line_takes_the_place_of_ours_and_nothing_else_changes() -> None:
    changed = Line(INSTANCE, "neighbor 10.99.0.254 timers connect 7")
    plain, document = rendered(None).lines("bgpd"), rendered(added(changed)).lines("bgpd")
    assert document - plain == {changed}
    assert plain - document == {Line(INSTANCE, "neighbor 10.99.0.254 timers connect 1")}


def test_routes_change_around_extra_lines() -> None:
    render = renderer()
    first = render.render(replace(frr_input([peer()], ROUTES), extras=added(Line((), "bgp no-rib"))))
    second = render.update(first, {ROUTES[0].prefix: None})
    assert Line((), "bgp no-rib") in second.lines("bgpd")
    assert "extras" not in second.changed_since(first)


def test_foundation_has_sessions_and_neither_routes_nor_extras() -> None:
    render = renderer()
    given = frr_input([peer()], ROUTES)
    base = render.foundation(replace(given, extras=added(Line((), "bgp no-rib"))))
    assert "neighbor 10.99.0.254 activate" in base
    assert "198.51.100.7" not in base
    assert "no-rib" not in base
    assert render.foundation(given) == base


def test_text_as_written_is_read_by_its_indentation() -> None:
    written = as_written(Extras(origin=ORIGIN, text=SecretText("router bgp 65001\n bgp no-rib\n")))
    assert written == added(Line((), "router bgp 65001"), Line(INSTANCE, "bgp no-rib"))
    assert as_written(Extras(origin=ORIGIN, text=None)) is None
