import struct
from ipaddress import IPv4Network

from tests.bench.bgp_capture import MARKER, Update, tcp_payload, updates

KEEPALIVE = MARKER + struct.pack("!HB", 19, 4)
ANNOUNCED = IPv4Network("203.0.113.50/32")
WITHDRAWN = IPv4Network("10.1.0.0/16")


def message(withdrawn: bytes, attributes: bytes, announced: bytes) -> bytes:
    body = struct.pack("!H", len(withdrawn)) + withdrawn + struct.pack("!H", len(attributes)) + attributes + announced
    return MARKER + struct.pack("!HB", 19 + len(body), 2) + body


ANNOUNCE = message(b"", bytes.fromhex("40010100"), bytes([32, 203, 0, 113, 50]))
WITHDRAW = message(bytes([16, 10, 1]), b"", b"")


def frame(payload: bytes, *, port: int = 179, padding: bytes = b"") -> bytes:
    segment = struct.pack("!HHIIBBHHH", 40000, port, 0, 0, 5 << 4, 0x18, 1000, 0, 0) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0, b"\xc0\0\2\1", b"\xc0\0\2\2")
    return bytes(12) + b"\x08\x00" + header + segment + padding


def test_announced_and_withdrawn_prefixes_are_found_among_other_messages() -> None:
    found = list(updates(KEEPALIVE + ANNOUNCE + KEEPALIVE + WITHDRAW))
    assert found == [Update(frozenset({ANNOUNCED}), frozenset()), Update(frozenset(), frozenset({WITHDRAWN}))]


def test_a_message_that_is_not_whole_is_left_out() -> None:
    assert list(updates(ANNOUNCE + WITHDRAW[:-1])) == [Update(frozenset({ANNOUNCED}), frozenset())]


def test_payload_ends_where_the_packet_says() -> None:
    assert tcp_payload(frame(KEEPALIVE, padding=bytes(6))) == KEEPALIVE


def test_other_traffic_has_no_payload() -> None:
    assert tcp_payload(frame(KEEPALIVE, port=80)) == b""
    assert tcp_payload(bytes(12) + b"\x08\x06" + bytes(46)) == b""
