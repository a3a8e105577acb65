from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fsm.supervision import (
    DELAYS_S,
    HEALTHY_S,
    Action,
    Answered,
    Demand,
    Died,
    End,
    Event,
    Phase,
    Program,
    Start,
    Supervision,
    Tick,
    delay_s,
    next_deadline,
    step,
)

ZEBRA = Program(name="zebra")
BFDD = Program(name="bfdd", after=frozenset({"zebra"}))
BGPD = Program(name="bgpd", features=frozenset({"zebra"}), after=frozenset({"zebra"}), bound_to="zebra")
ALONE = Program(name="bgpd")
ALL = Demand((ZEBRA, BFDD, BGPD))


def run(*events: tuple[float, Event], state: Supervision | None = None) -> tuple[Supervision, list[Action]]:
    """Play (time, event) pairs; returns the last state and the actions of the last event."""
    state = state or Supervision()
    actions: Sequence[Action] = ()
    for now, event in events:
        state, actions = step(state, event, now)
    return state, list(actions)


def everything_ready() -> Supervision:
    state, _ = run((0, ALL), (1, Answered("zebra")), (2, Answered("bgpd")), (2, Answered("bfdd")))
    assert {child.phase for child in state.children.values()} == {Phase.READY}
    return state


def crashed(times: int) -> tuple[Supervision, float]:
    """A bgpd that died `times` times, always as it started; returns the state and the time."""
    now = 0.0
    state, _ = run((now, Demand((ALONE,))))
    for _ in range(times):
        now = max(now, next_deadline(state) or 0.0)
        state, _ = step(state, Tick(), now)
        state, _ = step(state, Died("bgpd"), now)
    return state, now


def test_dependents_start_when_zebra_answers() -> None:
    state, actions = run((0, ALL))
    assert actions == [Start(ZEBRA)]
    state, actions = run((1, Answered("zebra")), state=state)
    assert actions == [Start(BFDD), Start(BGPD)]
    assert state.children["bgpd"].phase is Phase.STARTING


def test_answer_makes_ready_and_says_since_when() -> None:
    state, actions = run((0, Demand((ALONE,))), (3, Answered("bgpd")))
    assert actions == []
    assert (state.children["bgpd"].phase, state.children["bgpd"].ready_since) == (Phase.READY, 3)


def test_program_without_document_is_not_started() -> None:
    state, actions = run((0, Demand((ALONE,), blocked=frozenset({"bgpd"}))))
    assert actions == []
    assert run((1, Demand((ALONE,))), state=state)[1] == [Start(ALONE)]


def test_vanished_document_does_not_end_a_running_program() -> None:
    _, actions = run((9, Demand((ZEBRA, BFDD, BGPD), blocked=frozenset({"bgpd"}))), state=everything_ready())
    assert actions == []


def test_first_death_is_followed_by_a_start_at_once() -> None:
    state, actions = run((0, Demand((ALONE,))), (1, Answered("bgpd")), (2, Died("bgpd")))
    assert actions == [Start(ALONE)]
    assert state.children["bgpd"].restarts == 1


def test_second_death_waits() -> None:
    state, actions = run((0, Demand((ALONE,))), (1, Died("bgpd")), (2, Died("bgpd")))
    assert (actions, state.children["bgpd"].phase) == ([], Phase.BACKING_OFF)
    assert next_deadline(state) == 2 + DELAYS_S[1]
    assert run((2.1, Tick()), state=state)[1] == []
    assert run((2.2, Tick()), state=state)[1] == [Start(ALONE)]


def test_fifth_death_in_the_window_is_a_crash_loop_that_is_still_retried() -> None:
    state, now = crashed(4)
    assert state.children["bgpd"].phase is Phase.BACKING_OFF
    state, now = crashed(5)
    assert state.children["bgpd"].phase is Phase.CRASH_LOOP
    assert next_deadline(state) == now + DELAYS_S[-1]
    assert run((now + DELAYS_S[-1], Tick()), state=state)[1] == [Start(ALONE)]


def test_crash_loop_stays_at_the_longest_delay_when_the_window_has_passed() -> None:
    state, now = crashed(12)
    assert state.children["bgpd"].phase is Phase.CRASH_LOOP
    assert next_deadline(state) == now + DELAYS_S[-1]


def test_healthy_run_resets_the_delays() -> None:
    state, now = crashed(8)
    state, _ = run((now + 30, Tick()), (now + 31 + HEALTHY_S, Died("bgpd")), state=state)
    assert state.children["bgpd"].failures == 1
    assert state.children["bgpd"].phase is Phase.STARTING


