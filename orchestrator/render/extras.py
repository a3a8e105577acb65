"""Raw FRR text of the user (`bgpextras`) as a block of the document: its lines are what a bgpd made of it.

The text is loaded line by line into a bgpd that has our sessions already, and the running configuration before is
compared with the one after (`judge`). So its lines are canonical, whatever form it was written in, and the difference
engine sets, restores and removes them like any other. A line that sets what one of ours sets takes its place; a text
that makes one of ours go is refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.config.model import Extras
from orchestrator.render.blocks import KeyedBlock
from orchestrator.render.canonical import ORIGIN, Context, Line, lines_of, lines_with_notes, parse, redact
from orchestrator.render.commands import clause_of, slot
from orchestrator.render.delta import place_and_slot
from orchestrator.render.difference import Difference, change_of
from orchestrator.render.document import Block, Section
from orchestrator.render.ownership import OUR_CLAUSE
from orchestrator.resources.meta import ObjectRef

KEY = "extras"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraLines:
    """Lines in force, and the ConfigMap that they came from."""

    origin: ObjectRef
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The first line of a text that a daemon did not take, numbered from 1, and its words."""

    number: int
    line: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """`show running-config` before and after a text was loaded up to its end, or to the line that was refused."""

    before: str
    after: str
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a text cannot be used."""

    message: str


def judge(trial: Trial) -> tuple[Line, ...] | Objection:
    """Return the lines that the text stands for, in the daemon's order, or what speaks against it."""
    if trial.refused is not None:
        refused = trial.refused
        return Objection(f'line {refused.number} "{redact(refused.line)}": bgpd says: {redact(refused.words)}')
    before, after = parse(trial.before), parse(trial.after)
    came = tuple(line for line in dict.fromkeys(lines_of(trial.after)) if line not in before)
    replaced = place_and_slot(came)
    for line in sorted(before ^ after):
        if OUR_CLAUSE.match(clause_of(line)):
            return Objection(f'it changes "{clause_of(line)}"; names svc-*, out-* and deny-in are taken, use another')
        if line in before and (line.context, slot(line)) not in replaced:
            return Objection(f'it takes out "{redact(str(line))}", which is needed; change the object that it is of')
    return came


def taking_back(trial: Trial) -> Difference:
    """What makes the configuration after the trial the one before it again."""
    before, after = parse(trial.before), parse(trial.after)
    return change_of(after, before, after - before)


def text_of(extras: Extras) -> str:
    """What is to be loaded; empty if it cannot be used."""
    return extras.text.open() if extras.text is not None else ""


def as_written(extras: Extras) -> ExtraLines | None:
    """The text as it stands, for who has no bgpd to ask; contexts are told by indentation."""
    lines = tuple(dict.fromkeys(lines_of(text_of(extras))))
    return ExtraLines(origin=extras.origin, lines=lines) if lines else None


def extras_in(previous: str) -> ExtraLines | None:
    """The lines in force according to the text of bgpd's document."""
    found: dict[Line, ObjectRef] = {}
    ours: set[Line] = set()
    for note, line in lines_with_notes(previous):
        kind, _, key = note.removeprefix(ORIGIN).partition(" ")
        if kind == "ConfigMap":
            namespace, _, name = key.partition("/")
            found[line] = ObjectRef(kind, namespace, name)
        else:
            ours.add(line)
    lines = tuple(line for line in found if line not in ours)
    return ExtraLines(origin=found[lines[0]], lines=lines) if lines else None


def with_extras(blocks: Mapping[str, Block], extras: ExtraLines | None) -> Iterator[KeyedBlock]:
    """Yield the blocks with the extra one at the end; what its lines set is left out of the others."""
    if extras is None or not extras.lines:
        yield from blocks.items()
        return
    taken = place_and_slot(extras.lines)
    for key, block in blocks.items():
        kept = _kept(block, taken) if block.daemon == "bgpd" else block.lines
        if kept:
            yield key, block if kept == block.lines else replace(block, lines=kept)
    yield KEY, Block(lines=extras.lines, daemon="bgpd", order=(Section.EXTRAS,), origins=(extras.origin,))


def _kept(block: Block, taken: frozenset[tuple[Context, str]]) -> tuple[Line, ...]:
    return tuple(line for line in block.lines if (line.context, slot(line)) not in taken)
