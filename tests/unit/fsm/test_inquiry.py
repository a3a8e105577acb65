import pytest

from orchestrator.fsm.inquiry import VERDICT_SPACING_S, Inquiry, Rhythm

A, B = b"\xc0\x00\x02\x0a", b"\xc0\x00\x02\x0b"
THREE = Rhythm(asks=3, interval_s=1.0, verdict_s=1.0)
PATIENT = Rhythm(asks=3, first_s=5.0, interval_s=5.0, verdict_s=1.0)
ENDLESS = Rhythm(asks=None, first_s=5.0, interval_s=5.0)
DEADLINE = Rhythm(asks=0, verdict_s=1.0)


def asks_until(inquiry: Inquiry, end: float) -> list[tuple[float, bytes]]:
    """Every ask up to `end`, with its time; verdicts are left alone."""
    asks: list[tuple[float, bytes]] = []
    while (at := inquiry.next_ask_at()) is not None and at <= end:
        asks += [(at, address) for address in inquiry.asks_due(at, 10)]
    return asks


def test_three_asks_without_an_answer_are_silence() -> None:
    inquiry = Inquiry()
    inquiry.begin(A, THREE, 10.0)
    assert asks_until(inquiry, 100.0) == [(10.0, A), (11.0, A), (12.0, A)]
    assert inquiry.next_silence_at() == 13.0
    assert inquiry.silences_due(12.9) == []
    assert inquiry.silences_due(13.0) == [A]
    assert inquiry.next_silence_at() is None


def test_first_ask_may_wait() -> None:
    inquiry = Inquiry()
    inquiry.begin(A, PATIENT, 0.0)
    assert asks_until(inquiry, 100.0) == [(5.0, A), (10.0, A), (15.0, A)]
    assert inquiry.next_silence_at() == 16.0


def test_endless_rhythm_has_no_verdict() -> None:
    inquiry = Inquiry()
    inquiry.begin(A, ENDLESS, 0.0)
    assert [at for at, _ in asks_until(inquiry, 40.0)] == [5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0]
    assert inquiry.next_silence_at() is None


def test_rhythm_without_asks_is_a_deadline() -> None:
    inquiry = Inquiry()
    inquiry.begin(A, DEADLINE, 0.0)
    assert inquiry.next_ask_at() is None
    assert inquiry.silences_due(1.0) == [A]


@pytest.mark.parametrize("claimed_at", [0.5, 2.5])
def test_answer_makes_the_silence_begin_anew(claimed_at: float) -> None:
    inquiry = Inquiry()
    inquiry.begin(A, THREE, 0.0)
    asks_until(inquiry, claimed_at)
    inquiry.answered(A, claimed_at)
    assert inquiry.silences_due(3.0) == []
    assert len(asks_until(inquiry, 100.0)) == 3
    assert inquiry.next_silence_at() is not None


def test_answers_plan_no_further_asks() -> None:
    inquiry = Inquiry()
    inquiry.begin(A, THREE, 0.0)
    for count in range(1000):
        inquiry.answered(A, count / 1000)
    assert asks_until(inquiry, 0.99) == [(0.0, A)]


def test_ended_inquiry_is_silent() -> None:
    inquiry = Inquiry()
    inquiry.begin(A, THREE, 0.0)
    inquiry.begin(B, DEADLINE, 0.0)
    for address in (A, B):
        inquiry.end(address)
    assert (inquiry.next_ask_at(), inquiry.next_silence_at()) == (None, None)


def test_limit_leaves_the_rest_due() -> None:
    inquiry = Inquiry()
    inquiry.begin(A, THREE, 0.0)
    inquiry.begin(B, THREE, 0.0)
    assert inquiry.asks_due(0.0, 1) == [A]
    assert inquiry.asks_due(0.0, 1) == [B]


def test_verdicts_of_many_addresses_share_few_instants_and_none_is_much_late() -> None:
    inquiry = Inquiry()
    once = Rhythm(asks=1, verdict_s=0.1)
    asked: dict[bytes, float] = {}
    for number in range(1000):
        address = number.to_bytes(4, "big")
        asked[address] = number / 1000
        inquiry.begin(address, once, asked[address])
        assert inquiry.asks_due(asked[address], 10) == [address]
    verdicts = []
    while (at := inquiry.next_silence_at()) is not None:
        verdicts.append(at)
        for address in inquiry.silences_due(at):
            assert 0.1 <= at - asked[address] + 1e-9 < 0.1 + VERDICT_SPACING_S + 1e-9
    assert len(verdicts) <= 22


@pytest.mark.parametrize("asked", [1, 3])
def test_question_that_could_not_be_put_is_no_silence(asked: int) -> None:
    inquiry = Inquiry()
    inquiry.begin(A, THREE, 0.0)
    asks_until(inquiry, asked - 1.0)
    inquiry.suspend(A)
    assert (inquiry.next_ask_at(), inquiry.next_silence_at()) == (None, None)
    inquiry.resume(50.0)
    assert asks_until(inquiry, 100.0) == [(50.0, A), (51.0, A), (52.0, A)]
    assert inquiry.next_silence_at() == 53.0


def test_suspended_question_that_ended_is_not_resumed() -> None:
    inquiry = Inquiry()
    inquiry.begin(A, THREE, 0.0)
    inquiry.suspend(A)
    inquiry.end(A)
    inquiry.resume(50.0)
    assert inquiry.next_ask_at() is None
