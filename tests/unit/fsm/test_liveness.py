import math
from dataclasses import replace

import pytest

from orchestrator.fsm.heartbeat import WINDOW, Heartbeat, HeartbeatFlag, Refusal, Seen
from orchestrator.fsm.liveness import (
    NEVER,
    UNKNOWN_COUNTS_S,
    NodeState,
    PeerView,
    Timing,
    called_dead,
    doubted,
    failed_at,
    hear,
    holds_us,
    interval_for,
    is_alive,
    is_deaf_to,
    is_held,
    is_new_acquaintance,
    is_news,
    is_overdue,
    pass_time,
    silence_ends,
    was_lost,
)

DEAF, HELD, LEAVING, LOST, STANDBY, UNABLE = (
    HeartbeatFlag.DEAF,
    HeartbeatFlag.HELD,
    HeartbeatFlag.LEAVING,
    HeartbeatFlag.LOST,
    HeartbeatFlag.STANDBY,
    HeartbeatFlag.UNABLE,
)
TIMING = Timing(interval_s=0.1, hold_s=30.0)
NOW = 1000.0
UNKNOWN = PeerView(known_since=NOW - 1)
UP = replace(UNKNOWN, state=NodeState.UP, seen=Seen(1, 10), heard_at=NOW - 0.1)
DOWN = replace(UP, state=NodeState.DOWN, heard_at=NOW - 60, lost_at=NOW - 59.5)
LEFT = replace(DOWN, state=NodeState.LEFT)
HELD_VIEW = replace(UP, lost_at=NOW - 5, returned_at=NOW - 1, hold_s=30.0, held_until=NOW + 29)
DOUBTED = doubted(replace(UP, state=NodeState.DOWN, lost_at=NOW - 1), NOW - 1, TIMING)
UNABLE_VIEW = replace(UP, flags=UNABLE | STANDBY, lost_at=NOW - 1)


def beat(
    sequence: int = 11, instance: int = 1, flags: HeartbeatFlag = HeartbeatFlag.NONE, interval_ms: int = 100
) -> Heartbeat:
    return Heartbeat(
        sender="b", receiver="a", interval_ms=interval_ms, instance=instance, sequence=sequence, flags=flags
    )


def heard(view: PeerView, heartbeat: Heartbeat, now: float = NOW) -> PeerView:
    after = hear(view, heartbeat, now, TIMING)
    assert isinstance(after, PeerView)
    return after


@pytest.mark.parametrize(
    ("nodes", "interval_s"), [(1, 0.08), (3, 0.08), (17, 0.08), (64, 0.3), (128, 0.6), (200, 0.9375)]
)
def test_interval_grows_with_the_cluster(nodes: int, interval_s: float) -> None:
    assert interval_for(nodes) == pytest.approx(interval_s)


@pytest.mark.parametrize(
    ("view", "state", "held_until"),
    [
        (UNKNOWN, NodeState.UP, NEVER),
        (UP, NodeState.UP, NEVER),
        (HELD_VIEW, NodeState.UP, NOW + 29),
        (DOWN, NodeState.UP, NOW + 30),
        (LEFT, NodeState.UP, NOW + 30),
        (DOUBTED, NodeState.UP, NEVER),
    ],
)
def test_heartbeat_brings_up_and_a_returned_node_is_held(view: PeerView, state: NodeState, held_until: float) -> None:
    after = heard(view, beat())
    assert (after.state, after.held_until, after.heard_at) == (state, held_until, NOW)


@pytest.mark.parametrize("view", [UNKNOWN, UP, HELD_VIEW, DOWN, LEFT, DOUBTED])
def test_one_leaving_heartbeat_is_enough(view: PeerView) -> None:
    after = heard(view, beat(flags=LEAVING))
    assert after.state is NodeState.LEFT
    assert not is_alive(after, NOW)


