"""The few commands that the supervisor gives to ExaBGP by itself, derived from what it announces.

As `farewell` does for bgpd. ExaBGP has no word for all routes at once, so each is announced again with GRACEFUL_SHUTDOWN
and all else that it has: attributes are taken over word by word, whatever they are.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.errors import DaemonError
from orchestrator.fsm.exabgp_api import DAEMON, in_parts, withdraw
from orchestrator.net.bgp import WELL_KNOWN, PrefixText

SHOW_ATTRIBUTES = "show adj-rib out extensive"
GRACEFUL_SHUTDOWN = str(WELL_KNOWN["graceful-shutdown"])
LOCAL_PREFERENCE, COMMUNITY = "local-preference", "community"
BRACKETS = {"[": "]", "(": ")"}

Attributes = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """A prefix that a neighbor is sent; attributes in the daemon's order, the next hop among them."""

    neighbor: str
    is_internal: bool
    prefix: PrefixText
    attributes: Attributes


def parse_sent(line: str) -> Sent:
    """Read a line of SHOW_ATTRIBUTES: `neighbor A local-as N peer-as M .. ipv4 unicast P next-hop H ..`. Raises DaemonError."""
    words = line.split()
    try:
        start = words.index("unicast")
        neighbor = dict(zip(words[: start - 1 : 2], words[1 : start - 1 : 2], strict=True))
        return Sent(
            neighbor=neighbor["neighbor"],
            is_internal=neighbor["local-as"] == neighbor["peer-as"],
            prefix=PrefixText(words[start + 1]),
            attributes=tuple(_attributes(words[start + 2 :])),
        )
    except (ValueError, KeyError, IndexError) as error:
        raise DaemonError(DAEMON, SHOW_ATTRIBUTES, f"{line!r} is no route") from error


def _attributes(words: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each name with its values; several stand in brackets."""
    at = 0
    while at < len(words):
        name, value = words[at], words[at + 1]
        end = words.index(BRACKETS[value], at) if value in BRACKETS else at + 1
        yield name, tuple(words[at + 2 : end]) if value in BRACKETS else (value,)
        at = end + 1


def graceful_shutdown(lines: Iterable[str]) -> tuple[str, ...]:
    """Mark all routes with GRACEFUL_SHUTDOWN (RFC 8326), and lower them for internal neighbors."""
    found: defaultdict[tuple[str, bool, str], list[PrefixText]] = defaultdict(list)
    for sent in map(parse_sent, lines):
        found[sent.neighbor, ":" in sent.prefix, _marked(sent)].append(sent.prefix)
    return tuple(
        command
        for (neighbor, _, words), prefixes in sorted(found.items(), key=lambda item: item[0])
        for command in in_parts(f"neighbor {neighbor} announce attributes {words} nlri", sorted(prefixes))
    )


def _marked(sent: Sent) -> str:
    attributes = dict(sent.attributes)
    others = tuple(each for each in attributes.get(COMMUNITY, ()) if each != GRACEFUL_SHUTDOWN)
    attributes[COMMUNITY] = (*others, GRACEFUL_SHUTDOWN)
    if sent.is_internal:
        attributes[LOCAL_PREFERENCE] = ("0",)
    return " ".join(_written(name, values) for name, values in attributes.items())


def _written(name: str, values: tuple[str, ...]) -> str:
    is_list = name == "as-path" or name.endswith("community")
    return f"{name} [{' '.join(values)}]" if is_list else f"{name} {' '.join(values)}"


def withdrawal(lines: Iterable[str]) -> tuple[str, ...]:
    """Take away every route."""
    found: defaultdict[str, list[PrefixText]] = defaultdict(list)
    for sent in map(parse_sent, lines):
        found[sent.neighbor].append(sent.prefix)
    return tuple(command for neighbor, prefixes in sorted(found.items()) for command in withdraw(neighbor, prefixes))
