"""Prefixes: what is withdrawn first, what is announced, and what is withdrawn when its addresses are covered again."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from orchestrator.net.addresses import Prefix
from orchestrator.render.canonical import Line
from orchestrator.render.commands import Command, Impact, put, take
from orchestrator.render.delta import Delta


@dataclass(frozen=True, slots=True)
class NetworkCommands:
    """In the order of sending; `policies` of other parts come between the first and the second."""

    withdraw_first: tuple[Command, ...]
    announce: tuple[Command, ...]
    withdraw_last: tuple[Command, ...]


def network_commands(delta: Delta) -> NetworkCommands:
    """Return the commands for `network` lines. A line with another policy replaces the old one without a withdraw."""
    covered = Coverage(prefix_of(line) for line in delta.added)
    taken = sorted(delta.taken())
    late = frozenset(line for line in taken if covered.overlaps(prefix_of(line)))
    replacing = delta.replaced()
    return NetworkCommands(
        withdraw_first=tuple(take(line) for line in taken if line not in late),
        announce=tuple(put(line, Impact.ATTRIBUTE if line in replacing else None) for line in sorted(delta.added)),
        withdraw_last=tuple(take(line) for line in taken if line in late),
    )


def prefix_of(line: Line) -> Prefix:
    """The prefix of a `network` line."""
    return ip_network(line.text.split()[1])


class Coverage:
    """Prefixes, asked whether one shares addresses with any of them; the cost does not grow with their number."""

    def __init__(self, prefixes: Iterable[Prefix]) -> None:
        self._known = frozenset(prefixes)
        self._firsts = sorted((each.version, int(each.network_address)) for each in self._known)
        self._lengths = frozenset((each.version, each.prefixlen) for each in self._known)

    def overlaps(self, prefix: Prefix) -> bool:
        return self._holds_a_part_of(prefix) or any(wide in self._known for wide in self._wider(prefix))

    def _holds_a_part_of(self, prefix: Prefix) -> bool:
        index = bisect_left(self._firsts, (prefix.version, int(prefix.network_address)))
        last = (prefix.version, int(prefix.broadcast_address))
        return index < len(self._firsts) and self._firsts[index] <= last

    def _wider(self, prefix: Prefix) -> Iterator[Prefix]:
        for version, length in self._lengths:
            if version == prefix.version and length <= prefix.prefixlen:
                yield prefix.supernet(new_prefix=length)
