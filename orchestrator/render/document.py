"""The rendered document: blocks of lines that know which objects they came from and which daemon they are for.

Blocks have disjoint lines, so a changed block is compared alone. A document never changes; another one shares the
blocks that are equal, so finding what changed costs an identity test per block.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import Literal

from orchestrator.net.bgp import RouterId
from orchestrator.render.canonical import ORIGIN, Context, Line, is_place, opens, redact
from orchestrator.render.policies import Catalog, Reach
from orchestrator.resources.meta import ObjectRef, Problem

BlockKey = str
Daemon = Literal["bgpd", "bfdd", "zebra"]
DAEMONS: tuple[Daemon, ...] = ("zebra", "bfdd", "bgpd")
"""In the order of starting and of applying: bgpd refers to what the others hold."""
MAX_LINE = 4000
"""FRR cuts a command at 4095 octets and runs the rest as another command (8.4.4, tried)."""

Order = tuple[int | str, ...]


class Section(IntEnum):
    """The parts of a document, in its order."""

    DAEMON = 0
    POLICY = 1
    CLAUSE = 2
    DENY_IN = 3
    INSTANCE = 4
    BFD = 5
    EXTRAS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The lines of one thing (a neighbor, a policy, a prefix), in the order of `order`.

    `origins` are the objects that caused it. The blocks of a policy have none: `policy` is their route-map, and the one
    that a network block needs.
    """

    lines: tuple[Line, ...]
    daemon: Daemon
    order: Order
    origins: tuple[ObjectRef, ...] = ()
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Which blocks differ from those of the document with the identity `base`; that document is not kept."""

    base: object
    keys: tuple[BlockKey, ...]


@dataclass(frozen=True, kw_only=True)
class FrrDocument:
    """Everything that one node's daemons run. `daemons` are those that are needed, in the order of starting.

    `catalog` and `router_id` are to be kept by the next document. `problems` name the objects that could not be written
    down and were left out.
    """

    heading: str
    blocks: Mapping[BlockKey, Block]
    daemons: tuple[Daemon, ...]
    router_id: RouterId
    reach: Reach = field(default_factory=Reach)
    catalog: Catalog = field(default_factory=Catalog)
    problems: tuple[Problem, ...] = ()
    identity: object = field(default_factory=object, compare=False, repr=False)
    step: Step | None = field(default=None, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The whole document for people."""
        return "\n".join((self.heading, *(self._sections[daemon] for daemon in reversed(DAEMONS))))

    @property
    def text_without_passwords(self) -> str:
        """The same with `***` for passwords."""
        return redact(self.text)

    def daemon_text(self, daemon: Daemon) -> str:
        """What this daemon starts with."""
        return f"{self.heading}\n{self._sections[daemon]}"

    @property
    def daemon_texts(self) -> Mapping[Daemon, str]:
        """What each needed daemon starts with."""
        return {name: self.daemon_text(name) for name in self.daemons}

    @cached_property
    def _sections(self) -> Mapping[Daemon, str]:
        in_order = sorted(self.blocks.values(), key=lambda block: block.order)
        return {name: "".join(_with_origins(block for block in in_order if block.daemon == name)) for name in DAEMONS}

    def lines(self, daemon: Daemon) -> frozenset[Line]:
        """All lines of one daemon."""
        return frozenset(line for block in self.blocks.values() if block.daemon == daemon for line in block.lines)

    def lines_of_blocks(self, keys: Iterable[BlockKey], daemon: Daemon) -> tuple[Line, ...]:
        """The lines of those of these blocks that this document has, of one daemon."""
        blocks = (self.blocks.get(key) for key in keys)
        return tuple(line for block in blocks if block is not None and block.daemon == daemon for line in block.lines)

    def changed_since(self, other: "FrrDocument") -> tuple[BlockKey, ...]:
        """Keys of the blocks that are new, gone or not the same object; at once if this document was made from `other`."""
        if self.step is not None and self.step.base is other.identity:
            return self.step.keys
        ours, theirs = self.blocks, other.blocks
        changed = [key for key, block in ours.items() if theirs.get(key) is not block]
        return (*changed, *(key for key in theirs if key not in ours))

    def without(self, keys: Iterable[BlockKey]) -> "FrrDocument":
        """The document with these blocks left out."""
        gone = frozenset(keys)
        if not gone:
            return self
        return self.changed({key: block for key, block in self.blocks.items() if key not in gone}, gone)

    def changed(self, blocks: Mapping[BlockKey, Block], keys: Iterable[BlockKey]) -> "FrrDocument":
        """The document with other blocks, which differ in these keys at most."""
        return replace(self, blocks=blocks, identity=object(), step=Step(self.identity, tuple(keys)))

    def holding(self, lines: Iterable[Line]) -> frozenset[BlockKey]:
        """Keys of the blocks that hold any of these lines, of their origins' other blocks, and of what refers to them."""
        wanted = frozenset(lines)
        hit = {key for key, block in self.blocks.items() if not wanted.isdisjoint(block.lines)}
        origins = frozenset(origin for key in hit for origin in self.blocks[key].origins)
        needed = frozenset(self.blocks[key].policy for key in hit if not self.blocks[key].origins) - {""}
        return frozenset(
            key
            for key, block in self.blocks.items()
            if key in hit or block.policy in needed or not origins.isdisjoint(block.origins)
        )


def _with_origins(blocks: Iterable[Block]) -> Iterator[str]:
    """Yield the text of blocks in order, with a comment where the origin changes."""
    place: Context = ()
    told: tuple[ObjectRef, ...] = ()
    for block in blocks:
        first = block.lines[0]
        if len(block.lines) == 1 and first.context == place and block.origins == told and not opens(first):
            yield f"{' ' * len(place)}{first.text}\n"
            continue
        if block.origins and block.origins != told:
            home = _home(block)
            yield from _enter(place, home)
            place = home
            yield f"{' ' * len(place)}{ORIGIN}{', '.join(str(origin) for origin in block.origins)}\n"
        told = block.origins
        for line in block.lines:
            yield from _put(place, line)
            place = _opened(line)
    yield from _close(place, 0)


def _home(block: Block) -> Context:
    """The place that all lines of a block share: a comment there is still in force at the last of them."""
    home = block.lines[0].context
    for line in block.lines:
        home = home[: _shared_depth(home, line.context)]
    return home


def _opened(line: Line) -> Context:
    return (*line.context, line.text) if opens(line) else line.context


def _put(place: Context, line: Line) -> Iterator[str]:
    yield from _enter(place, line.context)
    yield f"{' ' * len(line.context)}{line.text}\n"


def _enter(place: Context, target: Context) -> Iterator[str]:
    shared = _shared_depth(place, target)
    yield from _close(place, shared)
    for depth, opener in enumerate(target[shared:], start=shared):
        yield f"{' ' * depth}{opener}\n"


def _shared_depth(place: Context, target: Context) -> int:
    depth = 0
    while depth < min(len(place), len(target)) and place[depth] == target[depth]:
        depth += 1
    return depth


def _close(place: Context, depth: int) -> Iterator[str]:
    for level in range(len(place) - 1, depth - 1, -1):
        yield f"{' ' * level}{'exit-address-family' if is_place(place[level]) and level else 'exit'}\n"
        yield f"{' ' * level}!\n"
