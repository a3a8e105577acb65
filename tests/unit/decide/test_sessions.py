from collections.abc import Mapping

from orchestrator.decide.sessions import MOST_TOLD, SessionReason, established
from orchestrator.resources.extensions import PeerSession, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta

TIME = "2026-01-01T00:00:00Z"


def told(reason: SessionReason, message: str = "", peer: str = "router") -> PeerSession:
    up = reason is SessionReason.ESTABLISHED
    return PeerSession(
        peer=peer, neighbor="192.0.2.1", established=up, reason=reason.value, message=message, since=TIME
    )


def speakers(**sessions: PeerSession) -> Mapping[str, SpeakerState]:
    return {
        node: SpeakerState(metadata=ObjectMeta(name=node), spec=SpeakerStateSpec(node=node, sessions=(session,)))
        for node, session in sessions.items()
    }


UP = told(SessionReason.ESTABLISHED)


def test_peer_that_is_up_everywhere_is_established() -> None:
    condition = established("router", {"b", "a"}, speakers(a=UP, b=UP), generation=3)
    assert (condition.type, condition.status, condition.reason) == ("Established", "True", "Established")
    assert condition.message == "on a, b"
    assert condition.observed_generation == 3


def test_one_node_without_session_makes_it_false_and_says_where_and_why() -> None:
    down = told(SessionReason.WRONG_AS, "the router's AS number is not spec.peerASN")
    condition = established("router", {"a", "b", "c"}, speakers(a=down, b=UP, c=down))
    assert (condition.status, condition.reason) == ("False", "WrongAs")
    assert condition.message.splitlines() == [
        "WrongAs on a, c: the router's AS number is not spec.peerASN",
        "Established on b",
    ]


def test_what_somebody_must_mend_is_the_reason_before_what_may_pass() -> None:
    both = speakers(a=told(SessionReason.CONNECTING, "wait"), b=told(SessionReason.PASSWORD_MISMATCH, "look"))
    condition = established("router", {"a", "b"}, both)
    assert condition.reason == "PasswordMismatch"
    assert condition.message.splitlines() == ["PasswordMismatch on b: look", "Connecting on a: wait"]


def test_node_that_says_nothing_is_unknown() -> None:
    condition = established("router", {"a", "b"}, speakers(a=UP, b=told(SessionReason.REFUSED, peer="other")))
    assert (condition.status, condition.reason) == ("Unknown", "NotReported")
    assert "NotReported on b" in condition.message


def test_peer_without_a_node_and_peer_that_is_not_in_use_are_unknown() -> None:
    assert established("router", (), {}).reason == "NoNode"
    unused = established("router", None, {})
    assert (unused.status, unused.reason) == ("Unknown", "NotConfigured")


def test_word_of_a_newer_speaker_is_repeated() -> None:
    newer = PeerSession(peer="router", neighbor="192.0.2.1", reason="Moonlight", message="too bright")
    assert established("router", {"a"}, speakers(a=newer)).reason == "Moonlight"


def test_many_causes_are_cut() -> None:
    many = {f"n{number:02}": told(SessionReason.LOST, f"cause {number:02}") for number in range(MOST_TOLD + 3)}
    lines = established("router", set(many), speakers(**many)).message.splitlines()
    assert len(lines) == MOST_TOLD + 1
    assert lines[-1] == "and 3 causes more"
