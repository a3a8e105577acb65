"""The configuration that the router on the other side needs for our BGPPeers, in the language of its vendor.

The nodes dial and do not listen, so the router is passive. It accepts the pools' prefixes and exports nothing; a route
with GRACEFUL_SHUTDOWN gets the lowest preference (RFC 8326). A password is a placeholder unless it is asked for.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain

from jinja2 import Environment

from orchestrator.config.model import Config, NodeFacts, NodeName, Peer, RemoteAs, Weight
from orchestrator.decide import weights
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, IpFamily, family_of
from orchestrator.net.bgp import Asn, LinkBandwidth
from orchestrator.render.environment import OpenedPassword, token
from orchestrator.render.router_permits import permits, reaches
from orchestrator.render.router_views import (
    BfdView,
    ChannelView,
    NodeView,
    RouterView,
    SessionView,
    WeightView,
    path_limit,
)
from orchestrator.render.views import Leg, NeighborView

FAMILIES = (IpFamily.IPV4, IpFamily.IPV6)


class Vendor(Enum):
    """Whose language; the value names the template."""

    FRR = "frr"
    BIRD = "bird"


class Passwords(Enum):
    """Whether a password is printed."""

    PLACEHOLDER = "placeholder"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterInput:
    """What the objects do not say, or say elsewhere.

    `legs` are the nodes' addresses on their interfaces, as far as known. `ports` are the router's interfaces towards the
    nodes of unnumbered sessions. `router_asn` is the router's AS number where a peer has `dynamicASN: external`.
    """

    config: Config
    legs: Mapping[NodeName, Sequence[Leg]] = field(default_factory=dict)
    ports: Mapping[NodeName, str] = field(default_factory=dict)
    router_asn: Asn | None = None
    passwords: Passwords = Passwords.PLACEHOLDER


def render(view: RouterView, vendor: Vendor, environment: Environment) -> str:
    """Return the text. Raises InvalidConfig for what the vendor's language cannot say."""
    if vendor is Vendor.BIRD:
        _check_bird(view)
    return environment.get_template(f"router/{vendor.value}.j2").render(view=view) + "\n"


def view_of(names: Collection[str], given: RouterInput) -> RouterView:
    """Return the configuration of the one router that these BGPPeers are sessions with. Raises InvalidConfig."""
    peers = tuple(_peer(name, given.config) for name in sorted(set(names)))
    asns = {peer.name: _router_asn(peer, given) for peer in peers}
    if len(set(asns.values())) != 1:
        found = ", ".join(f"{name} with AS {asn}" for name, asn in asns.items())
        raise InvalidConfig(f"these are different routers: {found}; ask for each by itself")
    asn = asns[peers[0].name]
    notes: list[str] = []
    sessions = tuple(_session(peer, asn, given, notes) for peer in peers)
    return RouterView(
        asn=asn,
        sessions=sessions,
        paths=path_limit(len({each.node for session in sessions for each in session.neighbors})),
        relax=_relax(peers, given.config),
        notes=tuple(notes),
    )


def _known(config: Config) -> Mapping[str, Peer]:
    """Without its password a peer is as good here as with it."""
    return {**config.locked_peers, **config.peers}


def _peer(name: str, config: Config) -> Peer:
    known = _known(config)
    if name in known:
        return known[name]
    if name in config.held_peers:
        raise InvalidConfig(f"BGPPeer {name!r} cannot be used as it is: see its problems with `ferrule lint`")
    names = ", ".join(map(repr, sorted(known))) or "none"
    raise InvalidConfig(f"there is no BGPPeer {name!r}; known peers: {names}")


def _router_asn(peer: Peer, given: RouterInput) -> Asn:
    if isinstance(peer.remote_as, int):
        asn = peer.remote_as
    elif peer.remote_as is RemoteAs.INTERNAL:
        asn = peer.my_asn
    elif given.router_asn is not None:
        return given.router_asn
    else:
        raise InvalidConfig(
            f"BGPPeer {peer.name!r} has dynamicASN external, so no object tells the router's AS number: give --router-asn"
        )
    if given.router_asn not in (None, asn):
        raise InvalidConfig(f"BGPPeer {peer.name!r} expects AS {asn}, not {given.router_asn}; leave --router-asn out")
    return asn


def _node_asn(peer: Peer) -> Asn:
    return peer.local_asn or peer.my_asn


def _relax(peers: Collection[Peer], config: Config) -> bool:
    """Whether AS paths of one length differ: this router, known by its addresses, has nodes of several AS numbers."""
    addresses = {peer.address for peer in peers} - {None}
    beside = (peer for peer in _known(config).values() if peer.address in addresses)
    return len({_node_asn(peer) for peer in (*peers, *beside)}) > 1


