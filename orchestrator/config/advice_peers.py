"""Advice on BGP peers and BFD profiles: sessions without routes, and sessions that will not come up or fall late."""

from collections.abc import Iterator
from datetime import timedelta

from orchestrator.config.advice_basis import AdviceReason, Known, bgp_ref, some_of, warning
from orchestrator.config.model import Peer
from orchestrator.resources.meta import ObjectRef, Problem


def warnings_about(known: Known) -> Iterator[Problem]:
    """Yield what is doubtful about peers and BFD profiles."""
    for name, peer in sorted(known.receivers.items()):
        if name in known.snapshot.peers:
            yield from _without_nodes(peer, known)
            yield from _without_routes(peer, known)
            yield from _own_node(peer, known)
            yield from _far_away(peer, known)
            yield from _once_per_node(peer)
            yield from _failure(peer)
    yield from _unused_profiles(known)


def _without_nodes(peer: Peer, known: Known) -> Iterator[Problem]:
    if known.config.nodes and not peer.nodes:
        message = "no Node has labels that match, so no session is made; mend the selector, or label a node"
        yield warning(peer.origin, "spec.nodeSelectors", AdviceReason.SELECTS_NO_NODE, message)


def _without_routes(peer: Peer, known: Known) -> Iterator[Problem]:
    advertisements = known.snapshot.bgp_advertisements
    refs = {name: bgp_ref(each) for name, each in advertisements.items()}
    if not known.all_read("BGPAdvertisement") or not known.nodes_of.keys() >= set(refs.values()):
        return
    naming = {
        name: known.nodes_of[refs[name]]
        for name, each in advertisements.items()
        if not each.spec.peers or peer.name in each.spec.peers
    }
    if not naming:
        what = "all name other peers" if advertisements else "there is none"
        message = (
            f"no BGPAdvertisement is for this peer ({what}), so it hears of no address; create one with "
            f'peers: ["{peer.name}"], or without peers'
        )
        yield warning(peer.origin, "", AdviceReason.PEER_GETS_NO_ROUTES, message)
    elif peer.nodes and any(naming.values()) and all(peer.nodes.isdisjoint(each) for each in naming.values()):
        message = (
            f"no BGPAdvertisement that is for this peer ({some_of(naming)}) selects a node of it "
            f"({some_of(peer.nodes)}), so it hears of no address; make the nodeSelectors of both meet"
        )
        yield warning(peer.origin, "spec.nodeSelectors", AdviceReason.PEER_GETS_NO_ROUTES, message)


def _own_node(peer: Peer, known: Known) -> Iterator[Problem]:
    for node in sorted(peer.nodes):
        if peer.address in known.config.nodes[node].internal_addresses:
            message = (
                f"{peer.address} is the address of node {node}, which cannot have a session with itself; "
                "leave this node out with nodeSelectors, or write the router's address"
            )
            yield warning(peer.origin, "spec.peerAddress", AdviceReason.PEER_IS_OWN_NODE, message)


def _far_away(peer: Peer, known: Known) -> Iterator[Problem]:
    """Of eBGP only: a session in one AS may cross routers."""
    if peer.address is None or peer.address.is_link_local or not peer.is_external or peer.ebgp_multi_hop or peer.vrf:
        return
    prefixes = known.prefixes_of(peer.nodes)
    if prefixes is not None and not any(peer.address in subnet for parts in prefixes.values() for subnet in parts):
        message = (
            f"no node of this peer has an address in a subnet of {peer.address}, so the session would cross a router; "
            "set ebgpMultiHop: true, or write the address of the router beside the nodes"
        )
        yield warning(peer.origin, "spec.ebgpMultiHop", AdviceReason.NEEDS_MULTI_HOP, message)


def _once_per_node(peer: Peer) -> Iterator[Problem]:
    if len(peer.nodes) < 2:
        return
    nodes = some_of(peer.nodes)
    if peer.source_address is not None:
        message = (
            f"only one of the nodes ({nodes}) can have the address {peer.source_address}; make a BGPPeer for each "
            "with nodeSelectors, or leave it out"
        )
        yield warning(peer.origin, "spec.sourceAddress", AdviceReason.ONE_SOURCE_FOR_MANY_NODES, message)
    if peer.router_id is not None:
        message = (
            f"a router id is one node's, and several ({nodes}) would use {peer.router_id}; make a BGPPeer for each "
            "with nodeSelectors, or leave it out"
        )
        yield warning(peer.origin, "spec.routerID", AdviceReason.ONE_ROUTER_ID_FOR_MANY_NODES, message)


def _failure(peer: Peer) -> Iterator[Problem]:
    if peer.bfd_profile and peer.graceful_restart:
        message = (
            "BFD wants routes gone when the link fails, graceful restart keeps them: routers differ in which one wins; "
            "leave out bfdProfile or enableGracefulRestart unless your router is known to do what you want"
        )
        yield warning(peer.origin, "spec.enableGracefulRestart", AdviceReason.BFD_WITH_GRACEFUL_RESTART, message)
    if peer.hold_time == timedelta() and not peer.bfd_profile:
        message = (
            "without a hold time and without BFD neither side notices when the other one dies; leave holdTime out, or "
            "add a bfdProfile"
        )
        yield warning(peer.origin, "spec.holdTime", AdviceReason.DEAD_PEER_UNNOTICED, message)


def _unused_profiles(known: Known) -> Iterator[Problem]:
    if not known.all_read("BGPPeer"):
        return
    used = {peer.spec.bfd_profile for peer in known.snapshot.peers.values()}
    for name, profile in sorted(known.snapshot.bfd_profiles.items()):
        if name not in used:
            message = f"no BGPPeer uses this profile; write bfdProfile: {name} into one, or remove it"
            ref = ObjectRef("BFDProfile", profile.metadata.namespace, name)
            yield warning(ref, "", AdviceReason.BFD_PROFILE_UNUSED, message)
