import pytest

from orchestrator.fsm.heartbeat import Heartbeat, HeartbeatFlag, Refusal
from orchestrator.fsm.liveness import NodeState, Timing
from orchestrator.fsm.membership import (
    Membership,
    Role,
    at,
    flags_for,
    leaving,
    next_change,
    outlook,
    receive,
    role_of,
    started,
    with_peers,
)

TIMING = Timing(interval_s=0.1, hold_s=30.0)
NOW = 1000.0


def fresh(*peers: str) -> Membership:
    return started("a", peers, TIMING, NOW)


def after(membership: Membership, sender: str, now: float, flags: HeartbeatFlag = HeartbeatFlag.NONE) -> Membership:
    """The sequence is taken from the time, the instance is always 1."""
    heartbeat = Heartbeat(sender=sender, receiver="a", instance=1, sequence=int(now * 1000), flags=flags)
    received = receive(membership, heartbeat, now)
    assert isinstance(received, Membership)
    return received


def test_node_without_peers_is_active_at_once() -> None:
    assert outlook(fresh(), NOW).role is Role.ACTIVE
    assert outlook(fresh(), NOW).alive == ("a",)


def test_start_settles_when_every_peer_was_heard() -> None:
    membership = after(fresh("b", "c"), "b", NOW + 0.01)
    assert role_of(membership, NOW + 0.01) is Role.SETTLING
    membership = after(membership, "c", NOW + 0.02)
    assert role_of(membership, NOW + 0.02) is Role.ACTIVE


def test_start_does_not_wait_for_a_silent_peer_for_ever() -> None:
    membership = fresh("b")
    assert role_of(membership, NOW + 0.39) is Role.SETTLING
    assert role_of(membership, NOW + 0.41) is Role.ACTIVE
    assert outlook(membership, NOW + 2.9).alive == ("a", "b")
    assert outlook(membership, NOW + 3.1).alive == ("a",)


def test_peer_that_comes_later_does_not_unsettle() -> None:
    membership = with_peers(after(fresh("b"), "b", NOW + 0.1), ("b", "c"), TIMING, NOW + 5)
    assert outlook(membership, NOW + 5).role is Role.ACTIVE
    assert outlook(membership, NOW + 5).states == {"b": NodeState.UP, "c": NodeState.UNKNOWN}


def test_peer_that_is_no_longer_named_is_forgotten() -> None:
    membership = with_peers(fresh("b", "c"), ("c",), TIMING, NOW)
    assert set(membership.views) == {"c"}


def test_node_stands_by_when_a_peer_lost_it() -> None:
    membership = after(fresh("b"), "b", NOW, HeartbeatFlag.LOST)
    assert outlook(membership, NOW).role is Role.STANDBY
    assert outlook(membership, NOW).alive == ("b",)
    assert flags_for(membership, "b", NOW) == HeartbeatFlag.STANDBY
    membership = after(membership, "b", NOW + 0.1)
    assert outlook(membership, NOW + 0.1).alive == ("a", "b")


@pytest.mark.parametrize("last_word", [HeartbeatFlag.LEAVING, HeartbeatFlag.LOST | HeartbeatFlag.STANDBY])
def test_node_does_not_stand_by_for_nobody(last_word: HeartbeatFlag) -> None:
    membership = after(after(fresh("b"), "b", NOW, HeartbeatFlag.LOST), "b", NOW + 0.1, last_word)
    assert outlook(membership, NOW + 0.1).alive == ("a",)
    assert outlook(membership, NOW + 0.1).role is Role.ACTIVE


def test_returned_peer_is_told_that_it_was_lost() -> None:
    membership = at(after(fresh("b"), "b", NOW), NOW + 1)
    assert outlook(membership, NOW + 1).states == {"b": NodeState.DOWN}
    membership = after(membership, "b", NOW + 2)
    assert flags_for(membership, "b", NOW + 2) == HeartbeatFlag.LOST
    assert outlook(membership, NOW + 2).alive == ("a",)
    assert flags_for(membership, "b", NOW + 33) == HeartbeatFlag.NONE
    assert outlook(membership, NOW + 33).alive == ("a", "b")


def test_leaving_node_owns_nothing_and_says_so() -> None:
    membership = leaving(after(fresh("b"), "b", NOW))
    assert outlook(membership, NOW).role is Role.LEAVING
    assert outlook(membership, NOW).alive == ("b",)
    assert flags_for(membership, "b", NOW) == HeartbeatFlag.LEAVING
    assert outlook(with_peers(membership, ("b",), TIMING, NOW), NOW).alive == ("a", "b")


@pytest.mark.parametrize(
    ("heartbeat", "refusal"),
    [
        (Heartbeat(sender="b", receiver="c", instance=1, sequence=1), Refusal.OTHER_RECEIVER),
        (Heartbeat(sender="z", receiver="a", instance=1, sequence=1), Refusal.UNKNOWN_SENDER),
        (Heartbeat(sender="b", receiver="a", instance=1, sequence=1), Refusal.REPLAYED),
    ],
)
def test_heartbeats_that_do_not_count(heartbeat: Heartbeat, refusal: Refusal) -> None:
    assert receive(after(fresh("b"), "b", NOW), heartbeat, NOW) is refusal


def test_next_change_is_the_first_moment_at_which_the_outlook_differs() -> None:
    membership = fresh("b", "c")
    moments = []
    now: float | None = NOW
    while now is not None:
        moments.append(round(now - NOW, 3))
        now = next_change(membership, now)
    assert moments == [0.0, 0.4, 3.0]


def test_next_change_after_a_heartbeat_is_its_silence() -> None:
    membership = after(fresh("b"), "b", NOW + 10)
    assert next_change(membership, NOW + 10) == pytest.approx(NOW + 10.425)
    assert next_change(at(membership, NOW + 11), NOW + 11) is None
