"""Peers that exist and cannot be rendered now (a Secret is missing, the object is broken): their lines stay as they were.

The lines come from the text of the document before, which names the object that each of them is from. So a session is
kept over a restart of the speaker, too, without its password being known to anybody but the file and the daemon.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import groupby

from orchestrator.render.blocks import KeyedBlock
from orchestrator.render.canonical import ORIGIN, Line, lines_with_notes
from orchestrator.render.document import Block, Daemon, Order, Section
from orchestrator.resources.meta import ObjectRef


def held_blocks(previous: Mapping[Daemon, str], names: Collection[str]) -> Iterator[KeyedBlock]:
    """Yield the blocks of the BGPPeers `names` as they stand in the texts of the document before."""
    for daemon, text in previous.items():
        found = (pair for pair in _lines_of_peers(text) if pair[0].name in names)
        for (origin, _), pairs in groupby(found, key=lambda pair: (pair[0], _place(pair[1]))):
            lines = tuple(line for _, line in pairs)
            key, order = _identity(origin.name, lines[0])
            yield key, Block(lines=lines, daemon=daemon, order=order, origins=(origin,))


def held_instances(previous: str, needed: Iterable[KeyedBlock], present: Collection[str]) -> Iterator[KeyedBlock]:
    """Yield the BGP instances that held neighbors stand in and that no other peer needs any more."""
    openers = {block.lines[0].context[0] for key, block in needed if key.startswith("neighbor ")} - set(present)
    for opener in sorted(openers):
        inner = (line for _, line in lines_with_notes(previous) if line.context == (opener,))
        kept = tuple(line for line in inner if not line.text.startswith("neighbor "))
        order = (Section.INSTANCE, _vrf(opener), 0)
        yield f"router {_vrf(opener)}", Block(lines=(Line((), opener), *kept), daemon="bgpd", order=order)


def _lines_of_peers(text: str) -> Iterator[tuple[ObjectRef, Line]]:
    for note, line in lines_with_notes(text):
        kind, _, key = note.removeprefix(ORIGIN).partition(" ")
        namespace, slash, name = key.partition("/")
        if kind == "BGPPeer" and slash:
            yield ObjectRef(kind, namespace, name), line


def _place(line: Line) -> tuple[str, ...]:
    """Lines of one block: a bfdd session is its opener and what is in it."""
    return line.context[:1] if line.context[:1] == ("bfd",) else line.context


def _vrf(opener: str) -> str:
    return opener.partition(" vrf ")[2]


def _identity(name: str, line: Line) -> tuple[str, Order]:
    """The same key and place as the block has when the peer is rendered."""
    if line.context == ("bfd",):
        return f"bfd peer {name}", (Section.BFD, 1, line.text.split()[1])
    instance = (Section.INSTANCE, _vrf(line.context[0]))
    neighbor = line.text.split()[1]
    if len(line.context) == 1:
        return f"neighbor {name}", (*instance, 1, neighbor)
    family = "IPv6" if "ipv6" in line.context[1] else "IPv4"
    return f"family {family} {name}", (*instance, 2, family, 0, neighbor)
