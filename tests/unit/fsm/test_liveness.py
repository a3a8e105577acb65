from dataclasses import replace

import pytest

from orchestrator.fsm.heartbeat import Heartbeat, HeartbeatFlag, Refusal, Seen
from orchestrator.fsm.liveness import (
    NEVER,
    UNKNOWN_COUNTS_S,
    NodeState,
    PeerView,
    Timing,
    hear,
    holds_us,
    is_alive,
    is_new_acquaintance,
    pass_time,
    silence_ends,
)

TIMING = Timing(interval_s=0.1, hold_s=30.0)
NOW = 1000.0
UNKNOWN = PeerView(known_since=NOW - 1)
UP = replace(UNKNOWN, state=NodeState.UP, seen=Seen(1, 10), heard_at=NOW - 0.1)
DOWN = replace(UP, state=NodeState.DOWN, heard_at=NOW - 60)
LEFT = replace(DOWN, state=NodeState.LEFT)
HELD = replace(UP, returned_at=NOW - 1, held_until=NOW + 29)


def beat(sequence: int = 11, instance: int = 1, flags: HeartbeatFlag = HeartbeatFlag.NONE) -> Heartbeat:
    return Heartbeat(sender="b", receiver="a", instance=instance, sequence=sequence, flags=flags)


def heard(view: PeerView, heartbeat: Heartbeat) -> PeerView:
    after = hear(view, heartbeat, NOW, TIMING)
    assert isinstance(after, PeerView)
    return after


@pytest.mark.parametrize(
    ("view", "state", "held_until"),
    [
        (UNKNOWN, NodeState.UP, NEVER),
        (UP, NodeState.UP, NEVER),
        (HELD, NodeState.UP, NOW + 29),
        (DOWN, NodeState.UP, NOW + 30),
        (LEFT, NodeState.UP, NOW + 30),
    ],
)
def test_heartbeat_brings_up_and_a_returned_node_is_held(view: PeerView, state: NodeState, held_until: float) -> None:
    after = heard(view, beat())
    assert (after.state, after.held_until, after.heard_at) == (state, held_until, NOW)


@pytest.mark.parametrize("view", [UNKNOWN, UP, HELD, DOWN, LEFT])
def test_one_leaving_heartbeat_is_enough(view: PeerView) -> None:
    assert heard(view, beat(flags=HeartbeatFlag.LEAVING)).state is NodeState.LEFT


@pytest.mark.parametrize(
    ("view", "after"),
    [
        (UNKNOWN, NodeState.UNKNOWN),
        (UP, NodeState.DOWN),
        (HELD, NodeState.DOWN),
        (DOWN, NodeState.DOWN),
        (LEFT, NodeState.LEFT),
    ],
)
def test_silence_takes_down_who_was_up(view: PeerView, after: NodeState) -> None:
    assert pass_time(view, NOW + 3600, TIMING).state is after


def test_three_missed_heartbeats_are_forgiven_and_the_fourth_is_not() -> None:
    view = replace(UP, heard_at=NOW)
    assert pass_time(view, NOW + 0.42, TIMING).state is NodeState.UP
    assert pass_time(view, silence_ends(view, TIMING), TIMING).state is NodeState.DOWN
    assert silence_ends(view, TIMING) < NOW + 0.45


def test_replay_changes_nothing() -> None:
    assert hear(UP, beat(sequence=10), NOW, TIMING) is Refusal.REPLAYED


@pytest.mark.parametrize(
    ("view", "now", "alive"),
    [
        (UNKNOWN, UNKNOWN.known_since + UNKNOWN_COUNTS_S - 0.1, True),
        (UNKNOWN, UNKNOWN.known_since + UNKNOWN_COUNTS_S, False),
        (UP, NOW, True),
        (replace(UP, flags=HeartbeatFlag.STANDBY), NOW, False),
        (HELD, NOW, False),
        (HELD, NOW + 29, True),
        (DOWN, NOW, False),
        (LEFT, NOW, False),
    ],
)
def test_who_is_alive(view: PeerView, now: float, alive: bool) -> None:
    assert is_alive(view, now) is alive


def test_nodes_that_lost_each_other_do_not_hold_each_other() -> None:
    returned = heard(DOWN, beat(flags=HeartbeatFlag.LOST))
    assert is_alive(returned, NOW)
    assert not holds_us(returned, NOW, TIMING)


def test_hold_ends_when_the_other_side_turns_out_to_have_lost_us_too() -> None:
    returned = heard(DOWN, beat())
    assert not is_alive(returned, NOW)
    assert is_alive(heard(returned, beat(sequence=12, flags=HeartbeatFlag.LOST)), NOW)


@pytest.mark.parametrize(
    ("view", "holds"),
    [
        (replace(UP, flags=HeartbeatFlag.LOST), True),
        (UP, False),
        (replace(DOWN, flags=HeartbeatFlag.LOST), False),
        (replace(UP, flags=HeartbeatFlag.LOST, returned_at=NOW - 59), False),
        (replace(UP, flags=HeartbeatFlag.LOST, returned_at=NOW - 61), True),
    ],
)
def test_who_holds_us(view: PeerView, holds: bool) -> None:
    assert holds_us(view, NOW, TIMING) is holds


@pytest.mark.parametrize(
    ("view", "heartbeat", "new"),
    [
        (UNKNOWN, beat(), True),
        (UP, beat(), False),
        (UP, beat(instance=2), True),
        (DOWN, beat(), True),
        (UP, beat(flags=HeartbeatFlag.LEAVING), True),
    ],
)
def test_new_acquaintances(view: PeerView, heartbeat: Heartbeat, new: bool) -> None:
    assert is_new_acquaintance(view, heard(view, heartbeat)) is new
