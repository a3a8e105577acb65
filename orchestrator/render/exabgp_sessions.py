"""Sections of ExaBGP's file: one session each, with the peer that it comes from in a comment above it.

Peers that exist and cannot be rendered now (a Secret is missing, the object is broken) keep the section that the text
before has: so a session survives, over a restart of the speaker too, while its password is known to nobody but the file.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_interface

from orchestrator.config.model import Peer
from orchestrator.errors import InvalidConfig
from orchestrator.net.bgp import RouterId
from orchestrator.render.environment import token
from orchestrator.render.views import Leg
from orchestrator.resources.meta import ObjectRef

PROCESS = "ferrule"
"""The name of the helper process that the API goes through."""
LONGEST_PASSWORD = 80
"""Octets of a TCP MD5 key (Linux, TCP_MD5SIG_MAXKEYLEN)."""
GRACEFUL_RESTART_S = 120
HIGHEST_TTL = 255

_SECTION = re.compile(
    r"^# (?P<kind>\w+) (?P<namespace>[^\s/]+)/(?P<name>\S+)\n"
    r"(?P<text>neighbor (?P<neighbor>\S+) \{\n(?:[^}].*\n|\n)*\}\n)",
    re.MULTILINE,
)
_REVISION = re.compile(r" revision (\w+)\"")
_PASSWORD = re.compile(r"(md5-password )\"[^\"]*\"")
_LEG = re.compile(r"^# next hops from (\S+) (\S+)$", re.MULTILINE)
_ROUTER_ID = re.compile(r"^  router-id (\S+);$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessView:
    """The helper process; `command` starts with a path."""

    command: tuple[str, ...]
    name: str = PROCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborView:
    """The session options of a peer."""

    peer: Peer
    router_id: RouterId
    process: str = PROCESS

    @property
    def local_address(self) -> str:
        return str(self.peer.source_address or "auto")

    @property
    def hold_s(self) -> int | None:
        """None for the daemon's own, 180 s as FRR's."""
        return None if self.peer.hold_time is None else int(self.peer.hold_time.total_seconds())

    @property
    def ttl(self) -> int | None:
        """As FRR does: eBGP is for neighbors on the link unless it may take several hops."""
        if not self.peer.is_external:
            return None
        return HIGHEST_TTL if self.peer.ebgp_multi_hop else 1

    @property
    def graceful_restart(self) -> str:
        return str(GRACEFUL_RESTART_S) if self.peer.graceful_restart else "disable"

    @property
    def password(self) -> str | None:
        """In base64, so that no letter of it means anything to ExaBGP: this is the only place that opens it."""
        if not self.peer.password:
            return None
        octets = self.peer.password.open().encode()
        if len(octets) > LONGEST_PASSWORD:
            raise InvalidConfig(f"the password is longer than {LONGEST_PASSWORD} octets, which TCP MD5 cannot take")
        return base64.b64encode(octets).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One session; `body` is without the comment. `neighbor` is the address that the API names it by."""

    origin: ObjectRef
    neighbor: str
    body: str

    @property
    def text(self) -> str:
        return f"# {self.origin}\n{self.body}"

    @property
    def text_without_password(self) -> str:
        return _REVISION.sub(' revision ***"', _PASSWORD.sub(r'\1"***"', self.text))

    @property
    def revision(self) -> str:
        return "".join(revisions_in(self.body))


def make_section(view: NeighborView, render: Callable[..., str]) -> Section:
    """Return the section that `render` makes of the view. Raises InvalidConfig."""
    revision = hashlib.sha256(render(view=view, revision="").encode()).hexdigest()[:12]
    body = render(view=view, revision=revision) + "\n"
    return Section(origin=view.peer.origin, neighbor=view.peer.neighbor, body=body)


def held_sections(previous: str, names: Collection[str]) -> Iterator[tuple[str, Section]]:
    """Yield the sections of the BGPPeers `names` as they stand in the text before."""
    for found in _SECTION.finditer(previous):
        if found["name"] in names:
            origin = ObjectRef(found["kind"], found["namespace"], found["name"])
            yield origin.name, Section(origin=origin, neighbor=found["neighbor"], body=found["text"])


def revisions_in(text: str) -> Iterator[str]:
    """Yield the revisions of the sections in a text, ours or what the daemon shows of its own."""
    return (found[1] for found in _REVISION.finditer(text))


def leg_comment(leg: Leg) -> str:
    """The line that `legs_in` reads back."""
    return f"# next hops from {token(leg.interface)} {leg.address}/{leg.prefix.prefixlen}"


def legs_in(text: str) -> tuple[Leg, ...]:
    """Return the legs that the document before was made with."""
    found = ((name, ip_interface(address)) for name, address in _LEG.findall(text))
    return tuple(Leg(interface=name, address=each.ip, prefix=each.network) for name, each in found)


def router_id_in(text: str) -> RouterId | None:
    """Return the router id of a text before, None if it has none."""
    found = _ROUTER_ID.search(text)
    return IPv4Address(found[1]) if found else None
