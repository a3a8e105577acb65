import struct

from tests.bench.bgp_capture import tcp_payload
from tests.support.bgp_messages import message

KEPT = message(4)


def frame(payload: bytes, *, port: int = 179, padding: bytes = b"") -> bytes:
    segment = struct.pack("!HHIIBBHHH", 40000, port, 0, 0, 5 << 4, 0x18, 1000, 0, 0) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0, b"\xc0\0\2\1", b"\xc0\0\2\2")
    return bytes(12) + b"\x08\x00" + header + segment + padding


def test_payload_ends_where_the_packet_says() -> None:
    assert tcp_payload(frame(KEPT, padding=bytes(6))) == KEPT


def test_other_traffic_has_no_payload() -> None:
    assert tcp_payload(frame(KEPT, port=80)) == b""
    assert tcp_payload(bytes(12) + b"\x08\x06" + bytes(46)) == b""
