from orchestrator.fsm.pacing import Agenda, Bucket, Limiter

A, B, C = b"\xc0\x00\x02\x0a", b"\xc0\x00\x02\x0b", b"\xc0\x00\x02\x0c"


def test_agenda_gives_what_is_due_the_longest_due_first() -> None:
    agenda = Agenda()
    for address, at in ((A, 3.0), (B, 1.0), (C, 2.0)):
        agenda.plan(address, at)
    assert agenda.due(0.9) == []
    assert agenda.due(2.0) == [B, C]
    assert agenda.next_at() == 3.0
    assert agenda.due(3.0) == [A]
    assert agenda.next_at() is None


def test_agenda_gives_no_more_than_the_limit() -> None:
    agenda = Agenda()
    for address in (A, B, C):
        agenda.plan(address, 1.0)
    assert agenda.due(1.0, 2) == [A, B]
    assert agenda.next_at() == 1.0
    assert agenda.due(1.0, 2) == [C]


def test_planning_again_replaces_the_time() -> None:
    agenda = Agenda()
    agenda.plan(A, 1.0)
    agenda.plan(A, 2.0)
    assert agenda.due(1.5) == []
    assert agenda.due(2.0) == [A]
    assert agenda.due(9.0) == []


def test_planning_the_same_time_twice_makes_it_due_once() -> None:
    agenda = Agenda()
    agenda.plan(A, 1.0)
    agenda.plan(A, 1.0)
    assert agenda.due(1.0) == [A]
    assert agenda.next_at() is None


def test_cancelled_address_is_not_due() -> None:
    agenda = Agenda()
    agenda.plan(A, 1.0)
    agenda.cancel(A)
    agenda.cancel(B)
    assert A not in agenda
    assert agenda.due(1.0) == []


def test_limiter_admits_each_key_once_per_interval() -> None:
    limiter = Limiter[bytes](1.0, 10)
    assert limiter.admits(A, 0.0)
    assert not limiter.admits(A, 0.75)
    assert limiter.admits(B, 0.75)
    assert limiter.admits(A, 1.0)
    assert not limiter.admits(B, 1.5)
    assert limiter.admits(B, 1.75)


def test_limiter_admits_no_more_than_its_capacity() -> None:
    limiter = Limiter[bytes](1.0, 2)
    assert [limiter.admits(key, 0.1 * at) for at, key in enumerate((A, B, C))] == [True, True, False]
    assert limiter.admits(C, 1.0)


def test_bucket_gives_its_burst_at_once_and_then_one_after_the_other() -> None:
    bucket = Bucket(per_s=2.0, burst=3)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.next_at() == 10.5
    assert not bucket.take(10.25)
    assert bucket.take(10.5)
    assert not bucket.take(10.5)


def test_bucket_never_holds_more_than_its_burst() -> None:
    bucket = Bucket(per_s=1.0, burst=2)
    assert bucket.take(0.0)
    assert [bucket.take(1000.0) for _ in range(3)] == [True, True, False]
