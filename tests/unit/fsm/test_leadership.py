from dataclasses import replace
from math import inf

from orchestrator.fsm.leadership import (
    Candidate,
    Leadership,
    LeaseRecord,
    Read,
    Write,
    failed,
    found,
    leave,
    refused,
    request,
    written,
)

ME = Candidate(identity="me", duration_s=15, renew_s=10, retry_s=2)
ABSENT = LeaseRecord()
THEIRS = LeaseRecord(holder="other", duration_s=15, acquired="a", renewed="a", transitions=4, resource_version="7")
WALL = "2026-01-01T00:00:00.000000Z"


def ask(state: Leadership, now: float) -> Read | Write | None:
    return request(state, ME, now, WALL)


def claim(state: Leadership, now: float) -> Write:
    asked = ask(state, now)
    assert isinstance(asked, Write)
    return asked


def leading(now: float = 0.0) -> Leadership:
    state = found(Leadership(), ME, ABSENT, now, 0)
    return written(state, ME, claim(state, now), "1", now, 0)


def test_unknown_lease_is_read_first() -> None:
    assert ask(Leadership(), 0) == Read()


def test_absent_lease_is_created_at_once() -> None:
    state = found(Leadership(), ME, ABSENT, 100, 0.5)
    record = claim(state, 100).record
    assert record == LeaseRecord(holder="me", duration_s=15, acquired=WALL, renewed=WALL)


def test_released_lease_is_taken_at_once_and_counted() -> None:
    state = found(Leadership(), ME, replace(THEIRS, holder="", duration_s=1), 100, 0)
    record = claim(state, 100).record
    assert (record.holder, record.transitions, record.resource_version) == ("me", 5, "7")


def test_own_lease_goes_on_at_once_with_its_beginning() -> None:
    state = found(Leadership(), ME, replace(THEIRS, holder="me"), 100, 0)
    record = claim(state, 100).record
    assert (record.acquired, record.renewed, record.transitions) == ("a", WALL, 4)


def test_lease_of_another_is_left_alone_until_it_did_not_change_for_its_duration() -> None:
    state = found(Leadership(), ME, THEIRS, 100, 0)
    assert ask(state, 101) is None
    assert ask(state, 102) == Read()
    state = found(state, ME, THEIRS, 102, 0)
    state = found(state, ME, replace(THEIRS, renewed="b", resource_version="8"), 110, 0)
    assert ask(state, 124.9) == Read()
    assert claim(state, 125).record.resource_version == "8"


def test_lease_counts_its_holders_duration_not_ours() -> None:
    state = found(Leadership(), ME, replace(THEIRS, duration_s=60), 100, 0)
    assert ask(state, 159) == Read()
    assert isinstance(ask(state, 160), Write)


def test_expiry_is_not_slept_through() -> None:
    state = found(Leadership(), ME, replace(THEIRS, duration_s=1), 100, 0.9)
    assert state.next_at == 101


def test_right_to_write_counts_from_when_the_renewal_was_sent() -> None:
    state = found(Leadership(), ME, ABSENT, 0, 0)
    write = claim(state, 0)
    state = written(state, ME, write, "1", 4, 0)
    assert state.leads(9.9)
    assert not state.leads(10)


def test_answer_after_the_right_would_have_ended_gives_none() -> None:
    state = found(Leadership(), ME, ABSENT, 0, 0)
    state = written(state, ME, claim(state, 0), "1", 11, 0)
    assert not state.leads(11)
    assert isinstance(ask(state, 11), Write)


def test_renewal_that_nobody_can_see_is_none() -> None:
    state = leading()
    state = written(state, ME, claim(state, 5), "1", 5, 0)
    assert state.leads_until == 10


def test_term_goes_on_while_renewed_and_is_another_after_a_lapse() -> None:
    state = leading()
    state = written(state, ME, claim(state, 5), "2", 5, 0)
    assert state.term == 1
    state = written(state, ME, claim(state, 14), "3", 15.5, 0)
    assert state.term == 2


def test_failed_renewal_is_read_again_later_and_the_right_runs_out() -> None:
    state = failed(leading(), ME, 3, 0)
    assert ask(state, 4.9) is None
    assert ask(state, 5) == Read()
    assert state.leads_until == 10


def test_refused_write_is_read_at_once() -> None:
    assert ask(refused(leading(), 3), 3) == Read()


def test_leader_that_sees_another_holder_leads_no_more() -> None:
    assert not found(leading(), ME, THEIRS, 3, 0).leads(3)


def test_deleted_lease_binds_its_rivals_and_is_put_back_by_its_holder() -> None:
    rival = found(Leadership(), ME, THEIRS, 100, 0)
    rival = found(rival, ME, ABSENT, 110, 0)
    assert ask(rival, 124) == Read()
    assert claim(found(rival, ME, ABSENT, 125, 0), 125).record == LeaseRecord(
        holder="me", duration_s=15, acquired=WALL, renewed=WALL, transitions=5
    )
    holder = found(refused(leading(), 3), ME, ABSENT, 3, 0)
    assert holder.leads(3)
    assert claim(holder, 3).record.resource_version == ""


def test_leaver_stops_writing_before_it_releases() -> None:
    state = leave(leading(), 3)
    assert not state.leads(3)
    write = claim(state, 3)
    assert (write.record.holder, write.record.duration_s, write.record.resource_version) == ("", 1, "1")
    state = written(state, ME, write, "2", 3, 0)
    assert ask(state, 3) is None
    assert state.leads_until == -inf


def test_leaver_looks_whether_a_claim_of_unknown_fate_came_through() -> None:
    state = found(Leadership(), ME, replace(THEIRS, holder=""), 0, 0)
    state = leave(failed(state, ME, 1, 0), 1)
    assert ask(state, 1) == Read()
    state = found(state, ME, replace(THEIRS, holder="me", resource_version="8"), 1, 0)
    assert claim(state, 1).record.holder == ""


def test_follower_leaves_without_a_word() -> None:
    assert ask(leave(found(Leadership(), ME, THEIRS, 0, 0), 1), 1) is None
    assert ask(leave(Leadership(), 1), 1) is None
