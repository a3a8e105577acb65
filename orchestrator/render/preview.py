"""What a change does to each session, before it is applied: the answer of `ferrule plan`, for either engine."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.net.bgp import PrefixText
from orchestrator.render.canonical import Line, redact
from orchestrator.render.commands import Impact
from orchestrator.render.difference import Difference
from orchestrator.render.exabgp import ExabgpDocument
from orchestrator.render.sent_routes import Attributes, SentTo, sent_by_exabgp, sent_by_frr
from orchestrator.render.session_impact import Fate, SessionImpact, SessionKey, session_impacts, sessions_in

ROUTES_OF_NONE: Mapping[PrefixText, Attributes] = {}


class Change(NamedTuple):
    """A prefix with its attributes before and after; None: not sent."""

    prefix: PrefixText
    before: Attributes | None
    after: Attributes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPreview:
    """`fate` None: the session is not touched. `changes` are sorted by prefix text; `unchanged` counts the others."""

    key: SessionKey
    fate: Fate | None
    causes: tuple[str, ...]
    changes: tuple[Change, ...]
    unchanged: int

    @property
    def impact(self) -> Impact:
        if self.fate is not None:
            return Impact.SESSION
        moves = any(None in (each.before, each.after) for each in self.changes)
        return Impact.ROUTE if moves else Impact.ATTRIBUTE if self.changes else Impact.NONE

    @property
    def interrupts(self) -> bool:
        """Whether a session that is there goes down."""
        return self.fate in (Fate.RESET, Fate.ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """All sessions, sorted; `commands` are the daemons', each with its place, passwords as `***`.

    `foreign` are a person's lines, which stay.
    """

    sessions: tuple[SessionPreview, ...]
    commands: tuple[str, ...] = ()
    foreign: tuple[Line, ...] = ()

    @property
    def impact(self) -> Impact:
        return max((each.impact for each in self.sessions), default=Impact.NONE)

    @property
    def interrupts(self) -> bool:
        return any(each.interrupts for each in self.sessions)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One FRR daemon: its name, what it runs, and what will be done about it."""

    daemon: str
    running: frozenset[Line]
    difference: Difference


def preview_of_frr(foreseen: Iterable[Foreseen]) -> Preview:
    """Return what these differences do; sessions and routes are bgpd's."""
    parts = tuple(foreseen)
    before: frozenset[Line] = frozenset()
    after: frozenset[Line] = frozenset()
    impacts: tuple[SessionImpact, ...] = ()
    for part in parts:
        if part.daemon == "bgpd":
            before = part.running
            after = (part.running - part.difference.gone) | part.difference.come
            impacts = session_impacts(part.running, part.difference)
    return Preview(
        sessions=_sessions(sessions_in(before | after), impacts, sent_by_frr(before), sent_by_frr(after)),
        commands=tuple(text for part in parts for text in _commands(part)),
        foreign=tuple(line for part in parts for line in (*part.difference.foreign, *part.difference.held)),
    )


def _commands(part: Foreseen) -> Iterator[str]:
    for command in part.difference.commands:
        yield f"{part.daemon}: {redact(' / '.join((*(command.context or ()), command.text)))}"


def preview_of_exabgp(before: ExabgpDocument, after: ExabgpDocument) -> Preview:
    """Return what going from one document to the other does."""
    impacts = tuple(_section_impacts(before, after))
    keys = {SessionKey("", each.neighbor) for part in (before, after) for each in part.sections.values()}
    return Preview(sessions=_sessions(keys, impacts, sent_by_exabgp(before), sent_by_exabgp(after)))


def _section_impacts(before: ExabgpDocument, after: ExabgpDocument) -> Iterator[SessionImpact]:
    old = {each.neighbor: each for each in before.sections.values()}
    new = {each.neighbor: each for each in after.sections.values()}
    for neighbor in sorted(old.keys() | new.keys()):
        key = SessionKey("", neighbor)
        if neighbor not in old:
            yield SessionImpact(key=key, fate=Fate.MADE, causes=())
        elif neighbor not in new:
            yield SessionImpact(key=key, fate=Fate.ENDED, causes=())
        elif old[neighbor].revision != new[neighbor].revision:
            texts = (old[neighbor].text_without_password, new[neighbor].text_without_password)
            yield SessionImpact(key=key, fate=Fate.RESET, causes=tuple(_other_lines(*texts)) or ("md5-password ***",))


def _other_lines(before: str, after: str) -> Iterator[str]:
    for line in difflib.ndiff(before.splitlines(), after.splitlines()):
        if line.startswith(("+ ", "- ")):
            yield ("no " if line[0] == "-" else "") + line[2:].strip().rstrip(";")


def _sessions(
    keys: Iterable[SessionKey], impacts: Iterable[SessionImpact], before: SentTo, after: SentTo
) -> tuple[SessionPreview, ...]:
    fates = {each.key: each for each in impacts}
    return tuple(_session(key, fates.get(key), before, after) for key in sorted(keys))


def _session(key: SessionKey, impact: SessionImpact | None, before: SentTo, after: SentTo) -> SessionPreview:
    old, new = before.get(key, ROUTES_OF_NONE), after.get(key, ROUTES_OF_NONE)
    changes = (Change(prefix, old.get(prefix), new.get(prefix)) for prefix in sorted(old.keys() | new.keys()))
    moved = tuple(each for each in changes if each.before != each.after)
    return SessionPreview(
        key=key,
        fate=impact.fate if impact else None,
        causes=impact.causes if impact else (),
        changes=moved,
        unchanged=len(old.keys() | new.keys()) - len(moved),
    )
