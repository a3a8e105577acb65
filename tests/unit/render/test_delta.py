from orchestrator.render.canonical import Line
from orchestrator.render.delta import Delta, place_and_slot

PLACE = ("router bgp 65001",)
OLD, NEW = Line(PLACE, "neighbor x timers 3 9"), Line(PLACE, "neighbor x timers 5 15")
BFD, PROFILE = Line(PLACE, "neighbor x bfd"), Line(PLACE, "neighbor x bfd profile fast")


def test_replaced_line_is_not_taken_back_first() -> None:
    delta = Delta(frozenset({OLD, BFD}), added=frozenset({NEW}), removed=frozenset({OLD, BFD}))
    assert delta.taken() == [BFD]
    assert delta.replaced() == {NEW}


def test_what_depends_goes_before_what_it_depends_on() -> None:
    delta = Delta(frozenset({BFD, PROFILE}), added=frozenset(), removed=frozenset({BFD, PROFILE}))
    assert delta.taken() == [PROFILE, BFD]


def test_part_of_a_change() -> None:
    delta = Delta(frozenset({OLD, BFD}), added=frozenset({NEW}), removed=frozenset({OLD, BFD}))
    assert delta.only([BFD]).touched == {BFD}
    assert delta.touched == {OLD, NEW, BFD}


def test_same_setting_at_another_place_is_another() -> None:
    assert len(place_and_slot([OLD, OLD._replace(context=("router bgp 65001 vrf blue",))])) == 2
