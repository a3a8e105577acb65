"""BGP instances and neighbors: ended, made, changed. `no router bgp` and `no neighbor` take everything below along."""

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.render.canonical import Line
from orchestrator.render.commands import (
    Command,
    Impact,
    clause_of,
    is_instance,
    neighbor_of,
    neighbor_option,
    put,
    take,
)
from orchestrator.render.delta import Delta

FIRST_OPTIONS = ("remote-as", "shutdown", "local-as", "password")
"""Of a new neighbor, in this order: each of the last two resets the connection that has begun."""


@dataclass(frozen=True, slots=True)
class SessionChange:
    """`gone` and `come` hold what goes along with a dropped or rebuilt line, too."""

    commands: tuple[Command, ...]
    gone: frozenset[Line]
    come: frozenset[Line]


def session_change(whole: Delta, lines: frozenset[Line]) -> SessionChange:
    """Return what to do about `lines`, the part of the whole change that is about instances and neighbors."""
    delta = whole.only(lines)
    ended = _ended_instances(whole)
    below = frozenset(line for line in delta.running if clause_of(line) in ended) if ended else frozenset()
    kept = frozenset(line for line in delta.removed if is_instance(line)) - below
    rest = Delta(delta.running - below if ended else delta.running, delta.added, delta.removed - below - kept)
    recreated = _with_neighbors_recreated(rest)
    commands = [Command((), f"no {opener}", Impact.SESSION) for opener in sorted(ended, key=_vrfs_first)]
    commands.extend(recreated.commands)
    return SessionChange(tuple(commands), recreated.gone | below, recreated.come)


def _vrfs_first(opener: str) -> tuple[bool, str]:
    return (" vrf " not in opener, opener)


def _ended_instances(delta: Delta) -> frozenset[str]:
    """The instances to end: those with nothing foreign in them, and those whose place another AS number takes."""
    openers = [line.text for line in delta.removed if is_instance(line)]
    if not openers:
        return frozenset()
    taken_over = {_vrf(line.text) for line in delta.added if is_instance(line)}
    dropped = _dropped_neighbors(delta)
    foreign = {
        clause_of(line)
        for line in delta.running - delta.removed
        if line.context and (line.context[0], neighbor_of(line)) not in dropped
    }
    return frozenset(opener for opener in openers if opener not in foreign or _vrf(opener) in taken_over)


def _vrf(opener: str) -> str:
    return opener.partition(" vrf ")[2]


def _dropped_neighbors(delta: Delta) -> frozenset[tuple[str, str | None]]:
    """Neighbors whose `remote-as` goes or changes: FRR forgets some options with it, so all of them are set again."""
    return frozenset((clause_of(line), neighbor_of(line)) for line in delta.removed if _is_remote_as(line))


def _is_remote_as(line: Line) -> bool:
    return line.text.startswith("neighbor ") and neighbor_option(line.text) == "remote-as"


def _with_neighbors_recreated(delta: Delta) -> SessionChange:
    dropped = _dropped_neighbors(delta)
    made_again = {(clause_of(line), neighbor_of(line)) for line in delta.added if _is_remote_as(line)}
    whole = frozenset(_lines_of(delta, dropped)) if dropped else frozenset()
    again = frozenset(
        line for line in whole - delta.removed if (clause_of(line), neighbor_of(line)) in dropped & made_again
    )
    heads = sorted(line for line in delta.removed if _is_remote_as(line))
    change = Delta(delta.running - whole if whole else delta.running, delta.added | again, delta.removed - whole)
    return SessionChange(
        commands=(*(take(line) for line in heads), *_in_order(change)),
        gone=delta.removed | whole,
        come=delta.added | again,
    )


def _lines_of(delta: Delta, neighbors: frozenset[tuple[str, str | None]]) -> Iterator[Line]:
    for line in delta.running:
        name = neighbor_of(line)
        if name is not None and (clause_of(line), name) in neighbors:
            yield line


def _in_order(delta: Delta) -> Iterator[Command]:
    """Take back, deactivating first; then set: options, then families with `activate` last."""
    yield from (take(line) for line in sorted(delta.taken(), key=lambda line: not line.text.endswith(" activate")))
    yield from (put(line) for line in sorted(delta.added, key=_setting_order))


def _setting_order(line: Line) -> tuple[int, int, Line]:
    depth = len(line.context)
    neighbor = line.text.startswith("neighbor ")
    if depth < 2:
        option = neighbor_option(line.text) if neighbor else ""
        rank = FIRST_OPTIONS.index(option) if option in FIRST_OPTIONS else len(FIRST_OPTIONS)
        return (depth + neighbor, rank, line)
    return (depth + 1, int(line.text.endswith(" activate")), line)
