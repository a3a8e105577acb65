import sys

import pytest

from orchestrator.packet import netlink
from orchestrator.packet.netlink import KIND_DONE, KIND_ERROR, Message, MessageError

FIRST = Message(kind=16, flags=2, sequence=7, payload=b"abcde")
SECOND = Message(kind=KIND_DONE, flags=2, sequence=7, payload=bytes(4))


def test_message_starts_with_its_length_and_ends_with_padding() -> None:
    assert netlink.encode(FIRST) == b"".join(
        (
            (21).to_bytes(4, sys.byteorder),
            (16).to_bytes(2, sys.byteorder),
            (2).to_bytes(2, sys.byteorder),
            (7).to_bytes(4, sys.byteorder),
            bytes(4),
            b"abcde",
            bytes(3),
        )
    )


def test_datagram_may_hold_several_messages() -> None:
    assert netlink.decode(netlink.encode(FIRST) + netlink.encode(SECOND)) == (FIRST, SECOND)


def test_padding_of_the_last_message_may_be_absent() -> None:
    assert netlink.decode(netlink.encode(FIRST)[:-3]) == (FIRST,)


@pytest.mark.parametrize("cut", [1, 15, 16, 20])
def test_message_that_is_cut_off_spoils_its_datagram(cut: int) -> None:
    assert netlink.decode(netlink.encode(SECOND) + netlink.encode(FIRST)[:cut]) is MessageError.TRUNCATED


def test_length_below_that_of_the_header_is_refused() -> None:
    assert netlink.decode((15).to_bytes(4, sys.byteorder) + bytes(12)) is MessageError.TRUNCATED


def test_attributes_are_found_by_kind_without_the_bits_that_tell_their_form() -> None:
    octets = netlink.encode_attributes({1: b"eth0\0", 0x8000 | 18: b"nested", 10: b""})
    assert len(octets) == 12 + 12 + 4
    assert netlink.decode_attributes(octets) == {1: b"eth0\0", 18: b"nested", 10: b""}


@pytest.mark.parametrize("octets", [b"\1", (3).to_bytes(2, sys.byteorder) + bytes(2), b"\xff" * 8])
def test_attributes_that_are_cut_off_are_refused(octets: bytes) -> None:
    assert netlink.decode_attributes(octets) is MessageError.TRUNCATED


def test_errno_is_told_by_errors_and_by_the_end_of_a_dump() -> None:
    no_entry = (-2).to_bytes(4, sys.byteorder, signed=True)
    assert netlink.errno_of(Message(kind=KIND_ERROR, payload=no_entry + bytes(16))) == 2
    assert netlink.errno_of(SECOND) == 0
    assert netlink.errno_of(Message(kind=KIND_DONE)) is MessageError.TRUNCATED
    assert netlink.errno_of(FIRST) is MessageError.OTHER_KIND
