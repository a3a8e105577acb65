"""Difference applied to A gives B, without a leak on the way, and leaves a person's lines alone."""

from collections.abc import Set as AbstractSet

from hypothesis import given, settings

from orchestrator.render.canonical import Line
from orchestrator.render.commands import Impact
from orchestrator.render.difference import change_of, difference
from orchestrator.render.document import FrrDocument
from tests.support.daemon_model import DaemonModel
from tests.support.frr_strategies import attribute_changes, documents, route_changes

TOP = Line((), "ip prefix-list theirs seq 5 permit any")
IN_INSTANCE = Line(("router bgp 65001",), "neighbor 192.0.2.77 remote-as 64999")
FOREIGN = frozenset({TOP, IN_INSTANCE, Line((), "router bgp 65001")})


@settings(max_examples=60, deadline=None)
@given(documents(), documents())
def test_difference_applied_to_one_document_gives_the_other(before: FrrDocument, after: FrrDocument) -> None:
    for daemon in ("bgpd", "bfdd"):
        running, wanted = before.lines(daemon), after.lines(daemon)
        found = difference(running, wanted, running)
        model = DaemonModel(running)
        model.run(found.commands)
        assert model.lines == wanted
        assert (running - found.gone) | found.come == wanted
        assert not found.foreign


@settings(max_examples=60, deadline=None)
@given(documents(), documents())
def test_lines_with_our_names_and_neighbors_go_without_any_memory(before: FrrDocument, after: FrrDocument) -> None:
    running, wanted = before.lines("bgpd"), after.lines("bgpd")
    found = difference(running, wanted, frozenset())
    left = (running - found.gone) | found.come
    assert wanted <= left
    assert not any(line.text.startswith(("network ", "route-map ")) for line in left - wanted)
    assert _neighbors(left) == _neighbors(wanted)


def _neighbors(lines: AbstractSet[Line]) -> set[tuple[str, str]]:
    return {(line.context[0], line.text.split()[1]) for line in lines if line.text.startswith("neighbor ")}


@settings(max_examples=60, deadline=None)
@given(documents(), documents(asns=[65001]))
def test_foreign_lines_survive(before: FrrDocument, after: FrrDocument) -> None:
    running = before.lines("bgpd") | FOREIGN
    found = difference(running, after.lines("bgpd"), before.lines("bgpd"))
    model = DaemonModel(running)
    model.run(found.commands)
    if not any(line.text == "router bgp 65001" for line in before.lines("bgpd")):
        assert model.lines >= FOREIGN
    assert TOP in model.lines
    assert IN_INSTANCE in model.lines
    assert TOP in found.foreign


@settings(max_examples=60, deadline=None)
@given(documents())
def test_what_runs_already_needs_no_command(document: FrrDocument) -> None:
    running = document.lines("bgpd")
    assert difference(running, running, running).commands == ()


@settings(max_examples=60, deadline=None)
@given(route_changes())
def test_change_of_routes_never_touches_a_neighbor(change: tuple[FrrDocument, FrrDocument]) -> None:
    before, after = change
    keys = after.changed_since(before)
    running = before.lines("bgpd")
    found = change_of(running, after.lines_of_blocks(keys, "bgpd"), before.lines_of_blocks(keys, "bgpd"))
    assert found.impact <= Impact.ROUTE
    assert not any("neighbor" in command.text for command in found.commands)
    assert (running - found.gone) | found.come == after.lines("bgpd")


@settings(max_examples=60, deadline=None)
@given(attribute_changes())
def test_change_of_attributes_withdraws_nothing(change: tuple[FrrDocument, FrrDocument]) -> None:
    before, after = change
    keys = after.changed_since(before)
    running = before.lines("bgpd")
    found = change_of(running, after.lines_of_blocks(keys, "bgpd"), before.lines_of_blocks(keys, "bgpd"))
    assert found.impact <= Impact.ATTRIBUTE
    assert not any(command.text.startswith(("no network", "neighbor", "clear")) for command in found.commands)
    model = DaemonModel(running)
    model.run(found.commands)
    assert model.lines == after.lines("bgpd")
