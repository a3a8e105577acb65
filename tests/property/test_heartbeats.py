"""Laws of what counts as a sign of life: paths differ in speed, and somebody plays back what was sent before."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fsm.heartbeat import WINDOW, Heartbeat, HeartbeatFlag, Refusal
from orchestrator.fsm.liveness import NodeState, PeerView, Timing, hear, pass_time

TIMING = Timing()
FLAGS = st.sampled_from([HeartbeatFlag.NONE, HeartbeatFlag.DEAF, HeartbeatFlag.UNABLE, HeartbeatFlag.LEAVING])
STRANGER = PeerView(known_since=0.0)


def beat(sequence: int, instance: int = 1, flags: HeartbeatFlag = HeartbeatFlag.NONE) -> Heartbeat:
    return Heartbeat(sender="b", receiver="a", interval_ms=80, instance=instance, sequence=sequence, flags=flags)


@st.composite
def arrivals(draw: st.DrawFn) -> list[int]:
    """Sequences in the order of arrival: some paths, each late by less than the window, each loses some."""
    count = draw(st.integers(1, 200))
    paths = draw(st.lists(st.integers(0, WINDOW - 1), min_size=1, max_size=4))
    sent = [(number + late, number) for late in paths for number in range(1, count + 1)]
    lost = draw(st.sets(st.integers(0, len(sent) - 1), max_size=20))
    return [number for _, number in sorted(each for place, each in enumerate(sent) if place not in lost)]


@given(arrivals())
def test_no_path_is_taken_for_a_replay_and_newer_heartbeats_alone_count(sequences: list[int]) -> None:
    view, newest = STRANGER, 0
    for now, sequence in enumerate(sequences):
        after = hear(view, beat(sequence), float(now), TIMING)
        assert isinstance(after, PeerView)
        assert (after is view) == (sequence <= newest)
        view, newest = after, max(newest, sequence)


@given(st.integers(1, 500), st.lists(st.tuples(st.integers(1, 500), st.integers(1, 3), FLAGS)), st.booleans())
def test_played_back_heartbeats_never_change_a_view(
    newest: int, played: list[tuple[int, int, HeartbeatFlag]], died: bool
) -> None:
    """Instances 1 and 2 were replaced by 3; what is refused is all but the window of 3."""
    view = STRANGER
    for instance in (1, 2, 3):
        heard = hear(view, beat(newest, instance), 0.0, TIMING)
        assert isinstance(heard, PeerView)
        view = heard
    view = pass_time(view, 1.0 if died else 0.1)
    assert view.state is (NodeState.DOWN if died else NodeState.UP)
    for sequence, instance, flags in played:
        old = beat(min(sequence, newest), instance, flags)
        known = instance == 3 and old.sequence > newest - WINDOW
        assert hear(view, old, 2.0, TIMING) is (view if known else Refusal.REPLAYED)
    assert hear(view, beat(newest + 1, instance=3), 2.0, TIMING) not in (view, Refusal.REPLAYED)
