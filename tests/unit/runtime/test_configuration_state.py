"""ConfigurationState says what is wrong, and since when."""

from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.resources.metallb import ConfigurationState
from orchestrator.runtime.configuration_state import MOST_CHARACTERS, configuration_state

PEER = ObjectRef("BGPPeer", "metallb-system", "tor")
MISSING = Problem(ref=PEER, field="spec.bfdProfile", message="peer tor referencing non existing bfd profile fast")
WARNING = Problem(ref=PEER, field="spec.disableMP", message="has no effect", severity=Severity.WARNING)


def test_errors_make_it_invalid_with_their_texts() -> None:
    state = configuration_state(node="n1", namespace="metallb-system", problems=[MISSING], previous=None, now="T1")
    assert state.metadata.name == "speaker-n1"
    assert state.status.result == "Invalid"
    assert state.status.error_summary == f"configuration error: {MISSING}"
    assert [(part.type, part.status, part.last_transition_time) for part in state.status.conditions] == [
        ("configReconcilerValid", "False", "T1")
    ]


def test_warnings_leave_it_valid() -> None:
    state = configuration_state(node=None, namespace="metallb-system", problems=[WARNING], previous=None, now="T1")
    assert (state.metadata.name, state.status.result, state.status.error_summary) == ("controller", "Valid", "")


def test_transition_time_changes_with_the_status_only() -> None:
    first = configuration_state(node=None, namespace="m", problems=[], previous=None, now="T1")
    second = configuration_state(node=None, namespace="m", problems=[], previous=first, now="T2")
    third = configuration_state(node=None, namespace="m", problems=[MISSING], previous=second, now="T3")
    assert [state.status.conditions[0].last_transition_time for state in (first, second, third)] == ["T1", "T1", "T3"]


def test_component_that_looks_on_says_why_beside_its_judgment() -> None:
    state = configuration_state(
        node=None, namespace="m", problems=[MISSING], previous=None, now="T1", observing="MetalLB's pods run: a/b"
    )
    after = configuration_state(node=None, namespace="m", problems=[], previous=state, now="T2", observing="c/d")
    assert [(part.type, part.status, part.last_transition_time) for part in after.status.conditions] == [
        ("poolReconcilerValid", "True", "T2"),
        ("ferrule.io/Observing", "True", "T1"),
    ]


def state_of(*problems: Problem) -> ConfigurationState:
    return configuration_state(node="n1", namespace="m", problems=problems, previous=None, now="T1")


def test_metallbs_own_text_stands_alone_where_scripts_compare_it() -> None:
    known = Problem(ref=PEER, field="spec.bfdProfile", message="theirs; remedy", summary="theirs")
    assert state_of(known).status.error_summary == "configuration error: theirs"
    assert state_of(known).status.conditions[0].message == "configuration error: theirs"
    both = "configuration error: theirs\nconfiguration error: BGPPeer metallb-system/tor spec.bfdProfile: peer tor"
    assert state_of(known, MISSING).status.error_summary.startswith(both)


def test_more_errors_than_a_condition_may_hold_are_counted() -> None:
    many = [Problem(ref=PEER, field="spec", message=f"{number} " + 1000 * "x") for number in range(100)]
    text = state_of(*many).status.error_summary
    assert MOST_CHARACTERS - 2000 < len(text) <= MOST_CHARACTERS
    shown = text.count("configuration error: ")
    assert text.endswith(f"x\n(and {100 - shown} more; ferrule lint shows all)")
