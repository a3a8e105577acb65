from orchestrator.fsm.bgp_sessions import BgpSession, SessionKey


def test_neighbor_that_a_daemon_does_not_have_is_not_established() -> None:
    absent = BgpSession(neighbor="192.0.2.1")
    assert not absent.established
    assert absent.key == SessionKey("192.0.2.1", "default")
    assert absent.messages.total_sent == 0
