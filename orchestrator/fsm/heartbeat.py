"""Heartbeats between responders: one UDP datagram that proves that its sender lives and knows the cluster's key.

     0         1       2       3         4            12           20
    +---------+-------+-------+---------+------------+------------+--------+----------+-------------+
    | version | flags | s len | r len   | instance   | sequence   | sender | receiver | HMAC-SHA256 |
    +---------+-------+-------+---------+------------+------------+--------+----------+-------------+

`instance` is drawn at random when a process starts, `sequence` grows with every datagram of an instance. A datagram
names its receiver, so that one sent to another node cannot be replayed here. Names are node names in UTF-8.
"""

import hmac
import struct
from dataclasses import dataclass
from enum import Enum, Flag

VERSION = 1
MAC_LENGTH = 32
_HEAD = struct.Struct("!BBBBQQ")


class HeartbeatFlag(Flag):
    """LEAVING: the sender goes; its addresses are free. STANDBY: it lives and owns nothing for now.

    LOST: not long ago the receiver was gone as far as the sender knows.
    """

    NONE = 0
    LEAVING = 1
    STANDBY = 2
    LOST = 4


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
    """`instance` and `sequence` are 0..2^64-1; names are 1..255 octets."""

    sender: str
    receiver: str
    instance: int
    sequence: int
    flags: HeartbeatFlag = HeartbeatFlag.NONE


_KNOWN_FLAGS = sum(flag.value for flag in HeartbeatFlag)


def encode(heartbeat: Heartbeat, key: bytes) -> bytes:
    """Return the datagram, signed."""
    sender, receiver = heartbeat.sender.encode(), heartbeat.receiver.encode()
    head = _HEAD.pack(
        VERSION, heartbeat.flags.value, len(sender), len(receiver), heartbeat.instance, heartbeat.sequence
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
    _, flags, sender_length, receiver_length, instance, sequence = _HEAD.unpack_from(body)
    names = body[_HEAD.size :]
    if len(names) != sender_length + receiver_length:
        return Refusal.MALFORMED
    try:
        sender, receiver = names[:sender_length].decode(), names[sender_length:].decode()
    except UnicodeDecodeError:
        return Refusal.MALFORMED
    return Heartbeat(
        sender=sender,
        receiver=receiver,
        instance=instance,
        sequence=sequence,
        flags=HeartbeatFlag(flags & _KNOWN_FLAGS),
    )


RETIRED_INSTANCES = 32
"""How many earlier instances of a node are remembered."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest heartbeat of a node, and its earlier instances, newest last."""

    instance: int
    sequence: int
    retired: tuple[int, ...] = ()


def advance(seen: Seen | None, heartbeat: Heartbeat) -> Seen | None:
    """Return what is seen after `heartbeat`, None if that is a replay.

    A sequence that is not larger, or an instance that was replaced before, is a replay. One recorded before this
    process started is not known as such.
    """
    if seen is None:
        return Seen(heartbeat.instance, heartbeat.sequence)
    if heartbeat.instance == seen.instance:
        later = heartbeat.sequence > seen.sequence
        return Seen(seen.instance, heartbeat.sequence, seen.retired) if later else None
    if heartbeat.instance in seen.retired:
        return None
    return Seen(heartbeat.instance, heartbeat.sequence, (*seen.retired, seen.instance)[-RETIRED_INSTANCES:])
