from ipaddress import ip_network
from math import inf

import pytest

from orchestrator.fsm.damping import FIRST_DELAY_S, FREE, WINDOW_S, Damping

ONE, OTHER = ip_network("198.51.100.7/32"), ip_network("198.51.100.8/32")
LIMIT_S = 60.0


def flapped(times: int, *, last: float = 0.0, apart: float = 1.0) -> Damping:
    """A prefix that went so often, was wanted again at once each time but the last, and is gone now."""
    damping = Damping(LIMIT_S)
    for number in range(times):
        now = last - (times - 1 - number) * apart
        damping.withdrawn(ONE, now)
        if number < times - 1:
            damping.admits(ONE, now)
            damping.unwanted(ONE)
    return damping


def delay(damping: Damping, now: float) -> float:
    """How long the prefix is kept back that is wanted now."""
    return 0.0 if damping.admits(ONE, now) else damping.waiting[ONE] - now


def test_prefix_that_never_went_is_announced_at_once() -> None:
    damping = Damping(LIMIT_S)
    assert damping.admits(ONE, 0.0)
    assert damping.deadline == inf


@pytest.mark.parametrize(
    ("times", "expected"),
    [(1, 0.0), (2, 0.0), (3, 0.0), (4, 5.0), (5, 10.0), (6, 20.0), (7, 40.0), (8, 60.0), (20, 60.0)],
)
def test_delay_begins_with_the_fourth_time_and_doubles_up_to_the_limit(times: int, expected: float) -> None:
    assert delay(flapped(times), 0.5) == expected


def test_limit_of_zero_means_no_damping() -> None:
    damping = Damping(0.0)
    for now in range(10):
        damping.withdrawn(ONE, float(now))
        assert damping.admits(ONE, float(now))


def test_withdrawals_are_forgotten_after_five_minutes() -> None:
    assert delay(flapped(FREE + 1, last=0.0), 0.5) == FIRST_DELAY_S
    assert delay(flapped(FREE + 1, last=0.0), WINDOW_S - 2.5) == 0.0


def test_prefix_is_announced_when_its_delay_is_over() -> None:
    damping = flapped(FREE + 1)
    assert not damping.admits(ONE, 1.0)
    assert damping.deadline == 1.0 + FIRST_DELAY_S
    assert damping.over(damping.deadline - 0.1) == ()
    assert damping.over(1.0 + FIRST_DELAY_S) == (ONE,)
    assert damping.admits(ONE, 1.0 + FIRST_DELAY_S)
    assert (damping.waiting, damping.deadline) == ({}, inf)


def test_delay_runs_on_while_the_prefix_is_lost_once_more() -> None:
    damping = flapped(FREE + 1)
    assert not damping.admits(ONE, 1.0)
    damping.unwanted(ONE)
    assert damping.deadline == inf
    assert not damping.admits(ONE, 3.0)
    assert damping.deadline == 1.0 + FIRST_DELAY_S
    damping.unwanted(ONE)
    assert damping.admits(ONE, 2.0 + FIRST_DELAY_S)


def test_prefixes_are_damped_apart() -> None:
    damping = flapped(FREE + 1)
    damping.withdrawn(OTHER, 0.0)
    assert damping.admits(OTHER, 1.0)
    assert not damping.admits(ONE, 1.0)


def test_quiet_prefixes_cost_no_memory() -> None:
    damping = flapped(FREE)
    damping.withdrawn(OTHER, WINDOW_S + 1.0)
    assert (damping.times(ONE), damping.times(OTHER)) == (0, 1)
