"""What must never be seen on the wire while one set of routes is replaced by another."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from orchestrator.net.addresses import Prefix
from tests.support.bgp_messages import PathAttributes
from tests.support.bgp_recorder import Seen
from tests.support.frr_scenes import Table


def compared(attributes: PathAttributes) -> PathAttributes:
    """Without next hops, and without weights, which have tests of their own."""
    return replace(attributes, next_hop="", extended=frozenset())


def without_next_hops(table: Table) -> Table:
    return {prefix: compared(attributes) for prefix, attributes in table.items()}


def wire_faults(before: Table, after: Table, seen: Sequence[Seen], *, moved: Collection[Prefix]) -> list[str]:
    """Return what a router with these routes `before` and `after` saw in between and should not have, on one session.

    Prefixes that change for some router (`moved`) may be sent to others once more, though these see no change.
    """
    again = (each for each in seen if each.prefix not in moved)
    return [*leaks(before, after, seen), *_gaps(before, after, seen), *_repetitions(before, again)]


def leaks(before: Table, after: Table, seen: Iterable[Seen]) -> Iterator[str]:
    """Yield the announcements that neither side has; that much holds over a reset of the session, too."""
    for each in seen:
        attributes = each.attributes and compared(each.attributes)
        if attributes is not None and attributes not in (before.get(each.prefix), after.get(each.prefix)):
            yield f"{each.prefix} announced as neither has it: {attributes}"


def _gaps(before: Table, after: Table, seen: Iterable[Seen]) -> Iterator[str]:
    for each in seen:
        if each.attributes is None and each.prefix in before.keys() & after.keys():
            yield f"{each.prefix} withdrawn though both have it"


def _repetitions(before: Table, seen: Iterable[Seen]) -> Iterator[str]:
    """An announcement that tells the router what it has already."""
    known: dict[Prefix, PathAttributes | None] = dict(before)
    for each in seen:
        attributes = each.attributes and compared(each.attributes)
        if attributes is not None and attributes == known.get(each.prefix):
            yield f"{each.prefix} sent again, unchanged"
        known[each.prefix] = attributes


def uncovered(prefixes: Mapping[Prefix, Iterable[Prefix]], seen: Sequence[Seen]) -> list[str]:
    """Return the prefixes that were withdrawn before one of those that replace them (`prefixes`) was announced."""
    announced: set[Prefix] = set()
    found = []
    for each in seen:
        if each.attributes is not None:
            announced.add(each.prefix)
        elif each.prefix in prefixes and not announced.issuperset(prefixes[each.prefix]):
            found.append(f"{each.prefix} withdrawn before {sorted(map(str, prefixes[each.prefix]))} were announced")
    return found
