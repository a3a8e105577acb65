import json

import pytest

from orchestrator.apply.frr_sessions import parse_sessions
from orchestrator.errors import DaemonError
from orchestrator.fsm.bgp_sessions import Attempt, BgpSession, LastNotification

NEIGHBORS = """
{"default": {"vrfId": 0, "vrfName": "default",
  "10.0.0.2": {"remoteAs": 65000, "bgpState": "Established", "bgpTimerUpMsec": 5000, "portForeign": 179,
    "connectionsEstablished": 2, "lastResetDueTo": "Waiting for NHT",
    "messageStats": {"opensSent": 2, "opensRecv": 1, "updatesSent": 7, "totalSent": 30, "totalRecv": 20},
    "addressFamilyInfo": {"ipv4Unicast": {"sentPrefixCounter": 3}, "ipv6Unicast": {"sentPrefixCounter": 4}}},
  "eth7": {"bgpState": "Idle", "portForeign": -1}},
 "blue": {"vrfId": -1, "vrfName": "blue"}}
"""


def test_sessions_are_read_by_vrf_and_neighbor() -> None:
    one, other = parse_sessions(NEIGHBORS)
    assert (one.neighbor, one.vrf, one.established, one.uptime_s) == ("10.0.0.2", "default", True, 5.0)
    assert (one.port, one.remote_as, one.times_established, one.prefixes_sent) == (179, 65000, 2, 7)
    assert (one.messages.opens_sent, one.messages.updates_sent, one.messages.total_received) == (2, 7, 20)
    assert (other.neighbor, other.established, other.port, other.prefixes_sent) == ("eth7", False, 0, 0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"default": 3}', '{"default": {"x": {"bgpState": 3}}}'])
def test_other_text_is_an_error_of_the_daemon(text: str) -> None:
    with pytest.raises(DaemonError):
        parse_sessions(text)


def neighbor(state: str, **fields: object) -> BgpSession:
    text = json.dumps({"default": {"10.0.0.1": {"bgpState": state, **fields}}})
    (session,) = parse_sessions(text)
    return session


def test_how_far_an_attempt_came_follows_from_state_and_open_messages() -> None:
    closed = {"messageStats": {"opensSent": 2, "opensRecv": 1}}
    assert neighbor("Connect").attempt is Attempt.PENDING
    assert neighbor("Active").attempt is Attempt.FAILED
    assert neighbor("Active", **closed).attempt is Attempt.CLOSED
    assert neighbor("OpenSent", **closed).attempt is Attempt.OPEN
    assert neighbor("Idle", **closed).attempt is Attempt.NONE


def test_notification_counts_if_it_ended_the_last_session() -> None:
    sent = neighbor("Idle", lastResetDueTo="BGP Notification send", lastErrorCodeSubcode="0202")
    received = neighbor("Idle", lastResetDueTo="BGP Notification received", lastErrorCodeSubcode="060A")
    assert sent.notification == LastNotification(2, 2, received=False)
    assert received.notification == LastNotification(6, 10, received=True)
    assert neighbor("Idle", lastResetDueTo="Interface down", lastErrorCodeSubcode="0202").notification is None


def test_neighbor_that_a_person_shut_down_is_held() -> None:
    assert neighbor("Idle", adminShutDown=True).held
