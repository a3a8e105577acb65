"""Whose line is it? Ours is what we rendered before, and what carries our names: `svc-*`, `out-*`, `deny-in`.

A foreign line is reported and never removed. `neighbor X shutdown` and `debug` are how a person holds something; they
are respected. `bgp graceful-shutdown` is ours: the supervisor sets it when the speaker stays away.
"""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from orchestrator.render.canonical import Line
from orchestrator.render.commands import clause_of, neighbor_of, neighbor_option

OUR_CLAUSE = re.compile(r"route-map (svc-|out-|deny-in )")
OUR_REFERENCE = re.compile(r" route-map (svc-\S+|out-\S+ out|deny-in in)$")
NOISE = re.compile(
    r"(log |service |bgp no-rib$|no ipv6 forwarding|no ip forwarding|ip forwarding|ipv6 forwarding|agentx)"
)
"""Lines that a daemon's flags or its package's defaults bring with them."""


def has_our_name(line: Line) -> bool:
    """Whether the line's own words say that it is ours."""
    return (
        bool(OUR_CLAUSE.match(clause_of(line)))
        or bool(OUR_REFERENCE.search(line.text))
        or line.text == "bgp graceful-shutdown"
    )


def ours_by_name(running: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines that are ours whatever was rendered before.

    A neighbor that uses our maps is ours as a whole: its `remote-as` line is yielded.
    """
    lines = tuple(running)
    mine = {(line.context[0], neighbor_of(line)) for line in lines if len(line.context) == 2 and has_our_name(line)}
    for line in lines:
        neighbor = neighbor_of(line)
        made_for_us = len(line.context) == 1 and neighbor is not None and (line.context[0], neighbor) in mine
        if has_our_name(line) or (made_for_us and neighbor_option(line.text) == "remote-as"):
            yield line


def is_held(line: Line) -> bool:
    """Whether a person holds something with this line."""
    return line.text.startswith("debug ") or (line.text.startswith("neighbor ") and line.text.endswith(" shutdown"))


def foreign_lines(running: Iterable[Line], known: AbstractSet[Line]) -> tuple[Line, ...]:
    """Return the lines that are neither known nor ours nor noise, sorted."""
    lines = (line for line in running if line not in known and not has_our_name(line))
    return tuple(sorted(line for line in lines if not NOISE.match(line.text)))
