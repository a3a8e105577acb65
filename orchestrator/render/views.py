"""View dataclasses: all that one template may print. Two facts weighed against each other are weighed here.

Views are frozen and hashable: a block is rendered again only when its view differs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from orchestrator.config.model import BfdProfile, NodeName, Peer, RemoteAs
from orchestrator.decide.node_plan import RouteAttributes
from orchestrator.net.addresses import IpAddress, IpFamily, Prefix, covering_prefix
from orchestrator.net.bgp import Asn, RouterId
from orchestrator.net.link import InterfaceName
from orchestrator.render.canonical import Context, Line
from orchestrator.render.environment import OpenedPassword, token
from orchestrator.render.policies import large, standard

BFD_DEFAULT_MS = 300
BFD_DEFAULT_MULTIPLIER = 3
BFD_DEFAULT_ECHO_MS = 50
BFD_DEFAULT_TTL = 254
BGP_PORT = 179
DENY_IN = "route-map deny-in deny 10"
"""Every neighbor has it inbound: nothing is ever accepted (contract 5.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """An address of this node with its on-link prefix: where a neighbor is directly connected."""

    interface: InterfaceName
    address: IpAddress
    prefix: Prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributesView:
    """`set` lines of a route-map clause; empty parts print nothing."""

    local_pref: int
    med: int
    prepended: tuple[Asn, ...]
    weight: int
    communities: tuple[str, ...]
    large_communities: tuple[str, ...]

    @classmethod
    def of(cls, attributes: RouteAttributes) -> "AttributesView":
        return cls(
            local_pref=attributes.local_pref,
            med=attributes.med,
            prepended=attributes.prepended,
            weight=attributes.weight,
            communities=standard(attributes.communities),
            large_communities=large(attributes.communities),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """`route-map svc-<tag>`: what a network line does to its route."""

    name: str
    tag: int
    attributes: AttributesView

    @property
    def context(self) -> Context:
        return (f"route-map {token(self.name)} permit 10",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseView:
    """One `match tag` clause of an out-map."""

    out_map: str
    sequence: int
    tag: int
    attributes: AttributesView

    @property
    def context(self) -> Context:
        return (f"route-map {token(self.out_map)} permit {self.sequence}",)


COLLECTING_MS = 250
"""5000 routes take bgpd that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """One BGP instance; `vrf` empty is the default one."""

    asn: Asn
    vrf: str
    router_id: RouterId
    graceful_restart: bool = False

    @property
    def context(self) -> Context:
        return (router_context(self.asn, self.vrf),)

    @property
    def coalesce_ms(self) -> int:
        """How long bgpd collects before it tells a new session of its routes.

        Without a pause it says that these are all of them (End-of-RIB) before it has found any, if a router connects
        within 50 ms of its start (8.4.4, seen); one that has kept the routes for a graceful restart drops them then.
        """
        return COLLECTING_MS if self.graceful_restart else 0


def router_context(asn: Asn, vrf: str) -> str:
    """The line that opens a BGP instance."""
    return f"router bgp {asn} vrf {token(vrf)}" if vrf else f"router bgp {asn}"


def family_context(asn: Asn, vrf: str, family: IpFamily) -> Context:
    """Where an instance's lines of one family stand."""
    return (router_context(asn, vrf), f"address-family {family.value.lower()} unicast")


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborView:
    """The session options of a peer."""

    peer: Peer

    @property
    def context(self) -> Context:
        return (router_context(self.peer.my_asn, self.peer.vrf),)

    @property
    def remote_as(self) -> str:
        remote = self.peer.remote_as
        return remote.value if isinstance(remote, RemoteAs) else str(remote)

    @property
    def multi_hop(self) -> bool:
        """FRR accepts it for eBGP only."""
        return self.peer.ebgp_multi_hop and self.peer.is_external

    @property
    def port(self) -> int | None:
        """None for the default, which FRR does not print."""
        return self.peer.port if self.peer.port != BGP_PORT else None

    @property
    def disable_connected_check(self) -> bool:
        """Contract 5.6: sessions that carry IPv6 alone, eBGP, one hop."""
        peer = self.peer
        only_ipv6 = peer.families == (IpFamily.IPV6,)
        return only_ipv6 and peer.is_external and not peer.ebgp_multi_hop

    @property
    def timers(self) -> tuple[int, int] | None:
        """Keepalive and hold time in seconds."""
        if self.peer.keepalive_time is None or self.peer.hold_time is None:
            return None
        return (int(self.peer.keepalive_time.total_seconds()), int(self.peer.hold_time.total_seconds()))

    @property
    def connect_s(self) -> int | None:
        time = self.peer.connect_time
        return None if time is None else int(time.total_seconds())

    @property
    def password(self) -> OpenedPassword | None:
        """The password itself: this is the only place that opens it."""
        return OpenedPassword(self.peer.password.open()) if self.peer.password else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyView:
    """A neighbor in one address family."""

    asn: Asn
    vrf: str
    family: IpFamily
    neighbor: str
    out_map: str

    @property
    def context(self) -> Context:
        return family_context(self.asn, self.vrf, self.family)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkView:
    """One announced prefix."""

    prefix: Prefix
    route_map: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileView:
    """A BFD profile; FRR prints what differs from its defaults."""

    profile: BfdProfile

    @property
    def context(self) -> Context:
        return ("bfd", f"profile {token(self.profile.name)}")

    @property
    def receive_ms(self) -> int | None:
        return _unless(self.profile.receive_interval_ms, BFD_DEFAULT_MS)

    @property
    def transmit_ms(self) -> int | None:
        return _unless(self.profile.transmit_interval_ms, BFD_DEFAULT_MS)

    @property
    def multiplier(self) -> int | None:
        return _unless(self.profile.detect_multiplier, BFD_DEFAULT_MULTIPLIER)

    @property
    def echo_ms(self) -> int | None:
        return _unless(self.profile.echo_interval_ms, BFD_DEFAULT_ECHO_MS)

    @property
    def minimum_ttl(self) -> int | None:
        return _unless(self.profile.minimum_ttl, BFD_DEFAULT_TTL)


def _unless(value: int | None, default: int) -> int | None:
    return None if value == default else value


@dataclass(frozen=True, slots=True, kw_only=True)
class BfdPeerView:
    """A session made in bfdd before bgpd asks for it: up 0.1 s after a restart instead of 3.6 s (experiments 9.1).

    Local address and interface are part of bfdd's key; they must be the ones that bgpd will ask for.
    """

    neighbor: IpAddress
    leg: Leg
    profile: str

    @property
    def context(self) -> Context:
        place = f"local-address {self.leg.address} interface {token(self.leg.interface)}"
        return ("bfd", f"peer {self.neighbor} {place}")


def preconfigured(peer: Peer, legs: tuple[Leg, ...]) -> BfdPeerView | None:
    """Return the bfdd session of a directly connected peer; None where bgpd has to make it.

    It is up at once after bgpd was restarted, not after 3.6 s. The price: bgpd asks bfdd for its session before it knows
    its own address, takes that back when BGP is established and asks again; bfdd then tells the router that the session
    goes down, and the router ends BGP once more (8.4.4, seen). With graceful restart that would cost the routes which
    the router has kept, so there it is left to bgpd.
    """
    address = peer.address
    left_to_bgpd = peer.vrf or peer.ebgp_multi_hop or peer.graceful_restart
    if not peer.bfd_profile or address is None or left_to_bgpd:
        return None
    reaching = (leg for leg in legs if leg.prefix.version == address.version and address in leg.prefix)
    chosen = next((leg for leg in reaching if peer.source_address in (None, leg.address)), None)
    return BfdPeerView(neighbor=address, leg=chosen, profile=peer.bfd_profile) if chosen else None


def legs_in(lines: Iterable[Line]) -> tuple[Leg, ...]:
    """Return the legs that a configuration's bfdd sessions were made with, each reaching its one neighbor.

    What `legs` is read back from until the links are known: a restart must not take these sessions away.
    """
    words = (line.text.split() for line in lines if len(line.context) == 1 and line.text.startswith("peer "))
    found = (dict(zip(each[::2], each[1::2], strict=False)) for each in words)
    return tuple(
        Leg(
            interface=each["interface"],
            address=ip_address(each["local-address"]),
            prefix=covering_prefix(neighbor := ip_address(each["peer"]), neighbor.max_prefixlen),
        )
        for each in found
        if {"interface", "local-address"} <= each.keys()
    )


def heading(node: NodeName) -> str:
    """First line of the rendered file."""
    return f"! node {token(node)}: rendered by ferrule; change the objects, not this file"
