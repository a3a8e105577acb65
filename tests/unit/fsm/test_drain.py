import math

import pytest

from orchestrator.config.drains import Wish
from orchestrator.decide.drain import DrainStage
from orchestrator.fsm.drain import Drain

WAIT_S = 5.0
BEGUN = Drain().wished(Wish.DRAIN, 100.0)


@pytest.mark.parametrize(
    ("now", "stage", "deadline"),
    [
        (100.0, DrainStage.MARKED, 105.0),
        (104.9, DrainStage.MARKED, 105.0),
        (105.0, DrainStage.HANDED_OVER, math.inf),
    ],
)
def test_routes_are_marked_for_the_wait_and_then_go(now: float, stage: DrainStage, deadline: float) -> None:
    assert (BEGUN.stage(now, WAIT_S), BEGUN.deadline(now, WAIT_S)) == (stage, deadline)


def test_force_changes_the_last_step_only_and_starts_no_new_wait() -> None:
    forced = BEGUN.wished(Wish.FORCE, 103.0)
    assert forced.stage(104.0, WAIT_S) is DrainStage.MARKED
    assert forced.stage(105.0, WAIT_S) is DrainStage.OUT
    assert forced.wished(Wish.DRAIN, 106.0).stage(106.0, WAIT_S) is DrainStage.HANDED_OVER


def test_undone_drain_serves_at_once_and_begins_anew() -> None:
    undone = BEGUN.wished(Wish.NONE, 104.0)
    assert undone.stage(104.0, WAIT_S) is DrainStage.SERVING
    assert undone.deadline(104.0, WAIT_S) == math.inf
    assert undone.wished(Wish.DRAIN, 200.0).stage(204.0, WAIT_S) is DrainStage.MARKED


def test_drain_that_an_earlier_speaker_was_through_with_marks_nothing_again() -> None:
    resumed = Drain(since=-math.inf).wished(Wish.DRAIN, 3.0)
    assert resumed.stage(3.0, WAIT_S) is DrainStage.HANDED_OVER


def test_without_a_wait_routes_go_at_once() -> None:
    assert BEGUN.stage(100.0, 0.0) is DrainStage.HANDED_OVER
