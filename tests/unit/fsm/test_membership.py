from dataclasses import replace

import pytest

from orchestrator.fsm.heartbeat import Heartbeat, HeartbeatFlag, Refusal
from orchestrator.fsm.liveness import NodeState, Timing
from orchestrator.fsm.membership import (
    Membership,
    Role,
    at,
    awoken,
    flags_about,
    leaving,
    next_change,
    outlook,
    own_flags,
    receive,
    started,
    with_carrier,
    with_peers,
)

TIMING = Timing(interval_s=0.1, hold_s=30.0)
NOW = 1000.0


def fresh(*peers: str) -> Membership:
    return started("a", peers, TIMING, NOW)


def after(membership: Membership, sender: str, now: float, flags: HeartbeatFlag = HeartbeatFlag.NONE) -> Membership:
    """The sequence is taken from the time, the instance is always 1."""
    heartbeat = Heartbeat(
        sender=sender, receiver="a", interval_ms=100, instance=1, sequence=round(now * 1000), flags=flags
    )
    received = receive(membership, heartbeat, now)
    assert isinstance(received, Membership)
    return received


def role(membership: Membership, now: float) -> Role:
    return outlook(membership, now).role


def told(membership: Membership, peer: str, now: float) -> HeartbeatFlag:
    return own_flags(membership, now) | flags_about(membership, peer, now)


def heard_all(membership: Membership, now: float) -> Membership:
    for peer in membership.views:
        membership = after(membership, peer, now)
    return membership


def test_node_without_peers_is_active_at_once() -> None:
    assert outlook(fresh(), NOW).role is Role.ACTIVE
    assert outlook(fresh(), NOW).alive == ("a",)


def test_start_settles_when_every_peer_was_heard() -> None:
    membership = after(fresh("b", "c"), "b", NOW + 0.01)
    assert role(membership, NOW + 0.01) is Role.SETTLING
    membership = after(membership, "c", NOW + 0.02)
    assert role(membership, NOW + 0.02) is Role.ACTIVE


def test_start_does_not_wait_for_a_silent_peer_for_ever() -> None:
    membership = fresh("b")
    assert role(membership, NOW + 0.39) is Role.SETTLING
    assert role(membership, NOW + 0.41) is Role.ACTIVE
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
    membership = after(fresh("b"), "b", NOW, HeartbeatFlag.LOST | HeartbeatFlag.HELD)
    assert outlook(membership, NOW).role is Role.STANDBY
    assert outlook(membership, NOW).alive == ("b",)
    assert outlook(membership, NOW).reserve == ("a",)
    assert told(membership, "b", NOW) == HeartbeatFlag.STANDBY
    membership = after(membership, "b", NOW + 0.1)
    assert outlook(membership, NOW + 0.1).alive == ("a", "b")
    assert outlook(membership, NOW + 0.1).reserve == ()


@pytest.mark.parametrize(
    ("flags", "reserve"),
    [
        (HeartbeatFlag.STANDBY, ("b",)),
        (HeartbeatFlag.STANDBY | HeartbeatFlag.UNABLE, ()),
        (HeartbeatFlag.LEAVING, ()),
        (HeartbeatFlag.NONE, ()),
    ],
)
def test_held_peer_that_could_serve_is_in_the_reserve(flags: HeartbeatFlag, reserve: tuple[str, ...]) -> None:
    assert outlook(after(fresh("b"), "b", NOW, flags), NOW).reserve == reserve


@pytest.mark.parametrize(
    ("last_word", "alive"),
    [
        (HeartbeatFlag.LEAVING, ("a",)),
        (HeartbeatFlag.HELD | HeartbeatFlag.STANDBY, ("a", "b")),
        (HeartbeatFlag.HELD | HeartbeatFlag.STANDBY | HeartbeatFlag.UNABLE, ("a",)),
    ],
)
def test_node_does_not_stand_by_for_nobody(last_word: HeartbeatFlag, alive: tuple[str, ...]) -> None:
    membership = after(after(fresh("b"), "b", NOW, HeartbeatFlag.HELD), "b", NOW + 0.1, last_word)
    assert outlook(membership, NOW + 0.1).alive == alive
    assert outlook(membership, NOW + 0.1).role is Role.ACTIVE


