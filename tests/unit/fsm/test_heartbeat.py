import hmac
from dataclasses import replace

import pytest

from orchestrator.fsm.heartbeat import (
    ON_THE_WAY,
    RETIRED_INSTANCES,
    WINDOW,
    Heartbeat,
    HeartbeatFlag,
    Refusal,
    Seen,
    advance,
    decode,
    encode,
)

KEY = b"sixteen octets!!"
HEARTBEAT = Heartbeat(
    sender="node-a",
    receiver="node-b",
    interval_ms=100,
    instance=0x0102030405060708,
    sequence=9,
    flags=HeartbeatFlag.LEAVING | HeartbeatFlag.LOST,
)
BODY = bytes.fromhex("01 05 06 06 00000064 0102030405060708 0000000000000009") + b"node-anode-b"


def signed(body: bytes) -> bytes:
    return body + hmac.digest(KEY, body, "sha256")


def test_encode() -> None:
    assert encode(HEARTBEAT, KEY) == signed(BODY)


def test_decode() -> None:
    assert decode(signed(BODY), KEY) == HEARTBEAT


def test_unknown_flags_are_ignored() -> None:
    assert decode(signed(BODY[:1] + b"\xc5" + BODY[2:]), KEY) == HEARTBEAT


@pytest.mark.parametrize(
    ("datagram", "refusal"),
    [
        (b"", Refusal.MALFORMED),
        (b"\x01" * 55, Refusal.MALFORMED),
        (b"\x02" + signed(BODY)[1:], Refusal.VERSION),
        (signed(BODY)[:-1] + b"\x00", Refusal.FORGED),
        (signed(BODY).replace(b"node-b", b"node-c"), Refusal.FORGED),
        (encode(HEARTBEAT, b"another key"), Refusal.FORGED),
        (signed(BODY + b"x"), Refusal.MALFORMED),
        (signed(BODY[:4] + bytes(4) + BODY[8:]), Refusal.MALFORMED),
        (signed(BODY[:4] + b"\xff" * 4 + BODY[8:]), Refusal.MALFORMED),
        (signed(BODY.replace(b"node-a", b"node-\xff")), Refusal.MALFORMED),
    ],
)
def test_what_is_no_heartbeat_is_refused(datagram: bytes, refusal: Refusal) -> None:
    assert decode(datagram, KEY) is refusal


@pytest.mark.parametrize(
    ("seen", "instance", "sequence", "expected"),
    [
        (None, 1, 7, Seen(1, 7)),
        (Seen(1, 7), 1, 8, Seen(1, 8)),
        (Seen(1, 7), 1, 900, Seen(1, 900)),
        (Seen(1, 7), 1, 7, Seen(1, 7)),
        (Seen(1, 7), 1, 6, Seen(1, 7)),
        (Seen(1, 100), 1, 100 - WINDOW + 1, Seen(1, 100)),
        (Seen(1, 100), 1, 100 - WINDOW, None),
        (Seen(1, 7), 2, 1, Seen(2, 1, ((1, 7),))),
        (Seen(2, 1, ((1, 7),)), 1, 7 + ON_THE_WAY, None),
        (Seen(2, 1, ((1, 7),)), 1, 8 + ON_THE_WAY, Seen(1, 8 + ON_THE_WAY, ((2, 1),))),
    ],
)
def test_replays_are_refused(seen: Seen | None, instance: int, sequence: int, expected: Seen | None) -> None:
    assert advance(seen, replace(HEARTBEAT, instance=instance, sequence=sequence)) == expected


def test_memory_of_instances_is_bounded() -> None:
    seen: Seen | None = None
    for instance in range(1, 100):
        seen = advance(seen, replace(HEARTBEAT, instance=instance, sequence=1))
    assert seen is not None
    assert seen.retired == tuple((instance, 1) for instance in range(99 - RETIRED_INSTANCES, 99))
