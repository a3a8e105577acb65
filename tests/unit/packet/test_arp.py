from ipaddress import IPv4Address

import pytest

from orchestrator.net.link import BROADCAST, MacAddress
from orchestrator.packet import arp
from orchestrator.packet.arp import ArpPacket, Operation
from orchestrator.packet.ethernet import FrameError

ASKER = MacAddress.parse("02:00:00:00:00:01")
OWNER = MacAddress.parse("02:00:00:00:00:02")
REQUEST = ArpPacket(
    operation=Operation.REQUEST,
    sender_mac=ASKER,
    sender_address=IPv4Address("192.0.2.1"),
    target_mac=arp.NO_MAC,
    target_address=IPv4Address("192.0.2.10"),
)
REQUEST_OCTETS = bytes.fromhex("0001 0800 06 04 0001 020000000001 c0000201 000000000000 c000020a")


def test_encode_request() -> None:
    assert arp.encode(REQUEST) == REQUEST_OCTETS


def test_decode_request_with_padding() -> None:
    assert arp.decode(REQUEST_OCTETS + bytes(18)) == REQUEST


def test_request_frame_is_broadcast_by_its_sender() -> None:
    expected = bytes.fromhex("ffffffffffff 020000000001 0806") + REQUEST_OCTETS
    assert arp.request(ASKER, IPv4Address("192.0.2.1"), IPv4Address("192.0.2.10")) == expected
    assert arp.decode_frame(expected) == REQUEST


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (REQUEST_OCTETS[:27], FrameError.TRUNCATED),
        (b"", FrameError.TRUNCATED),
        (b"\x00\x06" + REQUEST_OCTETS[2:], FrameError.OTHER_TYPE),
        (REQUEST_OCTETS[:2] + b"\x86\xdd" + REQUEST_OCTETS[4:], FrameError.OTHER_TYPE),
        (REQUEST_OCTETS[:4] + b"\x08" + REQUEST_OCTETS[5:], FrameError.OTHER_TYPE),
        (REQUEST_OCTETS[:6] + b"\x00\x03" + REQUEST_OCTETS[8:], FrameError.OTHER_OPERATION),
    ],
)
def test_what_is_no_arp_for_ipv4_over_ethernet_is_refused(octets: bytes, error: FrameError) -> None:
    assert arp.decode(octets) is error


def test_frame_of_another_protocol_is_refused() -> None:
    assert arp.decode_frame(bytes(12) + b"\x08\x00" + REQUEST_OCTETS) is FrameError.OTHER_TYPE
    assert arp.decode_frame(b"short") is FrameError.TRUNCATED


def test_announcement_as_request_has_no_target_mac() -> None:
    """RFC 5227 §2.3: sender and target IP are the address announced."""
    announced = IPv4Address("192.0.2.10")
    packet = arp.decode_frame(arp.announcement_request(OWNER, announced))
    assert packet == ArpPacket(
        operation=Operation.REQUEST,
        sender_mac=OWNER,
        sender_address=announced,
        target_mac=arp.NO_MAC,
        target_address=announced,
    )


def test_announcement_as_reply_is_broadcast_with_equal_ends() -> None:
    announced = IPv4Address("192.0.2.10")
    frame = arp.announcement_reply(OWNER, announced)
    assert frame[arp.DESTINATION] == BROADCAST.octets
    assert arp.decode_frame(frame) == ArpPacket(
        operation=Operation.REPLY,
        sender_mac=OWNER,
        sender_address=announced,
        target_mac=OWNER,
        target_address=announced,
    )


def test_slices_read_a_frame_in_place() -> None:
    frame = arp.request(ASKER, IPv4Address("192.0.2.1"), IPv4Address("192.0.2.10"))
    assert frame[arp.FRAME_KIND_AT] == arp.FRAME_KIND
    assert frame[arp.OPERATION] == Operation.REQUEST.value
    assert frame[arp.SENDER] == ASKER.octets + IPv4Address("192.0.2.1").packed
    assert frame[arp.SENDER_MAC] + frame[arp.SENDER_ADDRESS] == frame[arp.SENDER]
    assert frame[arp.TARGET_ADDRESS] == IPv4Address("192.0.2.10").packed
    assert len(frame) == arp.FRAME_LENGTH
