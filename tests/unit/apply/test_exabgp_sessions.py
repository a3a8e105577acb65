import pytest

from orchestrator.apply.exabgp_sessions import SessionHistory, parse_sessions
from orchestrator.errors import DaemonError
from orchestrator.fsm.bgp_sessions import Attempt, LastNotification
from orchestrator.fsm.exabgp_api import Ending, Notification, SessionEvent

COUNTS = '{"open": %d, "notification": 0, "keepalive": 5, "update": 7, "refresh": 0, "total": 13}'
SESSIONS = f"""[
 {{"state": "up", "duration": 12, "fsm": "ESTABLISHED", "local": {{"as": 65001}},
   "peer": {{"address": "10.0.0.2", "as": 65000}},
   "messages": {{"sent": {COUNTS % 1}, "received": {COUNTS % 2}}}}},
 {{"state": "down", "duration": 40, "fsm": "CONNECT", "peer": {{"address": "10.0.0.1", "as": null}},
   "messages": {{"sent": {COUNTS % 0}, "received": {COUNTS % 0}}}}}
]"""


def test_sessions_are_read_by_neighbor() -> None:
    idle, live = parse_sessions(SESSIONS, SessionHistory(), {"10.0.0.1": 3, "10.0.0.2": 4})
    assert (live.neighbor, live.vrf, live.established, live.remote_as) == ("10.0.0.2", "default", True, 65000)
    assert (live.uptime_s, live.prefixes_sent, live.times_established) == (12, 4, 1)
    assert (live.messages.opens_sent, live.messages.opens_received, live.messages.updates_sent) == (1, 2, 7)
    assert (idle.neighbor, idle.established, idle.prefixes_sent, idle.times_established) == ("10.0.0.1", False, 0, 0)


def test_events_tell_flaps_and_the_last_reason() -> None:
    history = SessionHistory()
    up, down = (SessionEvent(neighbor="10.0.0.2", state=state, reason="lost") for state in ("up", "down"))
    history.take([up, down, up, Ending()])
    _, live = parse_sessions(SESSIONS, history, {})
    assert (live.times_established, live.last_reset) == (2, "lost")
    history.take([Notification(neighbor="10.0.0.2", direction="receive", code=6, subcode=2)])
    _, live = parse_sessions(SESSIONS, history, {})
    assert live.last_reset == "the neighbor sent notification 6/2"


@pytest.mark.parametrize("text", ["", "{}", "[3]", '[{"fsm": "IDLE"}]'])
def test_other_text_is_an_error_of_the_daemon(text: str) -> None:
    with pytest.raises(DaemonError):
        parse_sessions(text, SessionHistory(), {})


def test_how_far_an_attempt_came_follows_from_state_and_the_last_event() -> None:
    history = SessionHistory()
    idle, live = parse_sessions(SESSIONS, history, {})
    assert (idle.attempt, live.attempt) == (Attempt.PENDING, Attempt.OPEN)
    history.take([SessionEvent(neighbor="10.0.0.1", state="down", reason="closing connection")])
    assert parse_sessions(SESSIONS, history, {})[0].attempt is Attempt.FAILED
    history.take([SessionEvent(neighbor="10.0.0.1", state="down", reason="notification sent (2,2)")])
    idle, _ = parse_sessions(SESSIONS, history, {})
    assert idle.attempt is Attempt.NONE
    assert idle.notification == LastNotification(2, 2, received=False)
    history.take([SessionEvent(neighbor="10.0.0.1", state="up")])
    assert parse_sessions(SESSIONS, history, {})[0].notification is None
