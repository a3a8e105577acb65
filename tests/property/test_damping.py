"""Laws of damping, on random sequences of what is wanted: losing is immediate, nothing waits longer than the limit."""

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fsm.damping import FREE, WINDOW_S, Damping

PREFIX = ip_network("198.51.100.7/32")
LIMIT_S = 60.0

Steps = list[tuple[float, bool]]
steps = st.lists(st.tuples(st.floats(0.01, 120.0), st.booleans()), max_size=60)


class World:
    """One prefix as a speaker handles it; `went` and `came` are when it changed on the wire."""

    def __init__(self) -> None:
        self.damping = Damping(LIMIT_S)
        self.announced = False
        self.wanted_since: float | None = None
        self.went: list[float] = []
        self.came: list[float] = []

    def pass_to(self, now: float) -> None:
        while self.damping.deadline <= now:
            self._admit(self.damping.deadline)

    def want(self, now: float) -> None:
        self.wanted_since = now if self.wanted_since is None else self.wanted_since
        if not self.announced:
            self._admit(now)

    def lose(self, now: float) -> None:
        self.wanted_since = None
        self.damping.unwanted(PREFIX)
        if self.announced:
            self.damping.withdrawn(PREFIX, now)
            self.went.append(now)
            self.announced = False

    def _admit(self, now: float) -> None:
        if self.damping.admits(PREFIX, now):
            self.came.append(now)
            self.announced = True


def played(sequence: Steps) -> World:
    world, now = World(), 0.0
    for pause, wanted in sequence:
        now += pause
        world.pass_to(now)
        if wanted:
            world.want(now)
        else:
            world.lose(now)
        assert not world.announced or world.wanted_since is not None
        if world.wanted_since is not None and now - world.wanted_since >= LIMIT_S:
            assert world.announced
    return world


@given(steps)
def test_only_what_is_wanted_is_announced_and_after_the_limit_at_the_latest(sequence: Steps) -> None:
    played(sequence)


@given(st.lists(st.tuples(st.floats(0.01, 120.0), st.booleans()), max_size=2 * FREE + 1))
def test_few_withdrawals_cost_no_delay(sequence: Steps) -> None:
    world = played([(pause, number % 2 == 0) for number, (pause, _) in enumerate(sequence)])
    assert len(world.came) == (len(sequence) + 1) // 2


@given(st.floats(0.01, 4.0))
def test_prefix_that_never_rests_comes_back_seldom(pause: float) -> None:
    world = played([(pause, number % 2 == 0) for number in range(int(WINDOW_S / pause))][:2000])
    end = world.came[-1]
    assert sum(at > end - WINDOW_S for at in world.came) <= FREE + 1 + 10
