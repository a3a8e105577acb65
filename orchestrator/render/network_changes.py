"""Prefixes: what is withdrawn first, what is announced, and what is withdrawn when its addresses are covered again."""

from dataclasses import dataclass
from ipaddress import ip_network

from orchestrator.net.addresses import Prefix
from orchestrator.net.coverage import Coverage
from orchestrator.render.canonical import Line
from orchestrator.render.commands import Command, Impact, put, take
from orchestrator.render.delta import Delta


@dataclass(frozen=True, slots=True)
class NetworkCommands:
    """In the order of sending; `policies` of other parts come between the first and the second.

    `covering` are the new prefixes that must be on their way before the last are sent.
    """

    withdraw_first: tuple[Command, ...]
    announce: tuple[Command, ...]
    withdraw_last: tuple[Command, ...]
    covering: tuple[Line, ...] = ()


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
        covering=tuple(sorted(delta.added - replacing)) if late else (),
    )


def prefix_of(line: Line) -> Prefix:
    """The prefix of a `network` line."""
    return ip_network(line.text.split()[1])
