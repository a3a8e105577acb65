"""The codec of a daemon's vty socket (FRR 8.4.4 and 10.5.3, lib/vty.c): commands to bytes, bytes to answers.

    request   command 00
    answer    text 00 00 00 status      the text has no zero octet; answers come in the order of the commands

A command of more than 4095 octets would be cut and its rest run as another command, so it is refused here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from orchestrator.errors import InvalidConfig

MAX_COMMAND = 4095
TRAILER = 4


class Status(IntEnum):
    """How a command ended (lib/command.h); other numbers are errors without a name here."""

    OK = 0
    WARNING = 1
    NO_MATCH = 2
    AMBIGUOUS = 3
    INCOMPLETE = 4
    CONFIG_FAILED = 13


STATUS_WORDS = {
    Status.NO_MATCH: "unknown command",
    Status.AMBIGUOUS: "ambiguous command",
    Status.INCOMPLETE: "incomplete command",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the daemon said; `status` is a Status where it has a name."""

    text: str
    status: int

    @property
    def ok(self) -> bool:
        return self.status == Status.OK

    @property
    def words(self) -> str:
        """The daemon's words on one line, or the meaning of the status if it said nothing."""
        said = " ".join(self.text.replace("%", " ").split())
        return said or STATUS_WORDS.get(Status(self.status), "") if self.status in set(Status) else said


def encode(command: str) -> bytes:
    """Return the request. Raises InvalidConfig if the command would be read as something else."""
    octets = command.encode()
    if len(octets) > MAX_COMMAND:
        raise InvalidConfig(f"a command of {len(octets)} octets is longer than FRR reads ({MAX_COMMAND})")
    if not command or any(octet < 0x20 for octet in octets):
        raise InvalidConfig("a command is one line without control characters")
    return octets + b"\0"


def encode_answer(answer: Answer) -> bytes:
    """Return the answer as a daemon sends it: the inverse of `AnswerDecoder`, for those who play the daemon."""
    return answer.text.encode() + b"\0\0\0" + bytes([answer.status])


class AnswerDecoder:
    """Bytes in, answers out; keeps what is incomplete."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, octets: bytes) -> Iterator[Answer]:
        """Yield the answers that are complete now."""
        self._rest += octets
        start = 0
        while (end := self._rest.find(0, start)) >= 0 and len(self._rest) >= end + TRAILER:
            yield Answer(self._rest[start:end].decode(errors="replace"), self._rest[end + TRAILER - 1])
            start = end + TRAILER
        del self._rest[:start]
