"""Heartbeats between responders: one UDP datagram that proves that its sender lives and knows the cluster's key.

     0         1       2       3       4            8          16         24
    +---------+-------+-------+-------+------------+----------+----------+--------+----------+-------------+
    | version | flags | s len | r len | interval   | instance | sequence | sender | receiver | HMAC-SHA256 |
    +---------+-------+-------+-------+------------+----------+----------+--------+----------+-------------+

`interval` is the time in milliseconds between two heartbeats of the sender; its silence is judged by that. `instance`
is drawn at random when a process starts, `sequence` counts what an instance sent to this receiver. A heartbeat names its
receiver, so that one sent to another node cannot be replayed here; the same one may arrive over several paths. Names
are node names in UTF-8.
"""

import hmac
import struct
from dataclasses import dataclass
from enum import Enum, Flag

VERSION = 1
MAC_LENGTH = 32
MAX_INTERVAL_MS = 60_000
_HEAD = struct.Struct("!BBBBIQQ")


class HeartbeatFlag(Flag):
    """LEAVING: the sender goes; its addresses are free. STANDBY: it lives and owns nothing for now.

    LOST: not long ago the receiver was gone as far as the sender knows. HELD: therefore the receiver shall stand by.
    DEAF: the sender hears nothing of the receiver. UNABLE: no interface that addresses are announced on has carrier.
    """

    NONE = 0
    LEAVING = 1
    STANDBY = 2
    LOST = 4
    HELD = 8
    DEAF = 16
    UNABLE = 32


class Traffic(Enum):
    """What is counted of heartbeats beside refusals; one that a newer one overtook, or that comes again, is neither."""

    SENT = "sent"
    RECEIVED = "received"


class Refusal(Enum):
    """Why a datagram is not a sign of life."""

    MALFORMED = "malformed"
    VERSION = "version"
    FORGED = "forged"
    OTHER_RECEIVER = "otherReceiver"
    UNKNOWN_SENDER = "unknownSender"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """`instance` and `sequence` are 0..2^64-1, `interval_ms` 1 to 60 000; names are 1..255 octets."""

    sender: str
    receiver: str
    interval_ms: int
    instance: int
    sequence: int
    flags: HeartbeatFlag = HeartbeatFlag.NONE


_KNOWN_FLAGS = sum(flag.value for flag in HeartbeatFlag)


def encode(heartbeat: Heartbeat, key: bytes) -> bytes:
    """Return the datagram, signed."""
    sender, receiver = heartbeat.sender.encode(), heartbeat.receiver.encode()
    head = _HEAD.pack(
        VERSION,
        heartbeat.flags.value,
        len(sender),
        len(receiver),
        heartbeat.interval_ms,
        heartbeat.instance,
        heartbeat.sequence,
    )
    body = head + sender + receiver
    return body + hmac.digest(key, body, "sha256")


def decode(datagram: bytes, key: bytes) -> Heartbeat | Refusal:
    """Return the heartbeat, or why it is none; never raises. Flags of later versions are ignored."""
    if len(datagram) < _HEAD.size + MAC_LENGTH:
        return Refusal.MALFORMED
    if datagram[0] != VERSION:
        return Refusal.VERSION
    body, code = datagram[:-MAC_LENGTH], datagram[-MAC_LENGTH:]
    if not hmac.compare_digest(hmac.digest(key, body, "sha256"), code):
        return Refusal.FORGED
    return _decode_body(body)


def _decode_body(body: bytes) -> Heartbeat | Refusal:
    _, flags, sender_length, receiver_length, interval_ms, instance, sequence = _HEAD.unpack_from(body)
    names = body[_HEAD.size :]
    if len(names) != sender_length + receiver_length or not 0 < interval_ms <= MAX_INTERVAL_MS:
        return Refusal.MALFORMED
    try:
        sender, receiver = names[:sender_length].decode(), names[sender_length:].decode()
    except UnicodeDecodeError:
        return Refusal.MALFORMED
    return Heartbeat(
        sender=sender,
        receiver=receiver,
        interval_ms=interval_ms,
        instance=instance,
        sequence=sequence,
        flags=HeartbeatFlag(flags & _KNOWN_FLAGS),
    )


RETIRED_INSTANCES = 32
"""How many earlier instances of a node are remembered."""

WINDOW = 64
"""How far the slower of two paths may be behind (RFC 4303 §3.4.3 prefers as much): 5 s of a small cluster's heartbeats."""


ON_THE_WAY = 3
"""How many heartbeats of a process that ended may arrive after its successor's first. One that goes on did not end."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest heartbeat of a node, and its earlier instances with their last sequences, newest last."""

    instance: int
    sequence: int
    retired: tuple[tuple[int, int], ...] = ()


def advance(seen: Seen | None, heartbeat: Heartbeat) -> Seen | None:
    """Return what is seen after `heartbeat`, the same if that is nothing newer, None if it is a replay.

    Replays are sequences that fell out of the window, and instances that were replaced before. Whatever is older than
    the newest has no effect, so it need not be remembered which of the window arrived: there is nothing to gain by
    showing one again. One recorded before this process started is not known as a replay, but it cannot retire the
    process that lives: that one goes on.
    """
    if seen is None:
        return Seen(heartbeat.instance, heartbeat.sequence)
    if heartbeat.instance == seen.instance:
        return _later(seen, heartbeat.sequence)
    retired = dict(seen.retired)
    if heartbeat.sequence <= retired.pop(heartbeat.instance, -ON_THE_WAY - 1) + ON_THE_WAY:
        return None
    kept = (*retired.items(), (seen.instance, seen.sequence))[-RETIRED_INSTANCES:]
    return Seen(heartbeat.instance, heartbeat.sequence, kept)


def _later(seen: Seen, sequence: int) -> Seen | None:
    if sequence > seen.sequence:
        return Seen(seen.instance, sequence, seen.retired)
    return seen if sequence > seen.sequence - WINDOW else None
