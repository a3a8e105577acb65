import pytest

from orchestrator.net.link import BROADCAST, MacAddress
from orchestrator.packet import ethernet
from orchestrator.packet.ethernet import TYPE_ARP, EthernetFrame, FrameError

FRAME = EthernetFrame(
    destination=BROADCAST, source=MacAddress.parse("02:00:00:00:00:01"), ethertype=TYPE_ARP, payload=b"payload"
)
OCTETS = bytes.fromhex("ffffffffffff 020000000001 0806") + b"payload"


def test_encode() -> None:
    assert ethernet.encode(FRAME) == OCTETS


def test_decode() -> None:
    assert ethernet.decode(OCTETS) == FRAME


def test_a_frame_may_be_empty() -> None:
    frame = ethernet.decode(OCTETS[:14])
    assert isinstance(frame, EthernetFrame)
    assert frame.payload == b""


@pytest.mark.parametrize("length", [0, 1, 13])
def test_truncated_header_is_refused(length: int) -> None:
    assert ethernet.decode(OCTETS[:length]) is FrameError.TRUNCATED