def test_zebra_death_restarts_bgpd_once_zebra_answers_again() -> None:
    state, actions = run((10, Died("zebra")), state=everything_ready())
    assert actions == [Start(ZEBRA)]
    assert state.children["bgpd"].phase is Phase.READY
    state, actions = run((10.1, Answered("zebra")), state=state)
    assert actions == [End("bgpd")]
    state, actions = run((10.2, Died("bgpd")), state=state)
    assert actions == [Start(BGPD)]
    assert state.children["bgpd"].failures == 0
    assert run((10.3, Answered("bgpd")), state=state)[1] == []


def test_bgpd_death_leaves_zebra_alone() -> None:
    state, actions = run((10, Died("bgpd")), state=everything_ready())
    assert actions == [Start(BGPD)]
    assert state.children["zebra"].phase is Phase.READY


def test_bgpd_that_needs_zebra_now_is_restarted_when_zebra_is_ready() -> None:
    state, actions = run((0, Demand((ALONE,))), (1, Answered("bgpd")), (2, ALL))
    assert actions == [End("bgpd"), Start(ZEBRA)]
    state, actions = run((3, Died("bgpd")), state=state)
    assert actions == []
    assert Start(BGPD) in run((4, Answered("zebra")), state=state)[1]


def test_bgpd_that_no_longer_needs_zebra_keeps_running() -> None:
    state, actions = run((9, Demand((ALONE,))), state=everything_ready())
    assert actions == [End("bfdd")]
    _, actions = run((9.1, Died("bfdd")), state=state)
    assert actions == [End("zebra")]


def test_nothing_wanted_ends_zebra_last() -> None:
    state, actions = run((9, Demand(())), state=everything_ready())
    assert actions == [End("bfdd"), End("bgpd")]
    state, actions = run((9.1, Died("bfdd")), state=state)
    assert actions == []
    state, actions = run((9.2, Died("bgpd")), state=state)
    assert actions == [End("zebra")]
    state, actions = run((9.3, Died("zebra")), state=state)
    assert not any(child.running for child in state.children.values())


def test_wanted_again_while_ending_starts_after_the_death() -> None:
    state, actions = run((0, Demand((ALONE,))), (1, Demand(())), (2, Demand((ALONE,))))
    assert actions == []
    assert run((3, Died("bgpd")), state=state)[1] == [Start(ALONE)]


def test_delays_end_at_thirty_seconds() -> None:
    assert [delay_s(failures) for failures in (1, 2, 3, 9, 100)] == [0.0, 0.2, 0.5, 30.0, 30.0]


EVENTS = st.sampled_from(
    [
        ALL,
        Demand((ALONE,)),
        Demand(()),
        Demand((ZEBRA, BGPD), blocked=frozenset({"bgpd"})),
        Tick(),
        *(Answered(name) for name in ("zebra", "bfdd", "bgpd")),
        *(Died(name) for name in ("zebra", "bfdd", "bgpd")),
    ]
)


@given(st.lists(st.tuples(st.floats(0, 40), EVENTS), max_size=60))
def test_no_name_ever_has_two_processes(history: list[tuple[float, Event]]) -> None:
    """Replays any history against a model of the machine: only what runs can die or answer."""
    state, now, alive, ending = Supervision(), 0.0, set[str](), set[str]()
    for pause, event in history:
        if isinstance(event, Answered | Died) and event.name not in alive:
            continue
        now += pause
        if isinstance(event, Died):
            alive.remove(event.name)
            ending.discard(event.name)
        state, actions = step(state, event, now)
        for action in actions:
            if isinstance(action, Start):
                assert action.program.name not in alive
                alive.add(action.program.name)
            else:
                assert action.name in alive - ending
                ending.add(action.name)
        assert {name for name, child in state.children.items() if child.running} == alive


@given(st.lists(st.floats(0, 59), min_size=1, max_size=30))
def test_back_off_is_monotone_whatever_the_lives(lives: list[float]) -> None:
    state, now, last = run((0.0, Demand((ALONE,))))[0], 0.0, 0.0
    for life in lives:
        now += life
        state, _ = step(state, Died("bgpd"), now)
        delay = 0.0 if state.children["bgpd"].running else state.children["bgpd"].retry_at - now
        assert delay >= last - 1e-6
        last, now = delay, now + delay
        state, _ = step(state, Tick(), now + 1e-6)
