from orchestrator.fsm.contests import REPORTS_PER_INTERVAL, Contests, Speaker
from orchestrator.fsm.responder import Claim
from orchestrator.net.link import MacAddress

A, B = b"\xc0\x00\x02\x0a", b"\xc0\x00\x02\x0b"


def claim(address: bytes = A, mac: int = 1) -> Claim:
    return Claim(address, MacAddress(mac.to_bytes(6, "big")), "eth0")


def test_claim_is_reported_once_a_second_per_address_and_mac() -> None:
    contests = Contests()
    assert contests.is_reported(claim(), 0.0)
    assert not contests.is_reported(claim(), 0.75)
    assert contests.is_reported(claim(mac=2), 0.75)
    assert contests.is_reported(claim(B), 0.75)
    assert contests.is_reported(claim(), 1.0)


def test_reports_about_made_up_macs_are_bounded() -> None:
    contests = Contests()
    reported = sum(contests.is_reported(claim(mac=mac), mac / 10_000) for mac in range(9999))
    assert reported == REPORTS_PER_INTERVAL


def test_stranger_is_answered_once_in_ten_seconds_whoever_is_there() -> None:
    contests = Contests()
    assert contests.is_answered(claim(mac=1), "", Speaker.CONNECTED, 0.0)
    assert not contests.is_answered(claim(mac=2), "", Speaker.AWAY, 9.5)
    assert contests.is_answered(claim(B), "", Speaker.AWAY, 9.5)
    assert contests.is_answered(claim(mac=1), "", Speaker.CONNECTED, 10.0)


def test_node_of_ours_is_left_to_the_speaker() -> None:
    contests = Contests()
    assert not contests.is_answered(claim(), "b", Speaker.CONNECTED, 0.0)
    assert contests.is_answered(claim(), "b", Speaker.AWAY, 0.0)
    assert not contests.is_answered(claim(), "b", Speaker.AWAY, 0.75)
    assert contests.is_answered(claim(), "b", Speaker.AWAY, 1.0)


def test_ordered_defences_are_spaced() -> None:
    contests = Contests()
    assert [contests.may_defend(A, at) for at in (0.0, 0.125, 0.25)] == [True, False, True]