@pytest.mark.parametrize(
    ("view", "after"),
    [
        (UNKNOWN, NodeState.UNKNOWN),
        (UP, NodeState.DOWN),
        (HELD_VIEW, NodeState.DOWN),
        (DOWN, NodeState.DOWN),
        (LEFT, NodeState.LEFT),
    ],
)
def test_silence_takes_down_who_was_up(view: PeerView, after: NodeState) -> None:
    assert pass_time(view, NOW + 3600).state is after


@pytest.mark.parametrize(
    ("view", "at_once", "later"),
    [
        (UNKNOWN, NodeState.UNKNOWN, NodeState.UNKNOWN),
        (UP, NodeState.UP, NodeState.DOWN),
        (DOWN, NodeState.DOWN, NodeState.DOWN),
        (LEFT, NodeState.DOWN, NodeState.DOWN),
    ],
)
def test_life_needs_both_directions(view: PeerView, at_once: NodeState, later: NodeState) -> None:
    after = heard(view, beat(flags=DEAF))
    assert after.state is at_once
    again = heard(after, beat(sequence=12, flags=DEAF), NOW + 0.19)
    assert pass_time(again, NOW + 0.19).state is at_once
    assert pass_time(again, NOW + 0.2).state is later


def test_deaf_peer_that_hears_again_in_time_was_never_lost() -> None:
    after = heard(heard(UP, beat(flags=DEAF)), beat(sequence=12), NOW + 0.1)
    assert after.deaf_since == math.inf
    assert pass_time(after, NOW + 0.3) is after


def test_silence_is_judged_by_the_pace_of_the_sender() -> None:
    view = heard(UP, beat(interval_ms=300))
    assert pass_time(view, NOW + 1.27).state is NodeState.UP
    assert pass_time(view, NOW + 1.28).state is NodeState.DOWN


def test_three_missed_heartbeats_are_forgiven_and_the_fourth_is_not() -> None:
    view = replace(UP, heard_at=NOW)
    assert pass_time(view, NOW + 0.42) is view
    assert pass_time(view, silence_ends(view)).state is NodeState.DOWN
    assert silence_ends(view) < NOW + 0.45


def test_replay_is_refused() -> None:
    assert hear(replace(UP, seen=Seen(1, 1000)), beat(sequence=1000 - WINDOW), NOW, TIMING) is Refusal.REPLAYED


@pytest.mark.parametrize("flags", [HeartbeatFlag.NONE, LEAVING, DEAF, UNABLE])
def test_heartbeat_that_a_newer_one_overtook_says_nothing(flags: HeartbeatFlag) -> None:
    assert hear(UP, beat(sequence=9, flags=flags), NOW, TIMING) is UP


def test_newest_heartbeat_by_another_path_is_no_second_sign_of_life() -> None:
    assert heard(UP, beat(sequence=10)) is UP


def test_word_of_a_replaced_process_does_not_count() -> None:
    assert hear(heard(UP, beat(instance=2, sequence=1)), beat(sequence=12), NOW, TIMING) is Refusal.REPLAYED


def test_replay_from_before_our_start_does_not_silence_the_process_that_lives() -> None:
    shown = heard(UP, beat(instance=2, sequence=99))
    assert heard(shown, beat(sequence=14)).seen == Seen(1, 14, ((2, 99),))


@pytest.mark.parametrize(
    ("view", "now", "alive"),
    [
        (UNKNOWN, UNKNOWN.known_since + UNKNOWN_COUNTS_S - 0.1, True),
        (UNKNOWN, UNKNOWN.known_since + UNKNOWN_COUNTS_S, False),
        (UP, NOW, True),
        (replace(UP, flags=STANDBY), NOW, False),
        (UNABLE_VIEW, NOW, False),
        (HELD_VIEW, NOW, False),
        (HELD_VIEW, NOW + 29, True),
        (DOWN, NOW, False),
        (LEFT, NOW, False),
        (DOUBTED, NOW, True),
        (DOUBTED, NOW + 9, False),
        (replace(DOUBTED, flags=STANDBY), NOW, False),
        (replace(DOUBTED, held_until=NOW + 5), NOW, False),
    ],
)
def test_who_is_alive(view: PeerView, now: float, alive: bool) -> None:
    assert is_alive(view, now) is alive


