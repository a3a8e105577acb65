import pytest

from orchestrator.fsm.gratuitous import BURST_INTERVAL_S, REFRESH_INTERVAL_S, Place, Schedule, announcements
from orchestrator.net.link import MacAddress
from orchestrator.packet import arp

ONE = Place(2, b"\xc0\x00\x02\x0a")
TWO = Place(3, b"\xc0\x00\x02\x0a")
ALL = 1000


def times(schedule: Schedule, *, until: float) -> list[float]:
    """When something is announced, if it is asked exactly then."""
    found: list[float] = []
    while (at := schedule.next_at()) is not None and at <= until:
        if schedule.due(at, ALL):
            found.append(at)
    return found


def test_burst_then_refresh() -> None:
    schedule = Schedule()
    schedule.start([ONE], 100.0)
    expected = [100.0, 101.1, 102.2, 103.3, 104.4, 344.4, 584.4]
    assert times(schedule, until=600.0) == pytest.approx(expected)


def test_nothing_is_due_early() -> None:
    schedule = Schedule()
    schedule.start([ONE], 100.0)
    assert schedule.due(100.0, ALL) == (ONE,)
    assert schedule.due(100.0 + BURST_INTERVAL_S - 0.01, ALL) == ()


def test_started_again_the_burst_begins_anew() -> None:
    schedule = Schedule()
    schedule.start([ONE], 0.0)
    assert times(schedule, until=4.0) == pytest.approx([0.0, 1.1, 2.2, 3.3])
    schedule.start([ONE], 4.0)
    assert times(schedule, until=20.0) == pytest.approx([4.0, 5.1, 6.2, 7.3, 8.4])


def test_late_process_does_not_catch_up() -> None:
    schedule = Schedule()
    schedule.start([ONE], 0.0)
    assert schedule.due(0.0, ALL) == (ONE,)
    assert schedule.due(3.0, ALL) == (ONE,)
    assert schedule.due(3.0, ALL) == ()
    assert times(schedule, until=100.0) == pytest.approx([4.1])
    assert schedule.next_at() == pytest.approx(4.1 + REFRESH_INTERVAL_S)


def test_stopped_place_is_silent() -> None:
    schedule = Schedule()
    schedule.start([ONE, TWO], 0.0)
    schedule.stop([ONE, Place(9, b"none")])
    assert schedule.due(0.0, ALL) == (TWO,)
    assert set(schedule.places) == {TWO}


def test_limit_leaves_the_rest_due() -> None:
    schedule = Schedule()
    places = [Place(2, number.to_bytes(4)) for number in range(10)]
    schedule.start(places, 0.0)
    first = schedule.due(0.0, 4)
    assert schedule.next_at() == 0.0
    rest = schedule.due(0.0, ALL)
    assert (len(first), sorted(first + rest)) == (4, places)


def test_empty_schedule_has_no_next_time() -> None:
    assert Schedule().next_at() is None


def test_announcement_is_a_request_and_a_reply() -> None:
    frames = announcements(MacAddress.parse("02:00:00:00:00:01"), ONE.address)
    assert [frame[arp.OPERATION] for frame in frames] == [b"\x00\x01", b"\x00\x02"]
    assert {frame[arp.SENDER_ADDRESS] for frame in frames} == {ONE.address}
