"""Route-maps: made before anything refers to them, edited without a moment in which they let too much through."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from orchestrator.render.canonical import Line
from orchestrator.render.commands import Command, Impact, clause_of, is_network, put, removal, slot
from orchestrator.render.delta import Delta

SOFT_OUT = Command(None, "clear bgp * soft out", Impact.ATTRIBUTE)


@dataclass(frozen=True, slots=True)
class PolicyCommands:
    """`make` before sessions and networks, `drop` after them; `resend` if a clause in use was edited: nothing is sent for
    it by itself.
    """

    make: tuple[Command, ...]
    drop: tuple[Command, ...]
    resend: tuple[Command, ...]


def policy_commands(delta: Delta, leaving: AbstractSet[Line] = frozenset()) -> PolicyCommands:
    """Return the commands for route-map clauses; `leaving` are lines that other commands take away."""
    added = frozenset(line.text for line in delta.added if not line.context)
    gone = sorted(line for line in delta.removed if not line.context)
    touched = sorted({clause_of(line) for line in delta.touched} - {line.text for line in gone})
    rebuilt = {slot(Line((), clause)) for clause in added} & {slot(line) for line in gone}
    edited = [clause for clause in touched if clause not in added]
    make = [_drop(line) for line in gone if slot(line) in rebuilt]
    for clause in touched:
        part = delta.only(line for line in delta.touched if clause_of(line) == clause)
        make.extend(_edit(clause, part) if clause in edited else _create(clause, part))
    return PolicyCommands(
        make=tuple(make),
        drop=tuple(_drop(line) for line in gone if slot(line) not in rebuilt),
        resend=tuple(_resend(delta.running, edited, leaving)) if edited else (),
    )


def _resend(running: AbstractSet[Line], edited: list[str], leaving: AbstractSet[Line]) -> Iterator[Command]:
    """A network takes what its map says when it is given, not when the map changes."""
    names = {clause.split()[1] for clause in edited}
    users = (line for line in running if is_network(line) and line.text.split()[-1] in names)
    yield from (put(line, Impact.ATTRIBUTE) for line in sorted(users) if line not in leaving)
    if any(name.startswith("out-") for name in names):
        yield SOFT_OUT


def _drop(opener: Line) -> Command:
    return Command((), removal(opener), Impact.NONE)


def _create(clause: str, part: Delta) -> Iterator[Command]:
    """A permit clause without its match lets everything pass, so it is a deny until it is complete (tried: it leaks)."""
    yield _open(_as_deny(clause))
    yield from _fill(_as_deny(clause), part)
    if _lets_pass(clause):
        yield _open(clause)


def _edit(clause: str, part: Delta) -> Iterator[Command]:
    closed = _lets_pass(clause) and any(line.text.startswith("match ") for line in part.touched)
    if closed:
        yield _open(_as_deny(clause), Impact.ROUTE)
    yield from _fill(_as_deny(clause) if closed else clause, part)
    if closed:
        yield _open(clause, Impact.ROUTE)


def _lets_pass(clause: str) -> bool:
    """Whether it decides what a peer gets; a clause of `svc-*` only colors a route."""
    return clause.startswith("route-map out-") and clause.split()[2] == "permit"


def _as_deny(clause: str) -> str:
    return clause.replace(" permit ", " deny ") if _lets_pass(clause) else clause


def _open(clause: str, impact: Impact = Impact.NONE) -> Command:
    return Command((), clause, impact)


def _fill(clause: str, part: Delta) -> Iterator[Command]:
    for line in part.taken():
        yield Command((clause,), removal(line), Impact.ATTRIBUTE)
    for line in sorted(part.added):
        if line.context:
            yield put(line._replace(context=(clause,)), Impact.ATTRIBUTE if part.removed else Impact.NONE)