@pytest.mark.parametrize(
    ("view", "now", "state"),
    [
        (UNKNOWN, UNKNOWN.known_since + 0.42, NodeState.UNKNOWN),
        (UNKNOWN, UNKNOWN.known_since + 0.43, NodeState.DOWN),
        (UP, NOW, NodeState.UP),
        (LEFT, NOW, NodeState.LEFT),
    ],
)
def test_cluster_that_calls_a_node_dead_needs_its_silence(view: PeerView, now: float, state: NodeState) -> None:
    assert called_dead(view, now).state is state


def test_cluster_that_calls_a_node_dead_ends_the_doubt() -> None:
    assert not is_alive(called_dead(DOUBTED, NOW), NOW)


def test_doubted_peer_that_says_it_does_not_hear_us_lives() -> None:
    assert is_alive(heard(DOUBTED, beat(flags=DEAF)), NOW + 9)


def test_process_that_ran_on_while_we_were_cut_off_is_not_held_and_a_new_one_is() -> None:
    assert is_alive(heard(DOUBTED, beat()), NOW)
    assert not is_alive(heard(DOUBTED, beat(instance=2)), NOW)


def test_nodes_that_lost_each_other_do_not_hold_each_other() -> None:
    returned = heard(DOWN, beat(flags=LOST | HELD))
    assert is_alive(returned, NOW)
    assert not holds_us(returned, NOW)
    assert was_lost(returned, NOW + 29)


def test_hold_ends_when_the_other_side_turns_out_to_have_lost_us_too() -> None:
    returned = heard(DOWN, beat())
    assert not is_alive(returned, NOW)
    assert is_alive(heard(returned, beat(sequence=12, flags=LOST)), NOW)


def lost(view: PeerView, now: float) -> PeerView:
    return pass_time(replace(view, heard_at=now - 1), now)


def test_hold_doubles_for_a_node_that_is_lost_again_and_again() -> None:
    view, now, holds = replace(DOWN, lost_at=NOW), NOW, []
    for sequence in range(11, 17):
        view = heard(view, beat(sequence=sequence), now)
        holds.append(view.held_until - now)
        now = view.held_until + 1
        view = lost(view, now)
    assert holds == [30, 60, 120, 240, 300, 300]


def test_loss_during_the_hold_moves_nothing_and_doubles_nothing() -> None:
    view = heard(lost(HELD_VIEW, NOW + 1), beat(), NOW + 2)
    assert view.held_until == NOW + 32


def test_hold_is_forgotten_after_a_quiet_time() -> None:
    view = heard(lost(HELD_VIEW, NOW + 60), beat(), NOW + 61)
    assert view.held_until == NOW + 91


@pytest.mark.parametrize(("receiver", "held"), [("a", True), ("c", False)])
def test_of_a_pair_that_goes_on_losing_each_other_one_is_held(receiver: str, held: bool) -> None:
    flapping = lost(replace(HELD_VIEW, held_until=NOW), NOW + 1)
    word = replace(beat(flags=LOST), receiver=receiver)
    assert is_held(heard(flapping, word, NOW + 2), NOW + 2) is held


def test_lost_carrier_is_a_loss_and_its_return_is_held() -> None:
    unable = heard(UP, beat(flags=UNABLE | STANDBY))
    assert unable.state is NodeState.UP
    assert not is_alive(unable, NOW)
    assert is_held(unable, NOW), "it must know before its carrier is back"
    able = heard(unable, beat(sequence=12), NOW + 1)
    assert able.held_until == NOW + 31


def test_node_that_starts_without_carrier_is_not_held() -> None:
    unable = heard(UNKNOWN, beat(flags=UNABLE | STANDBY))
    assert not is_held(unable, NOW)
    assert is_alive(heard(unable, beat(sequence=12), NOW + 1), NOW + 1)


