import pytest

from orchestrator.fsm.membership import Role
from orchestrator.fsm.phases import ANSWERING, IN_SILENCE, LISTENING, RHYTHMS, Phase, effective_mode, ordered_phase
from orchestrator.fsm.responder_api import Mode


@pytest.mark.parametrize("phase", Phase)
def test_ordered_to_answer_is_answered(phase: Phase) -> None:
    assert ordered_phase(Mode.ANSWER, phase) is Phase.ANSWERED


@pytest.mark.parametrize("phase", Phase)
def test_nothing_is_done_by_a_node_that_may_not_serve(phase: Phase) -> None:
    assert ordered_phase(None, phase) is Phase.RESTING


@pytest.mark.parametrize(
    ("phase", "after"),
    [
        (Phase.RESTING, Phase.PROBING),
        (Phase.ANSWERED, Phase.ANSWERED),
        (Phase.RELEASING, Phase.ANSWERED),
        (Phase.RELEASED, Phase.PROBING),
        (Phase.PROBING, Phase.PROBING),
        (Phase.OCCUPIED, Phase.OCCUPIED),
        (Phase.WATCHED, Phase.PROBING),
        (Phase.SILENT, Phase.PROBING),
    ],
)
def test_what_is_answered_is_not_probed_again(phase: Phase, after: Phase) -> None:
    assert ordered_phase(Mode.PROBE, phase) is after


@pytest.mark.parametrize("phase", Phase)
def test_only_what_is_answered_is_released_slowly(phase: Phase) -> None:
    expected = Phase.RELEASING if phase in ANSWERING else Phase.RELEASED
    assert ordered_phase(Mode.RELEASE, phase) is expected


@pytest.mark.parametrize("phase", Phase)
def test_watched_address_is_not_answered(phase: Phase) -> None:
    expected = Phase.SILENT if phase is Phase.SILENT else Phase.WATCHED
    assert ordered_phase(Mode.WATCH, phase) is expected


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("phase", Phase)
def test_the_same_order_twice_changes_nothing(mode: Mode, phase: Phase) -> None:
    once = ordered_phase(mode, phase)
    assert ordered_phase(mode, once) is once


@pytest.mark.parametrize("mode", Mode)
def test_role_limits_the_order(mode: Mode) -> None:
    assert effective_mode(mode, Role.LEAVING) is Mode.RELEASE
    assert effective_mode(mode, Role.ACTIVE) is mode
    assert effective_mode(mode, Role.ISOLATED) is mode
    assert effective_mode(mode, Role.SETTLING) is None
    assert effective_mode(mode, Role.STANDBY) is None


def test_every_phase_that_asks_listens_and_does_not_answer() -> None:
    assert {phase for phase, rhythm in RHYTHMS.items() if rhythm.asks != 0} == LISTENING
    assert not LISTENING & ANSWERING


def test_every_rhythm_that_ends_has_an_outcome() -> None:
    assert {phase for phase, rhythm in RHYTHMS.items() if rhythm.asks is not None} == set(IN_SILENCE)
