"""What goes into an outbox: contents for objects, how urgent they are, and how much of each may be sent."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Generic, Protocol, Self, TypeVar


class Urgency(IntEnum):
    """What goes first: what is not true any more, then what traffic depends on, then what people read."""

    WITHDRAWAL = 0
    ADDRESS = 1
    OWNER = 2
    SUMMARY = 3
    EVENT = 4
    REMARK = 5
    BEHIND = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """`burst` writes at once and `per_s` in the long run, of which `side_by_side` are under way at any time.

    While more than `most_waiting` wait none is sent: it would take so long that it is no news any more.
    """

    per_s: float
    burst: int
    side_by_side: int
    most_waiting: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The budget of all that is sent, and how long what is refused is left alone."""

    allowances: Mapping[Urgency, Allowance]
    side_by_side: int
    first_refusal_s: float = 30.0
    first_blockade_s: float = 2.0
    """An API server that starts refuses kinds for a moment that it takes soon after; to find out costs one request."""
    longest_refusal_s: float = 300.0
    strikes: int = 3
    """How often an object fails while others are written until it is taken for the cause."""


class Content(Protocol):
    """What is to be written to one object."""

    def over(self, older: Self) -> Self:
        """Return what is to be written when `self` replaces `older`, of which it is not known that it was written."""
        ...


AnyContent = TypeVar("AnyContent", bound=Content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter(Generic[AnyContent]):
    """One content for one place; `kind` is what the API server may not know, or not allow us, as a whole."""

    key: Hashable
    kind: str
    content: AnyContent
    urgency: Urgency
    not_before: float = 0.0

    def over(self, older: "Letter[AnyContent]") -> "Letter[AnyContent]":
        """Return this letter with what has to be written of an older one, too."""
        content = self.content.over(older.content)
        return self if content is self.content else replace(self, content=content)


@dataclass(frozen=True, slots=True, eq=False)
class Dispatch(Generic[AnyContent]):
    """A letter under way; goes back into the outbox with what became of it."""

    letter: Letter[AnyContent]
    pause: int
    """How many pauses there had been when it left."""