def test_node_that_returns_without_carrier_is_held_from_the_moment_that_it_has_one() -> None:
    unable = heard(DOWN, beat(flags=UNABLE | STANDBY))
    assert is_held(unable, NOW)
    assert heard(unable, beat(sequence=12), NOW + 5).held_until == NOW + 35


@pytest.mark.parametrize(
    ("view", "holds"),
    [
        (replace(UP, flags=HELD), True),
        (replace(UP, flags=LOST), False),
        (UP, False),
        (replace(DOWN, flags=HELD), False),
        (replace(DOUBTED, flags=HELD), True),
        (replace(UP, flags=HELD, returned_at=NOW - 0.3), False),
        (replace(UP, flags=HELD, returned_at=NOW - 0.4), True),
    ],
)
def test_who_holds_us(view: PeerView, holds: bool) -> None:
    assert holds_us(view, NOW) is holds


@pytest.mark.parametrize(
    ("view", "now", "deaf"),
    [
        (UNKNOWN, UNKNOWN.known_since + 2.9, False),
        (UNKNOWN, UNKNOWN.known_since + 3, True),
        (replace(UNKNOWN, state=NodeState.DOWN), NOW, True),
        (replace(UNKNOWN, heard_at=NOW - 0.1, deaf_since=NOW - 0.1), NOW, False),
        (UP, NOW, False),
        (DOWN, NOW, True),
    ],
)
def test_whom_we_tell_that_we_do_not_hear(view: PeerView, now: float, deaf: bool) -> None:
    assert is_deaf_to(view, now) is deaf


@pytest.mark.parametrize(
    ("view", "overdue"),
    [
        (UP, False),
        (replace(UP, heard_at=NOW - 0.19), False),
        (replace(UP, heard_at=NOW - 0.21), True),
        (replace(UP, deaf_since=NOW), True),
    ],
)
def test_who_is_overdue(view: PeerView, overdue: bool) -> None:
    assert is_overdue(view, NOW) is overdue


@pytest.mark.parametrize(
    ("view", "heartbeat", "new", "news"),
    [
        (UNKNOWN, beat(), True, True),
        (UP, beat(), False, False),
        (UP, beat(instance=2), True, False),
        (DOWN, beat(), True, True),
        (UP, beat(flags=LEAVING), True, True),
        (UP, beat(flags=DEAF), True, True),
        (UP, beat(flags=UNABLE), True, True),
        (UP, beat(flags=STANDBY), False, True),
        (HELD_VIEW, beat(flags=LOST), True, True),
    ],
)
def test_what_is_answered_at_once_and_what_is_news(view: PeerView, heartbeat: Heartbeat, new: bool, news: bool) -> None:
    after = heard(view, heartbeat)
    assert (is_new_acquaintance(view, after), is_news(view, after)) == (new, news)


def test_who_died_failed_at_its_last_heartbeat_and_who_lost_its_carrier_at_the_one_before_it_said_so() -> None:
    assert failed_at(DOWN) == DOWN.heard_at
    unable = heard(heard(UP, beat(flags=UNABLE | STANDBY)), beat(sequence=12, flags=UNABLE | STANDBY), NOW + 1)
    assert failed_at(unable) == UP.heard_at
    assert failed_at(pass_time(unable, NOW + 2)) == UP.heard_at


@pytest.mark.parametrize("view", [UNKNOWN, UP, LEFT, HELD_VIEW, replace(UP, flags=STANDBY)])
def test_who_lives_or_went_in_order_did_not_fail(view: PeerView) -> None:
    assert failed_at(view) is None


def test_who_was_never_able_did_not_fail() -> None:
    assert failed_at(heard(UNKNOWN, beat(flags=UNABLE))) is None
    assert failed_at(replace(UNKNOWN, state=NodeState.DOWN)) is None
