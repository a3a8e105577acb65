"""Whatever happened to an address, and whatever message was lost: the next word of plan and responder settles it."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fsm import tenure
from orchestrator.fsm.responder_api import Mode
from orchestrator.fsm.tenure import RELEASE_LIMIT_S, Past, Rival, Stage, Tenure, Verdict

Step = Callable[[Tenure | None, float], Tenure | None]
RIVALS = st.builds(
    Rival,
    mac=st.sampled_from(["02:00:00:00:00:01", "02:00:00:00:00:02"]),
    interface=st.just("eth0"),
    last=st.floats(0, 1000),
    node=st.sampled_from(["", "node-b"]),
)


def _if_there(step: Callable[[Tenure, float], Tenure | None]) -> Step:
    return lambda held, now: None if held is None else step(held, now)


def want(held: Tenure | None, past: Past) -> Tenure:
    return tenure.begun(None, past) if held is None else tenure.wanted(held, None)


WANTED: st.SearchStrategy[Step] = st.builds(
    lambda used, node: lambda held, _now: want(held, Past(used=used, node=node)),
    st.booleans(),
    st.sampled_from(["", "node-b"]),
)
STEPS: st.SearchStrategy[Step] = st.one_of(
    WANTED,
    st.just(tenure.elsewhere),
    st.builds(
        lambda rival, verdict: _if_there(lambda held, _now: tenure.claimed(held, rival, verdict)),
        RIVALS,
        st.sampled_from(Verdict),
    ),
    st.builds(lambda rival: _if_there(lambda held, _now: tenure.probed(held, rival)), st.one_of(st.none(), RIVALS)),
    st.just(_if_there(lambda held, _now: tenure.silent(held))),
    st.just(_if_there(lambda held, _now: tenure.released(held))),
    st.just(_if_there(tenure.pass_time)),
)
HISTORIES = st.lists(st.tuples(STEPS, st.floats(0, 5)), max_size=12)


def live_through(history: list[tuple[Step, float]]) -> tuple[Tenure | None, float]:
    held, now = None, 0.0
    for step, pause_s in history:
        now += pause_s
        held = step(held, now)
    return held, now


@given(HISTORIES)
def test_address_of_another_node_is_let_go_within_the_limit(history: list[tuple[Step, float]]) -> None:
    held, now = live_through(history)
    after = tenure.elsewhere(held, now)
    assert after is None or tenure.entry("192.0.2.7", after).mode is Mode.RELEASE
    assert after is None or tenure.pass_time(after, now + RELEASE_LIMIT_S) is None


@given(HISTORIES)
def test_wanted_address_is_held_once_nobody_else_has_it(history: list[tuple[Step, float]]) -> None:
    held, _ = live_through(history)
    after = tenure.silent(tenure.probed(want(held, Past(used=False)), None))
    assert after.stage is Stage.HELD
    assert tenure.occupied(after) is None


@given(HISTORIES)
def test_plan_and_table_agree_on_who_has_the_address(history: list[tuple[Step, float]]) -> None:
    held, _ = live_through(history)
    if held is not None and tenure.occupied(held) is not None:
        assert tenure.entry("192.0.2.7", held).mode in {Mode.PROBE, Mode.WATCH}
        assert tenure.conflict("192.0.2.7", held) is not None


@given(HISTORIES, st.integers(1, 5))
def test_planning_again_changes_nothing(history: list[tuple[Step, float]], times: int) -> None:
    held, now = live_through(history)
    once = want(held, Past(used=True))
    gone = tenure.elsewhere(held, now)
    for _ in range(times):
        assert tenure.wanted(once, None) == once
        assert tenure.elsewhere(gone, now) == gone
