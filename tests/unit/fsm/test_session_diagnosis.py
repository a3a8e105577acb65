from typing import Any

import pytest

from orchestrator.decide.sessions import SessionReason
from orchestrator.fsm.bgp_sessions import Attempt, BgpSession, LastNotification
from orchestrator.fsm.session_diagnosis import Way, diagnose
from orchestrator.resources.secret_text import SecretText
from tests.support.frr_documents import peer

LOCKED = peer(password=SecretText("geheim"))


def session(**fields: Any) -> BgpSession:
    return BgpSession(neighbor="10.99.0.254", **fields)


def ended_by(code: int, subcode: int, *, received: bool = False, attempt: Attempt = Attempt.NONE) -> BgpSession:
    return session(notification=LastNotification(code, subcode, received), attempt=attempt)


@pytest.mark.parametrize(
    ("found", "way", "reason"),
    [
        (session(state="Established"), Way.UNKNOWN, SessionReason.ESTABLISHED),
        (session(held=True), Way.NO_ROUTE, SessionReason.HELD_BY_OPERATOR),
        (session(), Way.NO_ROUTE, SessionReason.NO_ROUTE),
        (session(), Way.NO_SOURCE, SessionReason.NO_ROUTE),
        (session(attempt=Attempt.PENDING), Way.NO_NEIGHBOR, SessionReason.NO_NEIGHBOR),
        (session(attempt=Attempt.PENDING), Way.NEIGHBOR, SessionReason.NO_ANSWER),
        (session(attempt=Attempt.FAILED), Way.NEIGHBOR, SessionReason.REFUSED),
        (session(attempt=Attempt.CLOSED), Way.NEIGHBOR, SessionReason.CLOSED_BY_PEER),
        (session(), Way.NEIGHBOR, SessionReason.CONNECTING),
        (session(last_reset="No AFI/SAFI activated for peer"), Way.UNKNOWN, SessionReason.CONNECTING),
        (session(last_reset="Waiting for VRF to be initialized", vrf="blue"), Way.UNKNOWN, SessionReason.VRF_MISSING),
        (session(last_reset="Waiting for NHT"), Way.ROUTED, SessionReason.NO_ROUTE),
        (session(last_reset="Waiting for Peer IPv6 LLA"), Way.UNKNOWN, SessionReason.NO_NEIGHBOR),
        (session(last_reset="BFD down received"), Way.NEIGHBOR, SessionReason.BFD_DOWN),
        (session(last_reset="Interface down"), Way.NEIGHBOR, SessionReason.INTERFACE_DOWN),
        (session(last_reset="Peer closed the session"), Way.NEIGHBOR, SessionReason.LOST),
        (session(last_reset="something new"), Way.NEIGHBOR, SessionReason.LOST),
        (ended_by(2, 2), Way.NEIGHBOR, SessionReason.WRONG_AS),
        (ended_by(2, 2, received=True, attempt=Attempt.FAILED), Way.NEIGHBOR, SessionReason.WRONG_AS),
        (ended_by(2, 6), Way.NEIGHBOR, SessionReason.OPEN_REFUSED),
        (ended_by(2, 99, received=True), Way.NEIGHBOR, SessionReason.OPEN_REFUSED),
        (ended_by(6, 2, received=True), Way.NEIGHBOR, SessionReason.CEASED_BY_PEER),
        (ended_by(6, 2, received=True, attempt=Attempt.CLOSED), Way.NEIGHBOR, SessionReason.CEASED_BY_PEER),
        (ended_by(6, 99, received=True), Way.NEIGHBOR, SessionReason.CEASED_BY_PEER),
        (ended_by(6, 2), Way.NEIGHBOR, SessionReason.LOST),
        (ended_by(4, 0), Way.NEIGHBOR, SessionReason.HOLD_TIME_EXPIRED),
        (ended_by(4, 0, received=True, attempt=Attempt.OPEN), Way.NO_NEIGHBOR, SessionReason.HOLD_TIME_EXPIRED),
        (ended_by(3, 1), Way.NEIGHBOR, SessionReason.LOST),
    ],
)
def test_reason_follows_from_attempt_notification_and_way(found: BgpSession, way: Way, reason: SessionReason) -> None:
    assert diagnose(peer(), found, way).reason is reason


def test_unanswered_neighbor_on_the_link_has_another_password() -> None:
    unanswered = session(attempt=Attempt.PENDING)
    assert diagnose(LOCKED, unanswered, Way.NEIGHBOR).reason is SessionReason.PASSWORD_MISMATCH
    far = diagnose(LOCKED, unanswered, Way.ROUTED)
    assert far.reason is SessionReason.NO_ANSWER
    assert "are the passwords equal" in far.message
    assert "geheim" not in far.message


def test_router_that_died_is_told_with_what_ended_the_session() -> None:
    found = diagnose(peer(), ended_by(4, 0, attempt=Attempt.PENDING), Way.NEIGHBOR)
    assert found.reason is SessionReason.NO_ANSWER
    assert found.message.endswith("; the last session: we heard nothing for the whole hold time")


def test_both_sides_of_a_wrong_as_number_are_told_apart() -> None:
    ours, theirs = (diagnose(peer(), ended_by(2, 2, received=received), Way.NEIGHBOR) for received in (True, False))
    assert "spec.myASN" in ours.message
    assert "spec.peerASN" in theirs.message


def test_words_name_vrf_and_neighbor() -> None:
    found = diagnose(peer(), session(last_reset="Waiting for VRF to be initialized", vrf="blue"), Way.UNKNOWN)
    assert found.message == "the node has no such VRF: blue"
