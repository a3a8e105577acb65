from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from orchestrator.fsm.gratuitous import BURST_INTERVAL_S, REFRESH_INTERVAL_S, Place, Schedule, announcements, poke
from orchestrator.fsm.interfaces import Gateway
from orchestrator.net.link import MacAddress
from orchestrator.packet import arp, ndp
from orchestrator.packet.arp import ArpPacket, Operation
from orchestrator.packet.ndp import Advertisement, Flag

MAC = MacAddress.parse("02:00:00:00:00:01")
ROUTER = MacAddress.parse("02:00:00:00:00:02")
LINK_LOCAL = IPv6Address("fe80::1")
V6 = IPv6Address("2001:db8::10")

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


def test_part_of_a_batch_keeps_its_own_time() -> None:
    schedule = Schedule()
    schedule.start([ONE, TWO], 0.0)
    assert schedule.due(0.0, 1) == (ONE,)
    assert schedule.due(0.5, 1) == (TWO,)
    schedule.start([ONE], 1.0)
    assert times(schedule, until=3.0) == pytest.approx([1.0, 1.6, 2.1, 2.7])


def test_empty_schedule_has_no_next_time() -> None:
    assert Schedule().next_at() is None


def test_announcement_is_a_request_and_a_reply() -> None:
    frames = announcements(MAC, ONE.address, None)
    assert [frame[arp.OPERATION] for frame in frames] == [b"\x00\x01", b"\x00\x02"]
    assert {frame[arp.SENDER_ADDRESS] for frame in frames} == {ONE.address}


def test_announcement_of_ipv6_comes_from_the_interface() -> None:
    assert announcements(MAC, V6.packed, LINK_LOCAL) == (ndp.announcement(MAC, LINK_LOCAL, V6),)


def test_without_link_local_address_ipv6_is_not_announced() -> None:
    assert announcements(MAC, V6.packed, None) == ()


def test_gateway_is_asked_for_its_own_address_by_ours() -> None:
    router = IPv4Address("192.0.2.254")
    frame = poke(MAC, ONE.address, None, Gateway(interface=2, address=router, mac=ROUTER))
    assert frame is not None
    assert frame[arp.DESTINATION] == ROUTER.octets
    assert arp.decode_frame(frame) == ArpPacket(
        operation=Operation.REQUEST,
        sender_mac=MAC,
        sender_address=IPv4Address(ONE.address),
        target_mac=arp.NO_MAC,
        target_address=router,
    )


def test_gateway_is_told_of_ipv6() -> None:
    router = IPv6Address("fe80::fe")
    frame = poke(MAC, V6.packed, LINK_LOCAL, Gateway(interface=2, address=router, mac=ROUTER))
    assert frame is not None
    assert frame[ndp.DESTINATION] == ROUTER.octets
    assert ndp.decode_frame(frame) == Advertisement(
        source=LINK_LOCAL, destination=router, target=V6, flags=Flag.OVERRIDE, target_mac=MAC
    )


@pytest.mark.parametrize(
    ("address", "gateway", "source"),
    [
        ("192.0.2.1", "fe80::fe", LINK_LOCAL),
        ("2001:db8::1", "192.0.2.254", LINK_LOCAL),
        ("2001:db8::1", "fe80::fe", None),
    ],
)
def test_gateway_of_another_family_is_left_alone(address: str, gateway: str, source: IPv6Address | None) -> None:
    told = Gateway(interface=2, address=ip_address(gateway), mac=ROUTER)
    assert poke(MAC, ip_address(address).packed, source, told) is None
