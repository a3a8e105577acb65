from orchestrator.render.canonical import Line
from orchestrator.render.commands import Impact
from orchestrator.render.delta import Delta
from orchestrator.render.policy_changes import SOFT_OUT, PolicyCommands, policy_commands

OUT, SVC = "route-map out-all permit 1", "route-map svc-0000004d permit 10"
DENIED = "route-map out-all deny 1"


def change(removed: set[Line], added: set[Line], kept: set[Line] | None = None) -> PolicyCommands:
    return policy_commands(Delta(removed | (kept or set()), frozenset(added), frozenset(removed)))


def texts(commands: PolicyCommands) -> list[str]:
    return [command.text for command in commands.make]


def test_new_permit_clause_is_a_deny_until_it_is_complete() -> None:
    found = change(set(), {Line((), OUT), Line((OUT,), "match tag 77"), Line((OUT,), "set local-preference 5")})
    assert texts(found) == [DENIED, "match tag 77", "set local-preference 5", OUT]
    assert {command.impact for command in found.make} == {Impact.NONE}
    assert {command.context for command in found.make[1:3]} == {(DENIED,)}
    assert not found.resend


def test_map_of_a_route_needs_no_such_care() -> None:
    found = change(set(), {Line((), SVC), Line((SVC,), "set tag 77")})
    assert texts(found) == [SVC, "set tag 77"]


def test_changed_match_closes_the_clause_meanwhile() -> None:
    found = change({Line((OUT,), "match tag 7")}, {Line((OUT,), "match tag 77")}, {Line((), OUT)})
    assert texts(found) == [DENIED, "match tag 77", OUT]
    assert found.resend == (SOFT_OUT,)


def test_lost_match_is_put_back_behind_a_closed_clause() -> None:
    found = change(set(), {Line((OUT,), "match tag 77")}, {Line((), OUT)})
    assert texts(found) == [DENIED, "match tag 77", OUT]


def test_changed_attribute_leaves_the_clause_open() -> None:
    found = change({Line((OUT,), "set community 1:1 additive")}, {Line((OUT,), "set community 1:2 additive")})
    assert texts(found) == ["set community 1:2 additive"]
    assert found.make[0].impact is Impact.ATTRIBUTE
    assert found.resend == (SOFT_OUT,)


def test_unused_clause_goes_as_a_whole_at_the_end() -> None:
    found = change({Line((), OUT), Line((OUT,), "match tag 77")}, set())
    assert not found.make
    assert [command.text for command in found.drop] == [f"no {OUT}"]


def test_clause_that_somebody_turned_into_a_deny_is_built_anew() -> None:
    removed = {Line((), DENIED), Line((DENIED,), "match tag 77")}
    found = change(removed, {Line((), OUT), Line((OUT,), "match tag 77")})
    assert texts(found) == [f"no {DENIED}", DENIED, "match tag 77", OUT]
    assert not found.drop


def test_networks_are_given_again_when_their_map_was_edited_in_place() -> None:
    family = ("router bgp 65001", "address-family ipv4 unicast")
    staying = Line(family, "network 192.0.2.1/32 route-map svc-0000004d")
    leaving = Line(family, "network 192.0.2.2/32 route-map svc-0000004d")
    other = Line(family, "network 192.0.2.3/32 route-map svc-0000004e")
    lost = frozenset({Line((SVC,), "set community 1:1 additive")})
    running = {Line((), SVC), staying, leaving, other}
    found = policy_commands(Delta(running, lost, frozenset()), leaving=frozenset({leaving}))
    assert [(command.context, command.text) for command in found.resend] == [(family, staying.text)]