def test_all_who_hold_each_other_in_a_circle_are_alive() -> None:
    """Everybody says STANDBY and goes on saying so, or all would come and go together for ever."""
    membership = after(after(fresh("b", "c"), "b", NOW, HeartbeatFlag.HELD | HeartbeatFlag.STANDBY), "c", NOW)
    membership = after(membership, "c", NOW + 0.1, HeartbeatFlag.STANDBY)
    assert outlook(membership, NOW + 0.1).alive == ("a", "b", "c")
    assert own_flags(membership, NOW + 0.1) == HeartbeatFlag.STANDBY


def test_node_without_carrier_stands_by_and_says_so() -> None:
    membership = replace(after(fresh("b"), "b", NOW), able=False)
    assert outlook(membership, NOW).role is Role.STANDBY
    assert outlook(membership, NOW).alive == ("b",)
    assert outlook(membership, NOW).reserve == ()
    assert own_flags(membership, NOW) == HeartbeatFlag.UNABLE | HeartbeatFlag.STANDBY


def test_nobody_is_alive_where_nobody_has_carrier() -> None:
    flags = HeartbeatFlag.UNABLE | HeartbeatFlag.STANDBY
    assert outlook(replace(after(fresh("b"), "b", NOW, flags), able=False), NOW).alive == ()


def test_returned_peer_is_told_that_it_was_lost() -> None:
    membership = at(after(fresh("b"), "b", NOW), NOW + 1)
    assert outlook(membership, NOW + 1).states == {"b": NodeState.DOWN}
    membership = after(membership, "b", NOW + 2)
    assert told(membership, "b", NOW + 2) == HeartbeatFlag.LOST | HeartbeatFlag.HELD
    assert outlook(membership, NOW + 2).alive == ("a",)
    membership = after(membership, "b", NOW + 33)
    assert told(membership, "b", NOW + 33) == HeartbeatFlag.NONE
    assert outlook(membership, NOW + 33).alive == ("a", "b")


def test_leaving_node_owns_nothing_and_says_so() -> None:
    membership = leaving(after(fresh("b"), "b", NOW))
    assert outlook(membership, NOW).role is Role.LEAVING
    assert outlook(membership, NOW).alive == ("b",)
    assert told(membership, "b", NOW) == HeartbeatFlag.LEAVING
    assert outlook(with_peers(membership, ("b",), TIMING, NOW), NOW).alive == ("a", "b")


