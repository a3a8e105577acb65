"""Ranges that only one object may have: which of two overlapping objects stays.

An object that overlaps with one served before takes its last good ranges if those fit, else it is left out whole. First
come those that ask for nothing but what they have, then those that grow, last the new ones, each in `precedence`. So an
edit (closing a pool, making it larger) does not cost an object its ranges because an older one has wanted them for long;
and one that grows does not take what another that grows has, and keeps.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from orchestrator.config.claims import Claim, Claims
from orchestrator.config.findings import Findings
from orchestrator.net.addresses import AddressRange
from orchestrator.resources.meta import ObjectRef, Problem


class Ranged(Protocol):
    """A value with ranges; `entries` are their texts, in the same order."""

    @property
    def entries(self) -> tuple[str, ...]: ...
    @property
    def ranges(self) -> tuple[AddressRange, ...]: ...


R = TypeVar("R", bound=Ranged)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The range that `owner` wrote as `entry`."""

    version: int
    first: int
    last: int
    entry: str
    owner: str


def _start(span: Span) -> tuple[int, int]:
    return (span.version, span.first)


class Spans:
    """Ranges that do not overlap, in order, so that a new one is compared with its neighbors only."""

    def __init__(self) -> None:
        self._spans: list[Span] = []

    def add(self, part: AddressRange, entry: str, owner: str) -> None:
        insort(self._spans, Span(part.first.version, int(part.first), int(part.last), entry, owner))

    def add_all(self, value: Ranged, owner: str) -> None:
        for entry, part in zip(value.entries, value.ranges, strict=True):
            self.add(part, entry, owner)

    def drop(self, owner: str, parts: Iterable[AddressRange]) -> None:
        """Forget those of these ranges that are `owner`'s."""
        for part in parts:
            met = self.overlap(part)
            if met is not None and met.owner == owner:
                del self._spans[bisect_left(self._spans, met)]

    def overlap(self, part: AddressRange) -> Span | None:
        """Return a range that shares an address with `part`."""
        version, first, last = int(part.first.version), int(part.first), int(part.last)
        index = bisect_right(self._spans, (version, last), key=_start)
        if index == 0:
            return None
        before = self._spans[index - 1]
        return before if before.version == version and before.last >= first else None


Wording = Callable[[str, str, Span], str]
"""What is said of an entry, of the object with that name, that overlaps with a span."""


def check_apart(
    entries: Sequence[str], found: Mapping[int, AddressRange], wording: Wording, findings: Findings
) -> None:
    """Note every entry of one object that overlaps with an earlier one; `found` are those that could be read."""
    seen, name = Spans(), findings.ref.name
    for index, part in found.items():
        met = seen.overlap(part)
        if met is None:
            seen.add(part, entries[index], name)
        else:
            findings.error(f"spec.addresses[{index}]", wording(entries[index], name, met))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(Generic[R]):
    """By name the variants of each object that stays, from the one that is used on; and what to remember."""

    kept: Mapping[str, tuple[R, ...]]
    problems: tuple[Problem, ...]
    memories: Mapping[ObjectRef, bytes]


def settle(claims: Claims[R], wording: Wording) -> Settled[R]:
    """Serve the claims; each gets its first variant that overlaps with nothing."""
    spans = Spans()
    kept: dict[str, tuple[R, ...]] = {}
    problems: list[Problem] = []
    memories = dict(claims.memories)
    growing = _kept_by_growing(claims)
    for claim in sorted(claims.served, key=lambda claim: _turn(claim).value):
        growing.drop(claim.ref.name, (part for _, part in _keeping(claim)))
        clashes = {
            index: _clashes(value, (spans, growing) if index == 0 else (spans,), claim, wording)
            for index, value in enumerate(claim.variants)
        }
        problems += clashes[0]
        free = next((index for index, found in clashes.items() if not found), None)
        memories |= claim.memory(in_use=free == 0)
        if free is not None:
            kept[claim.ref.name] = claim.variants[free:]
            spans.add_all(claim.variants[free], claim.ref.name)
    return Settled(kept=dict(sorted(kept.items())), problems=tuple(problems), memories=memories)


class _Turn(Enum):
    """When a claim is served."""

    HOLDING = 0
    GROWING = 1
    NEW = 2


def _turn(claim: Claim[R]) -> _Turn:
    if claim.proven:
        return _Turn.HOLDING
    if len(claim.variants) == 1:
        return _Turn.NEW
    own, last_good = claim.variants
    return _Turn.HOLDING if all(_inside(part, last_good) for part in own.ranges) else _Turn.GROWING


def _kept_by_growing(claims: Claims[R]) -> Spans:
    spans = Spans()
    for claim in claims.served:
        for entry, part in _keeping(claim):
            if spans.overlap(part) is None:
                spans.add(part, entry, claim.ref.name)
    return spans


def _keeping(claim: Claim[R]) -> Iterator[tuple[str, AddressRange]]:
    """The ranges that a growing claim has and still asks for."""
    if _turn(claim) is not _Turn.GROWING:
        return
    own, last_good = claim.variants
    for entry, part in zip(own.entries, own.ranges, strict=True):
        for had in last_good.ranges:
            if part.overlaps(had):
                first, last = max(part.first, had.first, key=int), min(part.last, had.last, key=int)
                yield entry, AddressRange(first, last)


def _inside(part: AddressRange, value: Ranged) -> bool:
    return any(part.first in outer and part.last in outer for outer in value.ranges)


def _clashes(value: R, taken: Sequence[Spans], claim: Claim[R], wording: Wording) -> tuple[Problem, ...]:
    found = (
        (index, entry, next((met for spans in taken if (met := spans.overlap(part)) is not None), None))
        for index, (entry, part) in enumerate(zip(value.entries, value.ranges, strict=True))
    )
    return tuple(
        Problem(ref=claim.ref, field=f"spec.addresses[{index}]", message=wording(entry, claim.ref.name, met))
        for index, entry, met in found
        if met is not None
    )
