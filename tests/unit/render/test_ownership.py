import pytest

from orchestrator.render.canonical import Line
from orchestrator.render.ownership import foreign_lines, has_our_name, is_held, ours_by_name

INSTANCE = ("router bgp 65001",)
FAMILY = (*INSTANCE, "address-family ipv4 unicast")


@pytest.mark.parametrize(
    "line",
    [
        Line((), "route-map svc-0000004d permit 10"),
        Line(("route-map out-all permit 1",), "match tag 77"),
        Line((), "route-map deny-in deny 10"),
        Line(FAMILY, "network 198.51.100.7/32 route-map svc-0000004d"),
        Line(FAMILY, "neighbor 10.0.0.2 route-map out-all out"),
        Line(INSTANCE, "bgp graceful-shutdown"),
    ],
)
def test_our_names_are_known(line: Line) -> None:
    assert has_our_name(line)


@pytest.mark.parametrize(
    "line",
    [
        Line((), "route-map theirs permit 10"),
        Line((), "route-map deny-input deny 10"),
        Line(FAMILY, "network 198.51.100.7/32"),
        Line(FAMILY, "neighbor 10.0.0.2 route-map theirs out"),
        Line(INSTANCE, "neighbor 10.0.0.2 remote-as 1"),
    ],
)
def test_other_names_are_not_ours(line: Line) -> None:
    assert not has_our_name(line)


def test_neighbor_with_our_maps_is_ours_but_for_what_a_person_added() -> None:
    remote = Line(INSTANCE, "neighbor 10.0.0.2 remote-as 65000")
    limit = Line(INSTANCE, "neighbor 10.0.0.2 maximum-prefix 5")
    theirs = Line(INSTANCE, "neighbor 10.0.0.3 remote-as 65000")
    mapped = Line(FAMILY, "neighbor 10.0.0.2 route-map out-all out")
    assert set(ours_by_name([remote, limit, theirs, mapped])) == {remote, mapped}


def test_shutdown_and_debug_hold_something() -> None:
    assert is_held(Line(INSTANCE, "neighbor 10.0.0.2 shutdown"))
    assert is_held(Line((), "debug bgp updates"))
    assert not is_held(Line(INSTANCE, "neighbor 10.0.0.2 remote-as 1"))


def test_what_flags_bring_with_them_is_not_foreign() -> None:
    noise = [Line((), "bgp no-rib"), Line((), "log stdout"), Line((), "no ipv6 forwarding")]
    theirs = Line((), "ip prefix-list theirs seq 5 permit any")
    known = Line(INSTANCE, "coalesce-time 0")
    assert foreign_lines([*noise, theirs, known], {known}) == (theirs,)
