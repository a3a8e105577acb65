"""Blocks of what lasts: BGP instances, neighbors, BFD. Nothing here depends on Services."""

from collections.abc import Iterable, Iterator
from functools import partial

from orchestrator.config.model import Config, Peer
from orchestrator.net.bgp import RouterId
from orchestrator.render import views
from orchestrator.render.blocks import BlockMaker, KeyedBlock, Place, all_or_problem
from orchestrator.render.canonical import Line
from orchestrator.render.document import DAEMONS, Block, Daemon, Section
from orchestrator.render.views import Leg
from orchestrator.resources.meta import Problem


def instances(maker: BlockMaker, peers: Iterable[Peer], router_id: RouterId) -> Iterator[KeyedBlock]:
    """Yield one BGP instance per VRF (its peers share one AS number, contract 3.8), and what all of them need: the map
    that accepts nothing, and how bgpd takes changes of route-maps.
    """
    present = tuple(peers)
    asns = {peer.vrf: peer.my_asn for peer in present}
    graceful = {peer.vrf for peer in present if peer.graceful_restart}
    for vrf, asn in asns.items():
        view = views.RouterView(asn=asn, vrf=vrf, router_id=router_id, graceful_restart=vrf in graceful)
        place = Place(context=view.context, order=(Section.INSTANCE, vrf, 0), opens=True)
        yield f"router {vrf}", maker.make("router", view, place)
    if asns:
        place = Place(context=(views.DENY_IN,), order=(Section.DENY_IN,), opens=True)
        yield "deny-in", maker.make("deny_in", None, place)
        yield "bgpd", maker.make("bgpd", None, Place(context=(), order=(Section.DAEMON,)))


def neighbor(maker: BlockMaker, peer: Peer) -> Iterator[KeyedBlock]:
    """Yield a peer's session options."""
    view = views.NeighborView(peer=peer)
    place = Place(context=view.context, order=(Section.INSTANCE, peer.vrf, 1, peer.neighbor))
    yield f"neighbor {peer.name}", maker.make("neighbor", view, place, origins=(peer.origin,))


def families(maker: BlockMaker, peer: Peer, out_map: str) -> Iterator[KeyedBlock]:
    """Yield a peer's place in each address family that it carries."""
    for family in peer.families:
        view = views.FamilyView(asn=peer.my_asn, vrf=peer.vrf, family=family, neighbor=peer.neighbor, out_map=out_map)
        order = (Section.INSTANCE, peer.vrf, 2, family.value, 0, peer.neighbor)
        place = Place(context=view.context, order=order)
        yield f"family {family.value} {peer.name}", maker.make("family", view, place, origins=(peer.origin,))


def is_about(session: Block, peer: Peer) -> bool:
    """Whether a session block is one of this peer's, of whatever options."""
    start = Line((views.router_context(peer.my_asn, peer.vrf),), f"neighbor {peer.neighbor} ")
    return all(line.context == start.context and line.text.startswith(start.text) for line in session.lines)


def bfd(maker: BlockMaker, peer: Peer, legs: tuple[Leg, ...]) -> Iterator[KeyedBlock]:
    """Yield the session that bfdd starts with, for a peer that is directly connected."""
    view = views.preconfigured(peer, legs)
    if view is not None:
        place = Place(context=view.context, order=(Section.BFD, 1, peer.neighbor), daemon="bfdd", opens=True)
        yield f"bfd peer {peer.name}", maker.make("bfd_peer", view, place, origins=(peer.origin,))


def profiles(maker: BlockMaker, config: Config, peers: Iterable[Peer], problems: list[Problem]) -> Iterator[KeyedBlock]:
    """Yield the BFD profiles that these peers use."""
    for name in sorted({peer.bfd_profile for peer in peers} & config.bfd_profiles.keys()):
        origin = config.bfd_profiles[name].origin
        yield from all_or_problem(partial(_profile, maker, config, name), [origin], problems)


def _profile(maker: BlockMaker, config: Config, name: str) -> Iterator[KeyedBlock]:
    view = views.ProfileView(profile=config.bfd_profiles[name])
    place = Place(context=view.context, order=(Section.BFD, 0, name), daemon="bfdd", opens=True)
    yield f"profile {name}", maker.make("bfd_profile", view, place, origins=(view.profile.origin,))


def daemons(peers: Iterable[Peer], blocks: Iterable[Block]) -> tuple[Daemon, ...]:
    """Return which daemons are needed, in the order of starting: for the peers, and for the blocks that there are.

    bgpd alone announces (FRR 8.4.4, tried); BFD, unnumbered sessions and VRFs need zebra's view of the interfaces. So do
    sessions of both families: without it, bgpd gives ::ffff:192.0.2.11 as the next hop of IPv6 routes (8.4.4, seen).
    """
    needed = {block.daemon for block in blocks}
    for peer in peers:
        needed.add("bgpd")
        if peer.bfd_profile:
            needed |= {"bfdd", "zebra"}
        if peer.vrf or len(peer.families) > 1:
            needed.add("zebra")
    if "bfdd" in needed:
        needed.add("zebra")
    return tuple(daemon for daemon in DAEMONS if daemon in needed)
