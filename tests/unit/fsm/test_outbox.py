"""What goes next out of an outbox, and what becomes of what came back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from orchestrator.fsm.letters import Allowance, Dispatch, Letter, Limits, Urgency
from orchestrator.fsm.outbox import Outbox

PLENTY = Allowance(per_s=1000.0, burst=1000, side_by_side=100)
LIMITS = Limits(allowances=dict.fromkeys(Urgency, PLENTY), side_by_side=100)


@dataclass(frozen=True, slots=True)
class Text:
    """Content that keeps the notes of the one that it replaces."""

    text: str
    notes: frozenset[str] = frozenset()

    def over(self, older: "Text") -> "Text":
        return replace(self, notes=self.notes | older.notes)


def letter(
    key: str,
    text: str = "",
    urgency: Urgency = Urgency.ADDRESS,
    *,
    kind: str = "Service",
    notes: Iterable[str] = (),
    not_before: float = 0.0,
) -> Letter[Text]:
    content = Text(text or key, frozenset(notes))
    return Letter(key=key, kind=kind, content=content, urgency=urgency, not_before=not_before)


def limits(urgency: Urgency, allowance: Allowance, side_by_side: int = 100) -> Limits:
    return replace(LIMITS, allowances={**LIMITS.allowances, urgency: allowance}, side_by_side=side_by_side)


def taken(outbox: Outbox[Text], now: float) -> Dispatch[Text]:
    dispatch = outbox.take(now)
    assert dispatch is not None
    return dispatch


def drained(outbox: Outbox[Text], now: float) -> list[str]:
    """The texts that can be sent now, all of them taken."""
    texts = []
    while (dispatch := outbox.take(now)) is not None:
        texts.append(dispatch.letter.content.text)
        outbox.done(dispatch, now)
    return texts


# --- order and newest wins


def test_most_urgent_goes_first_and_of_equals_the_first_come() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    for each in (letter("e", urgency=Urgency.EVENT), letter("a"), letter("b"), letter("w", urgency=Urgency.WITHDRAWAL)):
        outbox.put(each, 0.0)
    assert drained(outbox, 0.0) == ["w", "a", "b", "e"]


def test_newest_content_goes_in_the_place_of_the_first() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a", "old", notes=["kept"]), 0.0)
    outbox.put(letter("b"), 0.0)
    outbox.put(letter("a", "new"), 0.0)
    first = taken(outbox, 0.0)
    assert first.letter.content == Text("new", frozenset({"kept"}))
    assert drained(outbox, 0.0) == ["b"]


def test_withdrawal_of_what_waits_overtakes_everything() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    for name in ("a", "b", "c"):
        outbox.put(letter(name), 0.0)
    outbox.put(letter("c", "cleared", Urgency.WITHDRAWAL), 0.0)
    assert drained(outbox, 0.0) == ["cleared", "a", "b"]


def test_one_write_of_an_object_is_under_way_at_a_time() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a", "1"), 0.0)
    first = taken(outbox, 0.0)
    outbox.put(letter("a", "2"), 0.0)
    assert outbox.take(0.0) is None
    outbox.done(first, 0.0)
    assert drained(outbox, 0.0) == ["2"]


def test_what_may_not_go_yet_waits_for_its_time() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a", not_before=5.0), 0.0)
    assert outbox.take(4.9) is None
    assert outbox.next_at() == 5.0
    assert not outbox.settled()
    assert drained(outbox, 5.0) == ["a"]
    assert outbox.settled()


def test_hurry_does_not_wait_for_the_time() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a", not_before=5.0), 0.0)
    outbox.hurry(1.0)
    assert drained(outbox, 1.0) == ["a"]


# --- budgets


def test_budget_of_one_urgency_holds_up_no_other() -> None:
    outbox: Outbox[Text] = Outbox(limits(Urgency.BEHIND, Allowance(per_s=1.0, burst=1, side_by_side=9)))
    for name in ("x", "y", "z"):
        outbox.put(letter(name, urgency=Urgency.BEHIND), 0.0)
    assert drained(outbox, 0.0) == ["x"]
    outbox.put(letter("a"), 0.0)
    assert drained(outbox, 0.5) == ["a"]
    assert outbox.next_at() == 1.0
    assert drained(outbox, 1.0) == ["y"]


def test_too_many_that_wait_are_not_sent_until_they_are_fewer() -> None:
    outbox: Outbox[Text] = Outbox(limits(Urgency.BEHIND, Allowance(per_s=9.0, burst=9, side_by_side=9, most_waiting=2)))
    for name in ("x", "y", "z"):
        outbox.put(letter(name, urgency=Urgency.BEHIND), 0.0)
    assert outbox.take(0.0) is None
    assert outbox.next_at() is None
    outbox.put(letter("x", "gone", Urgency.WITHDRAWAL), 0.0)
    assert drained(outbox, 0.0) == ["gone", "y", "z"]


def test_side_by_side_bounds_what_is_under_way_of_one_urgency_and_of_all() -> None:
    outbox: Outbox[Text] = Outbox(limits(Urgency.EVENT, Allowance(per_s=9.0, burst=9, side_by_side=1), side_by_side=3))
    for each in (*(letter(f"e{n}", urgency=Urgency.EVENT) for n in range(3)), *(letter(f"a{n}") for n in range(3))):
        outbox.put(each, 0.0)
    under_way = [taken(outbox, 0.0) for _ in range(3)]
    assert [each.letter.content.text for each in under_way] == ["a0", "a1", "a2"]
    assert outbox.take(0.0) is None
    assert outbox.next_at() is None
    outbox.done(under_way[0], 0.0)
    outbox.done(under_way[1], 0.0)
    event = taken(outbox, 0.0)
    assert event.letter.content.text == "e0"
    assert outbox.take(0.0) is None


# --- refused


def test_refused_object_is_told_once_and_tried_again_ever_more_rarely() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a"), 0.0)
    assert outbox.refuse(taken(outbox, 0.0), "policy", 0.0)
    assert outbox.take(29.9) is None
    assert outbox.settled(), "nothing is sent by itself for a while"
    assert not outbox.refuse(taken(outbox, 30.0), "policy", 30.0)
    assert outbox.take(89.9) is None
    assert outbox.refuse(taken(outbox, 90.0), "another policy", 90.0)
    now = 90.0
    for _ in range(10):
        at = outbox.next_at()
        assert at is not None
        assert at <= now + 300
        now = at
        outbox.refuse(taken(outbox, now), "another policy", now)
    assert outbox.done(taken(outbox, now + 300), now + 300) == (True, False)


def test_refused_object_is_tried_at_once_when_it_is_to_be_otherwise() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a", "bad"), 0.0)
    outbox.refuse(taken(outbox, 0.0), "policy", 0.0)
    outbox.put(letter("a", "bad"), 1.0)
    assert outbox.take(1.0) is None
    outbox.put(letter("a", "good"), 2.0)
    again = taken(outbox, 2.0)
    assert again.letter.content.text == "good"
    assert outbox.done(again, 2.0) == (True, False)


def test_refusal_of_what_is_not_wanted_any_more_delays_nothing() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a", "bad"), 0.0)
    bad = taken(outbox, 0.0)
    outbox.put(letter("a", "good"), 0.0)
    outbox.refuse(bad, "policy", 0.0)
    assert drained(outbox, 0.0) == ["good"]


def test_newer_content_takes_over_what_the_refused_one_said_alone() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a", "1", notes=["annotation"]), 0.0)
    first = taken(outbox, 0.0)
    outbox.put(letter("a", "2"), 0.0)
    outbox.put_back(first, 0.0)
    assert taken(outbox, 0.0).letter.content == Text("2", frozenset({"annotation"}))


def test_dropped_object_was_refused_and_is_no_more() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a"), 0.0)
    outbox.refuse(taken(outbox, 0.0), "policy", 0.0)
    assert outbox.drop(taken(outbox, 30.0), 30.0)
    assert outbox.take(1000.0) is None


# --- a whole kind refused


def test_blocked_kind_waits_while_one_of_it_finds_out() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    for name in ("x", "y", "z"):
        outbox.put(letter(name, kind="SpeakerState"), 0.0)
    outbox.put(letter("a"), 0.0)
    assert outbox.block(taken(outbox, 0.0), "no CRD", 0.0)
    assert drained(outbox, 0.0) == ["a"]
    assert outbox.next_at() == 2.0
    scout = taken(outbox, 2.0)
    assert outbox.take(2.0) is None
    assert not outbox.block(scout, "no CRD", 2.0)
    assert outbox.take(5.9) is None
    assert outbox.done(taken(outbox, 6.0), 6.0) == (False, True)
    assert len(drained(outbox, 6.0)) == 2


def test_kinds_refused_side_by_side_are_told_once() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    for name in ("x", "y"):
        outbox.put(letter(name, kind="Event"), 0.0)
    first, second = taken(outbox, 0.0), taken(outbox, 0.0)
    assert outbox.block(first, "RBAC", 0.0)
    assert not outbox.block(second, "RBAC", 0.1)
    assert outbox.take(0.1) is None
    assert outbox.next_at() == 2.0


def test_scout_that_gets_no_answer_leaves_the_kind_blocked() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    for name in ("x", "y"):
        outbox.put(letter(name, kind="Event"), 0.0)
    outbox.block(taken(outbox, 0.0), "RBAC", 0.0)
    assert drained(outbox, 0.0) == []
    scout = taken(outbox, 2.0)
    outbox.pause(scout, 2.0, 1.0)
    assert outbox.take(2.9) is None
    outbox.done(taken(outbox, 3.0), 3.0)
    assert len(drained(outbox, 3.0)) == 1


def test_object_that_comes_while_its_kind_is_blocked_is_not_sent() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("x", kind="Event"), 0.0)
    outbox.block(taken(outbox, 0.0), "RBAC", 0.0)
    outbox.put(letter("x", "newer", kind="Event"), 1.0)
    outbox.put(letter("y", kind="Event"), 1.0)
    assert outbox.take(1.0) is None
    assert sorted(drained(outbox, 2.0)) == ["newer", "y"]


# --- no answer


def test_pause_stops_everything_and_one_finds_out() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    for name in ("a", "b", "c"):
        outbox.put(letter(name), 0.0)
    first, second = taken(outbox, 0.0), taken(outbox, 0.0)
    assert outbox.news(first)
    outbox.pause(first, 0.0, 4.0)
    assert not outbox.news(second), "it left before the pause"
    outbox.pause(second, 0.5, 100.0)
    outbox.put(letter("w", urgency=Urgency.WITHDRAWAL), 1.0)
    assert outbox.take(3.9) is None
    assert outbox.next_at() == 4.0
    probe = taken(outbox, 4.0)
    assert probe.letter.content.text == "w"
    assert outbox.take(4.0) is None
    outbox.done(probe, 4.0)
    assert sorted(drained(outbox, 4.0)) == ["a", "b", "c"]


def test_outage_is_nobodys_fault() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a"), 0.0)
    for second in range(100):
        assert not outbox.pause(taken(outbox, float(second)), float(second), 0.5)


def test_object_that_fails_while_others_are_written_is_at_fault() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("slow"), 0.0)
    verdicts = []
    for second in range(3):
        dispatch = taken(outbox, float(second))
        verdicts.append(outbox.pause(dispatch, float(second), 0.1))
        if not verdicts[-1]:
            outbox.put(letter("other", str(second), Urgency.WITHDRAWAL), float(second))
            outbox.done(taken(outbox, second + 0.1), second + 0.1)
    assert verdicts == [False, False, True]
    assert outbox.refuse(dispatch, "no answer", 3.0)
    assert outbox.take(3.0) is None


# --- the end of a term


def test_forgotten_is_not_sent_and_does_not_come_back() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    for name in ("under way", "refused", "waiting"):
        outbox.put(letter(name), 0.0)
    under_way = taken(outbox, 0.0)
    outbox.refuse(taken(outbox, 0.0), "policy", 0.0)
    assert outbox.forget() == {"refused"}
    outbox.put_back(under_way, 0.0)
    assert outbox.take(1000.0) is None
    assert outbox.settled()


def test_new_term_waits_for_what_the_old_one_has_under_way() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("a", "old"), 0.0)
    old = taken(outbox, 0.0)
    outbox.forget()
    outbox.put(letter("a", "new"), 0.0)
    assert outbox.take(0.0) is None
    outbox.done(old, 0.0)
    assert drained(outbox, 0.0) == ["new"]


def test_what_counts_not_is_not_waited_for() -> None:
    outbox: Outbox[Text] = Outbox(LIMITS)
    outbox.put(letter("x", urgency=Urgency.BEHIND), 0.0)
    assert outbox.settled(but=frozenset({Urgency.BEHIND}))
    assert not outbox.settled()
    assert outbox.waiting(Urgency.BEHIND) == 1
