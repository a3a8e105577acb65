"""The codec of ExaBGP 5's API: commands to lines, lines to answers and events. All is text, one line each.

    command   neighbor A announce attributes next-hop H [..] nlri P1 P2 ...       about 0.3 ms per prefix
    answer    lines of text (for `show`), then `done` or `error`; without a reason for an error, it is in the daemon's log
    event     { "exabgp": ..., "type": "state", "neighbor": { ... } }             whenever it happens, between answers

Commands that the daemon works off later (announce, withdraw, show) are answered in their order; `reload` is answered at
once and overtakes them, so it is sent alone. A line has at most 1 MiB (5.0.15), all of it ASCII.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from itertools import groupby

import msgspec

from orchestrator.errors import DaemonError, InvalidConfig
from orchestrator.net.addresses import IpFamily
from orchestrator.net.bgp import Community, LargeCommunity, PrefixText, SentRoute, StandardCommunity

DAEMON = "exabgp"
PREFIXES_PER_COMMAND = 200
"""More save nothing (measured), and a reload or an event waits for the end of a command."""
RELOAD = "reload"
SHOW_SESSIONS = "show neighbor json"
SHOW_CONFIGURATION = "show neighbor configuration"
SHOW_ROUTES = "show adj-rib out"
"""As text: its JSON repeats all former lines in each (5.0.15), 7 s for 5000."""

_EVENT = b'{ "exabgp"'
_DONE, _ERROR = b"done", b"error"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the daemon said to one command."""

    ok: bool
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent:
    """A session of `neighbor` changed: `up`, `connected` or `down` with the daemon's reason."""

    neighbor: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A NOTIFICATION message (RFC 4271 §4.5); `direction` is `send` or `receive`."""

    neighbor: str
    direction: str
    code: int
    subcode: int


@dataclass(frozen=True, slots=True)
class Ending:
    """The daemon ends."""


Event = SessionEvent | Notification | Ending


def announce(neighbor: str, routes: Mapping[PrefixText, SentRoute]) -> Iterator[str]:
    """Yield the commands that announce these prefixes to a neighbor; those of a family with equal attributes together."""
    words = {route: _attributes(route) for route in set(routes.values())}
    found: defaultdict[tuple[bool, str], list[PrefixText]] = defaultdict(list)
    for prefix, route in routes.items():
        found[":" in prefix, words[route]].append(prefix)
    for (_, attributes), prefixes in sorted(found.items(), key=lambda item: item[0]):
        start = f"neighbor {neighbor} announce attributes {attributes} nlri"
        yield from in_parts(start, sorted(prefixes))


def withdraw(neighbor: str, prefixes: Iterable[PrefixText], turn: int = 0) -> Iterator[str]:
    """Yield the commands that withdraw these prefixes from a neighbor. An unknown one is no error.

    What waits is sent by attributes, in the order in which each set of them came up (5.0.15): withdrawals of a `turn` that
    was never used follow all announcements before them, all others go with the first.
    """
    in_order = sorted(prefixes, key=lambda prefix: (":" in prefix, prefix))
    for is_ipv6, same in groupby(in_order, key=lambda prefix: ":" in prefix):
        next_hop = "::" if is_ipv6 else "0.0.0.0"  # it must be there, and says nothing
        attributes = f"next-hop {next_hop} med {turn}" if turn else f"next-hop {next_hop}"
        yield from in_parts(f"neighbor {neighbor} withdraw attributes {attributes} nlri", list(same))


def end_of_rib(neighbor: str, families: Iterable[IpFamily]) -> Iterator[str]:
    """Yield the commands that tell a neighbor it has all routes of these families; an error unless its session is up."""
    for family in sorted(families, key=lambda each: each.value):
        yield f"neighbor {neighbor} announce eor {family.value.lower()} unicast"


def in_parts(start: str, prefixes: Sequence[PrefixText]) -> Iterator[str]:
    """Yield a command about prefixes as several of bearable length."""
    for first in range(0, len(prefixes), PREFIXES_PER_COMMAND):
        yield " ".join((start, *prefixes[first : first + PREFIXES_PER_COMMAND]))


def _attributes(route: SentRoute) -> str:
    """MED 0 as FRR's `network` sends it. Not `next-hop self`: it is an error until the session was up (5.0.15)."""
    words = [f"next-hop {route.next_hop} med {route.med}"]
    if route.as_path:
        words.append(f"as-path [{' '.join(map(str, route.as_path))}]")
    if route.local_pref:
        words.append(f"local-preference {route.local_pref}")
    for name, kind in (("community", StandardCommunity), ("large-community", LargeCommunity)):
        if found := _listed(route.communities, kind):
            words.append(f"{name} [{found}]")
    if route.bandwidth is not None:
        words.append(f"extended-community [0x{route.bandwidth.octets.hex()}]")
    return " ".join(words)


def _listed(communities: Iterable[Community], kind: type[Community]) -> str:
    return " ".join(str(each) for each in communities if isinstance(each, kind))


def parse_route(line: str) -> tuple[str, PrefixText]:
    """Return neighbor and prefix of a line of SHOW_ROUTES: `A ipv4 unicast P ...`. Raises DaemonError."""
    try:
        neighbor, _, _, prefix, *_ = line.split()
        return neighbor, _canonical(prefix)
    except ValueError as error:
        raise DaemonError(DAEMON, SHOW_ROUTES, f"{line!r} is no route") from error


@lru_cache(maxsize=2**16)
def _canonical(prefix: str) -> PrefixText:
    return PrefixText(str(ip_network(prefix)))


def encode(command: str) -> bytes:
    """Return the line. Raises InvalidConfig for what would be read as something else."""
    if not command or not command.isascii() or not command.isprintable():
        raise InvalidConfig("a command is one line of ASCII without control characters")
    return command.encode() + b"\n"


class Decoder:
    """Bytes in, answers and events out; keeps what is incomplete."""

    def __init__(self) -> None:
        self._rest = b""
        self._said: list[str] = []

    def feed(self, octets: bytes) -> Iterator[Answer | Event]:
        """Yield what is complete now. Raises DaemonError for an event that is none."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            if line in (_DONE, _ERROR):
                said, self._said = tuple(self._said), []
                yield Answer(line == _DONE, said)
            elif line.startswith(_EVENT):
                yield from _event(line)
            else:
                self._said.append(line.decode(errors="replace"))


class _Notified(msgspec.Struct):
    code: int = 0
    subcode: int = 0


class _Address(msgspec.Struct):
    peer: str


class _Neighbor(msgspec.Struct):
    address: _Address
    state: str = ""
    reason: str = ""
    direction: str = ""
    notification: _Notified = msgspec.field(default_factory=_Notified)


class _Message(msgspec.Struct):
    type: str
    neighbor: _Neighbor | None = None
    notification: str = ""


_decoder = msgspec.json.Decoder(_Message)


def _event(line: bytes) -> Iterator[Event]:
    """Other types of messages are not asked for, and left out if they come."""
    try:
        message = _decoder.decode(line)
    except msgspec.DecodeError as error:
        raise DaemonError(DAEMON, "event", str(error)) from error
    neighbor = message.neighbor
    if neighbor is None:
        if message.notification == "shutdown":
            yield Ending()
    elif message.type == "state":
        yield SessionEvent(neighbor=neighbor.address.peer, state=neighbor.state, reason=neighbor.reason)
    elif message.type == "notification":
        told = neighbor.notification
        yield Notification(
            neighbor=neighbor.address.peer, direction=neighbor.direction, code=told.code, subcode=told.subcode
        )
