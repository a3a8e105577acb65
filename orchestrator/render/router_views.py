"""What the templates of `templates/router` print: the configuration of the router on the other side, without its language.

Seen from the router: `asn` is its own AS number, neighbors are our nodes.
"""

import hashlib
import re
from dataclasses import dataclass

from orchestrator.config.model import BfdProfile, NodeName
from orchestrator.net.addresses import IpAddress, IpFamily
from orchestrator.net.bgp import Asn, LinkBandwidth
from orchestrator.render.router_permits import Permit
from orchestrator.render.views import BFD_DEFAULT_ECHO_MS, BFD_DEFAULT_MS, BFD_DEFAULT_MULTIPLIER

PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,48}")
"""What is a name in both languages: BIRD's end at 64 characters, FRR's too (profiles), and both get something appended."""
KEPT, DIGITS = 32, 8
MOST_WEIGHT = 256
"""What the kernel and BIRD take (2.0.12)."""
FEWEST_PATHS, MOST_PATHS = 8, 128
"""Bounds of ECMP: room for some nodes more, and what every build of FRR and BIRD takes."""


def plain_name(name: str) -> str:
    """Return `name`, or a part of it with a digest, so that two long names stay two."""
    if PLAIN_NAME.fullmatch(name):
        return name
    kept = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[:KEPT]
    return f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:DIGITS]}"


def path_limit(nodes: int) -> int:
    """Return how many equal paths the router is to use for this many nodes: the next power of two, within bounds."""
    return min(max(FEWEST_PATHS, 1 << (nodes - 1).bit_length()), MOST_PATHS)


@dataclass(frozen=True, slots=True, kw_only=True)
class BfdView:
    """The node's BFD profile as the other end has to have it: what one sends is what the other receives.

    `echo_ms` and `minimum_ttl` are None where the node has none; the router is never the passive one.
    """

    receive_ms: int
    transmit_ms: int
    multiplier: int
    echo_ms: int | None
    minimum_ttl: int | None

    @classmethod
    def facing(cls, profile: BfdProfile) -> "BfdView":
        """Return the mirror image of a profile; what it leaves open is FRR's default."""
        return cls(
            receive_ms=profile.transmit_interval_ms or BFD_DEFAULT_MS,
            transmit_ms=profile.receive_interval_ms or BFD_DEFAULT_MS,
            multiplier=profile.detect_multiplier or BFD_DEFAULT_MULTIPLIER,
            echo_ms=(profile.echo_interval_ms or BFD_DEFAULT_ECHO_MS) if profile.echo_mode else None,
            minimum_ttl=profile.minimum_ttl,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A neighbor of the router: by address, or by the router's interface towards it."""

    node: NodeName
    address: IpAddress | None = None
    interface: str = ""

    @property
    def name(self) -> str:
        """What a protocol or description is called by."""
        return plain_name(self.node)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """One address family of a session; `permits` is what may come in, nothing if empty."""

    family: IpFamily
    carried: bool
    permits: tuple[Permit, ...] = ()

    @property
    def word(self) -> str:
        """The family in the language of both: ipv4, ipv6."""
        return self.family.value.lower()

    @property
    def list_command(self) -> str:
        """What FRR calls the family where it lists prefixes."""
        return "ip" if self.family is IpFamily.IPV4 else "ipv6"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightView:
    """What a link bandwidth that nodes send means, for a router that has to be told: both halves of it as numbers."""

    weight: int
    key: str
    value: str

    @classmethod
    def of(cls, bandwidth: LinkBandwidth) -> "WeightView":
        octets = bandwidth.octets
        return cls(
            weight=min(bandwidth.weight, MOST_WEIGHT), key=f"0x{octets[:4].hex()}", value=f"0x{octets[4:].hex()}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """What is common to the sessions with all nodes of one BGPPeer.

    `local` is the router's address that nodes dial, None if unnumbered; `port` None is BGP's. `timers` are keepalive and
    hold time in seconds, None the daemon's own. `password` is what is printed: mostly a placeholder. `channels` has both
    families, IPv4 first. `multihop`: eBGP over several hops; iBGP may always cross routers. `weights` are those that a
    kernel can be given, if any advertisement asks for weights.
    """

    peer: str
    node_asn: Asn
    external: bool
    local: IpAddress | None
    port: int | None
    multihop: bool
    connected_check: bool
    timers: tuple[int, int] | None
    password: str | None
    bfd: BfdView | None
    graceful_restart: bool
    neighbors: tuple[NodeView, ...]
    channels: tuple[ChannelView, ...]
    weights: tuple[WeightView, ...] = ()

    @property
    def name(self) -> str:
        """What its groups, filters and profiles are called by."""
        return f"ferrule-{plain_name(self.peer)}"

    @property
    def carried(self) -> tuple[ChannelView, ...]:
        """The families that the session carries."""
        return tuple(channel for channel in self.channels if channel.carried)

    @property
    def hops(self) -> str:
        """BIRD's word. BFD of a session within one AS is FRR's for one hop, where the node is connected; so is BIRD's then."""
        return "multihop" if self.multihop or (not self.external and self.bfd is None) else "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """The whole configuration. `paths` limits ECMP; `relax`: nodes of different AS numbers announce the same prefixes.

    `notes` are sentences for the person who asked.
    """

    asn: Asn
    sessions: tuple[SessionView, ...]
    paths: int
    relax: bool
    notes: tuple[str, ...] = ()

    @property
    def has_external(self) -> bool:
        return any(session.external for session in self.sessions)

    @property
    def has_internal(self) -> bool:
        return any(not session.external for session in self.sessions)

    @property
    def families(self) -> tuple[str, ...]:
        """The families that any session carries, in BIRD's words."""
        return tuple(sorted({channel.word for session in self.sessions for channel in session.carried}))

    @property
    def has_bfd(self) -> bool:
        return any(session.bfd is not None for session in self.sessions)

    @property
    def has_distant(self) -> bool:
        """Whether a next hop may be behind other routers, so that BIRD has to know the connected networks."""
        return any(session.hops == "multihop" for session in self.sessions)

    @property
    def ports(self) -> tuple[str, ...]:
        """The router's interfaces towards nodes of unnumbered sessions."""
        return tuple(sorted({each.interface for one in self.sessions for each in one.neighbors if each.interface}))