@pytest.mark.parametrize(
    ("heartbeat", "refusal"),
    [
        (Heartbeat(sender="b", receiver="c", interval_ms=100, instance=1, sequence=1), Refusal.OTHER_RECEIVER),
        (Heartbeat(sender="z", receiver="a", interval_ms=100, instance=1, sequence=1), Refusal.UNKNOWN_SENDER),
        (Heartbeat(sender="b", receiver="a", interval_ms=100, instance=1, sequence=1), Refusal.REPLAYED),
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


def fell_silent(membership: Membership, *peers: str) -> Membership:
    """All peers are heard at NOW, all but these once more just before these are lost."""
    membership = heard_all(membership, NOW)
    for peer in membership.views.keys() - set(peers):
        membership = after(membership, peer, NOW + 0.4)
    return at(membership, NOW + 0.43)


@pytest.mark.parametrize(
    ("peers", "silent", "expected"),
    [
        ("b", "b", Role.ACTIVE),
        ("bc", "b", Role.ACTIVE),
        ("bc", "bc", Role.ISOLATED),
        ("bcd", "bc", Role.ISOLATED),
        ("bcde", "bc", Role.ACTIVE),
        ("bcde", "bcd", Role.ISOLATED),
    ],
)
def test_who_loses_more_than_half_and_two_at_once_is_isolated(peers: str, silent: str, expected: Role) -> None:
    membership = fell_silent(fresh(*peers), *silent)
    assert all(membership.views[peer].state is NodeState.DOWN for peer in silent)
    assert role(membership, NOW + 0.43) is expected
    gone = set(silent) if expected is Role.ACTIVE else set()
    assert outlook(membership, NOW + 0.43).alive == tuple(sorted({"a", *peers} - gone))


def test_isolation_is_noticed_with_the_first_peer_that_is_lost() -> None:
    membership = after(after(fresh("b", "c"), "b", NOW), "c", NOW + 0.1)
    membership = at(membership, NOW + 0.43)
    assert membership.views["c"].state is NodeState.UP
    assert role(membership, NOW + 0.43) is Role.ISOLATED
    later = at(membership, NOW + 0.53)
    assert outlook(later, NOW + 0.53).alive == ("a", "b", "c")


def test_peers_that_are_lost_one_after_the_other_are_dead() -> None:
    membership = fell_silent(fresh("b", "c", "d"), "b")
    for step in range(1, 20):
        membership = after(
            after(at(membership, NOW + 0.4 + step / 10), "c", NOW + 0.4 + step / 10), "d", NOW + 0.4 + step / 10
        )
    assert outlook(at(membership, NOW + 2.3), NOW + 2.3).alive == ("a", "c", "d")


def test_isolation_ends_by_time_and_by_the_word_of_the_cluster() -> None:
    membership = fell_silent(fresh("b", "c"), "b", "c")
    assert outlook(at(membership, NOW + 10.4), NOW + 10.4).alive == ("a", "b", "c")
    assert next_change(membership, NOW + 10.4) == pytest.approx(NOW + 10.43)
    assert outlook(at(membership, NOW + 10.5), NOW + 10.5).alive == ("a",)
    named = at(replace(membership, unready=frozenset({"b"})), NOW + 0.5)
    assert outlook(named, NOW + 0.5).alive == ("a", "c")


def test_silence_that_the_cluster_explains_is_no_sign_of_isolation() -> None:
    membership = fell_silent(replace(fresh("b", "c"), unready=frozenset({"b"})), "b", "c")
    assert outlook(membership, NOW + 0.43).alive == ("a",)


def test_isolated_node_that_stood_by_goes_on_standing_by() -> None:
    membership = heard_all(fresh("b", "c"), NOW)
    membership = after(membership, "b", NOW + 0.01, HeartbeatFlag.HELD)
    lost = at(membership, NOW + 1)
    assert {view.state for view in lost.views.values()} == {NodeState.DOWN}
    assert outlook(lost, NOW + 1).alive == ("b", "c")
    assert role(lost, NOW + 1) is Role.STANDBY


def test_node_that_hears_all_and_is_heard_by_none_takes_nothing_over() -> None:
    membership = heard_all(fresh("b", "c"), NOW)
    for step in range(1, 300):
        now = NOW + step / 10
        membership = at(after(after(membership, "b", now, HeartbeatFlag.DEAF), "c", now, HeartbeatFlag.DEAF), now)
        assert outlook(membership, now).alive == ("a", "b", "c")
    assert role(membership, NOW + 30) is Role.ISOLATED


def test_process_that_slept_waits_for_the_word_of_who_was_up() -> None:
    membership = heard_all(fresh("b", "c", "d"), NOW)
    membership = after(membership, "d", NOW + 0.1, HeartbeatFlag.LEAVING)
    awake = awoken(membership, NOW + 60)
    assert outlook(awake, NOW + 60).states == {
        "b": NodeState.UNKNOWN, "c": NodeState.UNKNOWN, "d": NodeState.LEFT,
    }  # fmt: skip
    assert role(awake, NOW + 60) is Role.SETTLING
    awake = after(after(awake, "b", NOW + 60.01, HeartbeatFlag.DEAF), "c", NOW + 60.01)
    assert role(awake, NOW + 60.01) is Role.SETTLING, "who does not hear us has not answered"
    awake = after(awake, "b", NOW + 60.02, HeartbeatFlag.LOST | HeartbeatFlag.HELD)
    assert role(awake, NOW + 60.02) is Role.STANDBY


def test_what_was_heard_before_a_sleep_cannot_be_replayed_after_it() -> None:
    awake = awoken(heard_all(fresh("b"), NOW), NOW + 60)
    old = Heartbeat(sender="b", receiver="a", interval_ms=100, instance=1, sequence=1)
    assert receive(awake, old, NOW + 60) is Refusal.REPLAYED


def test_time_alone_changes_nothing_for_those_who_are_heard() -> None:
    membership = heard_all(fresh("b", "c"), NOW)
    assert at(membership, NOW + 0.2) is membership


def test_pair_of_which_one_direction_is_broken_is_lost_to_each_other() -> None:
    membership = heard_all(fresh("b", "c", "d"), NOW)
    for step in range(4):
        now = NOW + 0.1 + step / 10
        membership = after(after(after(membership, "b", now, HeartbeatFlag.DEAF), "c", now), "d", now)
    assert outlook(at(membership, NOW + 0.4), NOW + 0.4).alive == ("a", "c", "d")
    assert told(at(membership, NOW + 0.4), "b", NOW + 0.4) == HeartbeatFlag.NONE, "we do hear it"


@pytest.mark.parametrize("silent_s", [0.25, 3.0, 60.0])
@pytest.mark.parametrize("peers", ["b", "bc"])
def test_returned_carrier_waits_for_the_first_word_and_says_nobody_was_lost(peers: str, silent_s: float) -> None:
    membership = with_carrier(heard_all(fresh(*peers), NOW), False, NOW)
    now = NOW + silent_s
    membership = with_carrier(at(membership, now), True, now)
    assert role(membership, now + 1.4) is Role.SETTLING
    membership = after(membership, "b", now + 1.4, HeartbeatFlag.HELD | HeartbeatFlag.LOST)
    assert role(membership, now + 1.4) is Role.STANDBY
    assert told(membership, "b", now + 1.4) == HeartbeatFlag.STANDBY


def test_cable_that_is_cut_unmakes_no_peer() -> None:
    cut = at(with_carrier(heard_all(fresh("b", "c"), NOW), False, NOW), NOW + 1)
    assert set(outlook(cut, NOW + 1).states.values()) == {NodeState.UNKNOWN}
    assert outlook(cut, NOW + 1).role is Role.STANDBY
    assert told(cut, "b", NOW + 60) == HeartbeatFlag.UNABLE | HeartbeatFlag.STANDBY, "deaf, but that is no news"


def test_returned_carrier_does_not_wait_for_the_dead() -> None:
    membership = with_carrier(heard_all(fresh("b", "c"), NOW), False, NOW)
    membership = with_carrier(at(membership, NOW + 60), True, NOW + 60)
    membership = after(membership, "b", NOW + 60.2)
    assert role(membership, NOW + 60.5) is Role.SETTLING
    assert role(membership, NOW + 60.7) is Role.ACTIVE
    alone = with_carrier(at(with_carrier(fresh("b"), False, NOW), NOW + 60), True, NOW + 60)
    assert role(alone, NOW + 61.6) is Role.ACTIVE


def test_returned_carrier_does_not_wait_where_peers_were_heard_all_the_time() -> None:
    membership = with_carrier(heard_all(fresh("b", "c"), NOW), False, NOW)
    membership = with_carrier(heard_all(membership, NOW + 60), True, NOW + 60.1)
    assert role(membership, NOW + 60.1) is Role.ACTIVE