def _session(peer: Peer, asn: Asn, given: RouterInput, notes: list[str]) -> SessionView:
    ours = NeighborView(peer=peer)
    profile = given.config.bfd_profiles.get(peer.bfd_profile)
    channels = tuple(_channel(peer, family, given.config) for family in FAMILIES)
    if not any(channel.permits for channel in channels):
        notes.append(f"no BGPAdvertisement of any pool goes to BGPPeer {peer.name!r}: the router accepts nothing")
    return SessionView(
        peer=peer.name,
        node_asn=_node_asn(peer),
        external=_node_asn(peer) != asn,
        local=peer.address,
        port=ours.port,
        multihop=ours.multi_hop,
        connected_check=not ours.disable_connected_check,
        timers=ours.timers,
        password=_password(peer, given, notes),
        bfd=BfdView.facing(profile) if profile is not None else None,
        graceful_restart=peer.graceful_restart,
        neighbors=tuple(_neighbors(peer, given, notes)),
        channels=channels,
        weights=tuple(_weights(peer, given.config)),
    )


def _weights(peer: Peer, config: Config) -> Iterator[WeightView]:
    """Yield every weight that a node may send: those of coarser rounding are among them."""
    advertisements = (each for pool in config.pools.values() for each in pool.bgp_advertisements)
    if any(each.weight is Weight.ENDPOINTS and reaches(each, peer) for each in advertisements):
        yield from (WeightView.of(LinkBandwidth(peer.my_asn, weight)) for weight in weights.ROUNDED)


def _channel(peer: Peer, family: IpFamily, config: Config) -> ChannelView:
    carried = family in peer.families
    return ChannelView(
        family=family, carried=carried, permits=permits(peer, config.pools.values(), family) if carried else ()
    )


def _password(peer: Peer, given: RouterInput, notes: list[str]) -> str | None:
    if peer.password is None and peer.name not in given.config.locked_peers:
        return None
    if given.passwords is Passwords.SHOWN and peer.password is not None:
        return OpenedPassword(peer.password.open())
    if given.passwords is Passwords.SHOWN:
        notes.append(f"the password of BGPPeer {peer.name!r} cannot be read: see that its Secret is among the objects")
    return f"PASSWORD-OF-{peer.name}"


# --- the nodes --------------------------------------------------------------------------------------------------------


def _neighbors(peer: Peer, given: RouterInput, notes: list[str]) -> Iterator[NodeView]:
    nodes = _nodes(peer, given.config)
    if peer.address is None:
        yield from _unnumbered(peer, nodes, given.ports)
    elif peer.source_address is not None:
        yield _at_source(peer.source_address, nodes, notes)
    else:
        yield from _numbered(peer, peer.address, nodes, given, notes)


def _nodes(peer: Peer, config: Config) -> list[NodeFacts]:
    if not config.nodes:
        raise InvalidConfig("there are no Node objects, so nobody knows the nodes' addresses: add them to what is read")
    if not peer.nodes:
        known = ", ".join(map(repr, sorted(config.nodes)))
        raise InvalidConfig(f"BGPPeer {peer.name!r} selects no node; look at its nodeSelectors; known nodes: {known}")
    return [config.nodes[name] for name in sorted(peer.nodes)]


def _unnumbered(peer: Peer, nodes: Sequence[NodeFacts], ports: Mapping[NodeName, str]) -> Iterator[NodeView]:
    missing = ", ".join(f"--interface {node.name}=NAME" for node in nodes if node.name not in ports)
    if missing:
        raise InvalidConfig(
            f"BGPPeer {peer.name!r} is unnumbered: say which interface of the router leads to each node: {missing}"
        )
    for node in nodes:
        yield NodeView(node=node.name, interface=token(ports[node.name]))


def _at_source(address: IpAddress, nodes: Sequence[NodeFacts], notes: list[str]) -> NodeView:
    """All sessions of the peer come from one address, so one node can have it."""
    owner = next((node for node in nodes if address in node.internal_addresses), nodes[0])
    if len(nodes) > 1:
        names = ", ".join(node.name for node in nodes)
        notes.append(
            f"sourceAddress {address} is that of one node, and several are selected ({names}): give each a BGPPeer"
        )
    return NodeView(node=owner.name, address=address)


def _numbered(
    peer: Peer, router: IpAddress, nodes: Sequence[NodeFacts], given: RouterInput, notes: list[str]
) -> Iterator[NodeView]:
    homeless: list[NodeName] = []
    for node in nodes:
        address = _address_towards(router, node, given.legs.get(node.name, ()))
        if address is None:
            homeless.append(node.name)
        else:
            yield NodeView(node=node.name, address=address)
    if not homeless:
        return
    fault = f"no {family_of(router).value} InternalIP is known of {', '.join(homeless)}"
    if len(homeless) == len(nodes):
        raise InvalidConfig(f"{fault}: BGPPeer {peer.name!r} has no node that can be a neighbor of {router}")
    notes.append(f"{fault}: left out of BGPPeer {peer.name!r}")


def _address_towards(router: IpAddress, node: NodeFacts, legs: Sequence[Leg]) -> IpAddress | None:
    """Where the kernel sends from: the address in the router's network; else the first InternalIP of its family."""
    near = (leg.address for leg in legs if leg.prefix.version == router.version and router in leg.prefix)
    others = (address for address in node.internal_addresses if address.version == router.version)
    return next(chain(near, others), None)


# --- languages --------------------------------------------------------------------------------------------------------


def _check_bird(view: RouterView) -> None:
    """BIRD's texts have no way to write a quote."""
    for session in view.sessions:
        if session.password is not None and '"' in session.password:
            raise InvalidConfig(f"the password of BGPPeer {session.peer!r} has a quote, which BIRD cannot be told")
