from orchestrator.render.canonical import Line
from orchestrator.render.delta import Delta
from orchestrator.render.session_changes import SessionChange, session_change

OPENER = "router bgp 65001"
INSTANCE = (OPENER,)
FAMILY = (OPENER, "address-family ipv4 unicast")
REMOTE, PORT = Line(INSTANCE, "neighbor 10.0.0.2 remote-as 65000"), Line(INSTANCE, "neighbor 10.0.0.2 port 1790")
FILTER, ACTIVE = Line(FAMILY, "neighbor 10.0.0.2 route-map out-all out"), Line(FAMILY, "neighbor 10.0.0.2 activate")
HELD = Line(INSTANCE, "neighbor 10.0.0.2 shutdown")
OURS = frozenset({Line((), OPENER), REMOTE, PORT, FILTER, ACTIVE})
THEIRS = Line(INSTANCE, "neighbor 10.0.0.77 remote-as 1")


def change(running: frozenset[Line], wanted: frozenset[Line], ours: frozenset[Line] = OURS) -> SessionChange:
    delta = Delta(running, wanted - running, (ours & running) - wanted)
    return session_change(delta, delta.touched)


def texts(found: SessionChange) -> list[str]:
    return [command.text for command in found.commands]


def test_new_neighbor_is_activated_after_its_filters() -> None:
    found = texts(change(frozenset(), OURS))
    assert found[0] == OPENER
    assert found.index(REMOTE.text) < found.index(PORT.text) < found.index(FILTER.text) < found.index(ACTIVE.text)


def test_removed_neighbor_takes_everything_along() -> None:
    found = change(OURS | {HELD}, frozenset({Line((), OPENER)}))
    assert texts(found) == ["no neighbor 10.0.0.2"]
    assert found.gone == {REMOTE, PORT, FILTER, ACTIVE, HELD}


def test_changed_remote_as_makes_the_neighbor_anew_and_keeps_it_held() -> None:
    other = Line(INSTANCE, "neighbor 10.0.0.2 remote-as 65010")
    found = change(OURS | {HELD}, (OURS - {REMOTE}) | {other})
    assert texts(found)[:3] == ["no neighbor 10.0.0.2", other.text, HELD.text]
    assert texts(found)[-1] == ACTIVE.text
    assert {other, HELD, PORT, FILTER, ACTIVE} <= found.come


def test_family_is_deactivated_before_its_filters_go() -> None:
    found = texts(change(OURS, OURS - {FILTER, ACTIVE}))
    assert found == ["no neighbor 10.0.0.2 activate", "no neighbor 10.0.0.2 route-map out-all out"]


def test_changed_option_is_set_without_taking_the_old_one_back() -> None:
    assert texts(change(OURS, (OURS - {PORT}) | {Line(INSTANCE, "neighbor 10.0.0.2 port 1791")})) == [
        "neighbor 10.0.0.2 port 1791"
    ]


def test_instance_ends_as_a_whole() -> None:
    assert texts(change(OURS, frozenset())) == [f"no {OPENER}"]


def test_instance_with_a_foreign_neighbor_stays() -> None:
    found = change(OURS | {THEIRS}, frozenset())
    assert texts(found) == ["no neighbor 10.0.0.2"]
    assert Line((), OPENER) not in found.gone


def test_other_as_number_ends_the_old_instance_first_and_vrfs_before_the_default() -> None:
    blue = Line((), "router bgp 65001 vrf blue")
    found = texts(change(OURS | {blue}, frozenset({Line((), "router bgp 65002")}), OURS | {blue}))
    assert found == [f"no {blue.text}", f"no {OPENER}", "router bgp 65002"]
