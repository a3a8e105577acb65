"""Makes blocks from views and templates; equal views share one block, so what changed can be found by identity."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jinja2 import Environment

from orchestrator.errors import InvalidConfig
from orchestrator.render.canonical import Context, Line, lines_of
from orchestrator.render.document import MAX_LINE, Block, BlockKey, Daemon, Order
from orchestrator.resources.meta import ObjectRef, Problem

KeyedBlock = tuple[BlockKey, Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a block's lines stand and in which order. `opens` says that the last context line is the block's own, as
    `route-map x permit 10` is, and not only where it stands.
    """

    context: Context
    order: Order
    daemon: Daemon = "bgpd"
    opens: bool = False


class BlockMaker:
    """Renders views; keeps what it rendered until `forget_unused`."""

    def __init__(self, environment: Environment) -> None:
        self._templates = environment
        self._kept: dict[object, Block] = {}
        self._used: dict[object, Block] = {}

    def make(
        self, template: str, view: object, place: Place, *, origins: tuple[ObjectRef, ...] = (), policy: str = ""
    ) -> Block:
        """Return the block of a view. Raises InvalidConfig where a value or the length of a line is not acceptable."""
        key = (template, view, place, origins, policy)
        block = self._kept.get(key)
        if block is None:
            block = Block(
                lines=self._lines(template, view, place),
                daemon=place.daemon,
                order=place.order,
                origins=origins,
                policy=policy,
            )
            self._kept[key] = block
        self._used[key] = block
        return block

    def _lines(self, template: str, view: object, place: Place) -> tuple[Line, ...]:
        text = self._templates.get_template(f"frr/{template}.j2").render(view=view)
        inner = (Line((*place.context, *context), line) for context, line in lines_of(text))
        opener = (Line(place.context[:-1], place.context[-1]),) if place.opens else ()
        return tuple(map(_short_enough, (*opener, *inner)))

    def forget_unused(self) -> None:
        """Forget what was not asked for since the last call."""
        self._kept, self._used = self._used, {}


def _short_enough(line: Line) -> Line:
    if len(line.text.encode()) > MAX_LINE:
        raise InvalidConfig(f'a line of {len(line.text)} characters ("{line.text[:40]}...") is longer than FRR reads')
    return line


def all_or_problem(
    make: Callable[[], Iterable[KeyedBlock]], origins: Iterable[ObjectRef], problems: list[Problem]
) -> Iterator[KeyedBlock]:
    """Yield the blocks of one object; none of them, and a problem of each origin, if one cannot be written down."""
    try:
        yield from tuple(make())
    except InvalidConfig as error:
        problems.extend(Problem(ref=origin, field="", message=f"left out: {error}") for origin in origins)
