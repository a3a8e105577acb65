"""Netlink messages and their attributes (RFC 3549 §2.3, linux/netlink.h), in the byte order of this machine.

     0        4      6       8          12          16
    +--------+------+-------+----------+-----------+--------------------------------+
    | length | kind | flags | sequence | port id   | a fixed part, then attributes  |   message, padded to 4
    +--------+------+-------+----------+-----------+--------------------------------+
    | length | kind | value   |                                                         attribute, padded to 4
    +--------+------+---------+

Lengths count the header but not the padding. A value may consist of attributes itself.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntFlag

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERRNO = struct.Struct("=i")
_KIND_OF_ATTRIBUTE = 0x3FFF
"""The two bits above say "nested" and "network byte order"."""

KIND_ERROR, KIND_DONE = 2, 3


class Flag(IntFlag):
    """linux/netlink.h NLM_F_*; DUMP asks for all objects of a kind."""

    NONE = 0
    REQUEST = 0x1
    MULTI = 0x2
    DUMP = 0x300


class MessageError(Enum):
    """Why octets are not the message that was looked for."""

    TRUNCATED = "truncated"
    OTHER_KIND = "otherKind"
    MISSING_ATTRIBUTE = "missingAttribute"
    BAD_VALUE = "badValue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `payload` is without padding. The port id is the kernel's matter, and 0 in what we send."""

    kind: int
    flags: int = 0
    sequence: int = 0
    payload: bytes = b""


def encode(message: Message) -> bytes:
    """Return the octets of one message, padded."""
    length = _HEADER.size + len(message.payload)
    return _padded(_HEADER.pack(length, message.kind, message.flags, message.sequence, 0) + message.payload)


def decode(octets: bytes) -> tuple[Message, ...] | MessageError:
    """Return the messages of one datagram, all or none; never raises."""
    messages = []
    at = 0
    while at < len(octets):
        if len(octets) - at < _HEADER.size:
            return MessageError.TRUNCATED
        length, kind, flags, sequence, _ = _HEADER.unpack_from(octets, at)
        if not _HEADER.size <= length <= len(octets) - at:
            return MessageError.TRUNCATED
        payload = octets[at + _HEADER.size : at + length]
        messages.append(Message(kind=kind, flags=flags, sequence=sequence, payload=payload))
        at += _aligned(length)
    return tuple(messages)


def errno_of(message: Message) -> int | MessageError:
    """Return the error number that an ERROR or a DONE message tells, 0 if all went well."""
    if message.kind not in (KIND_ERROR, KIND_DONE):
        return MessageError.OTHER_KIND
    if len(message.payload) < _ERRNO.size:
        return MessageError.TRUNCATED
    number: int = _ERRNO.unpack_from(message.payload)[0]
    return -number


def encode_attributes(attributes: Mapping[int, bytes]) -> bytes:
    """Return the attributes in the order of the mapping, each padded."""
    return b"".join(
        _padded(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value) for kind, value in attributes.items()
    )


def decode_attributes(octets: bytes) -> dict[int, bytes] | MessageError:
    """Return the values by kind, the last one of a kind that is repeated; never raises."""
    values: dict[int, bytes] = {}
    at = 0
    while at < len(octets):
        if len(octets) - at < _ATTRIBUTE.size:
            return MessageError.TRUNCATED
        length, kind = _ATTRIBUTE.unpack_from(octets, at)
        if not _ATTRIBUTE.size <= length <= len(octets) - at:
            return MessageError.TRUNCATED
        values[kind & _KIND_OF_ATTRIBUTE] = octets[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return values


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _padded(octets: bytes) -> bytes:
    return octets + bytes(_aligned(len(octets)) - len(octets))
