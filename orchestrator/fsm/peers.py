"""The other nodes, as a plan and the responder need them: what their SpeakerStates say, turned into values.

A SpeakerState is written by another node, perhaps of another version: what cannot be read of it is left out.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Interface, IPv6Interface, ip_interface

from orchestrator.decide.eligibility import NodeLink
from orchestrator.fsm.responder_api import PeerNode
from orchestrator.net.addresses import address_key
from orchestrator.resources.extensions import SpeakerInterface, SpeakerState

Announcing = Collection[str] | None
"""Names of the interfaces that a node's announcements are for; None means any."""


def node_links(interfaces: Iterable[SpeakerInterface]) -> tuple[NodeLink, ...]:
    """Return the links of a node, link-local networks left out."""
    return tuple(
        NodeLink(
            interface=each.name,
            carrier=each.carrier,
            networks=tuple(sorted({address.network for address in _addresses(each)}, key=str)),
        )
        for each in interfaces
    )


def peer_node(
    own: Iterable[SpeakerInterface], announcing: Announcing, peer: SpeakerState, peer_announcing: Announcing
) -> PeerNode | None:
    """Return how the responder reaches a peer, None if it has no address.

    Heartbeats go where the announcements go: on each of our announcing interfaces to one address of the peer that is
    on-link there. Only a peer without such an address is reached by way of the addresses between nodes.
    """
    known = frozenset(peer.spec.mesh_addresses)
    theirs = [address for each in _chosen(peer.spec.interfaces, peer_announcing) for address in _addresses(each)]
    meeting = (_meeting_address(each, theirs, known) for each in _chosen(own, announcing))
    addresses = tuple(dict.fromkeys(address for address in meeting if address)) or peer.spec.mesh_addresses
    if not addresses:
        return None
    macs = sorted({each.mac for each in peer.spec.interfaces if each.mac})
    return PeerNode(peer.spec.node, addresses, tuple(macs))


def _chosen(interfaces: Iterable[SpeakerInterface], announcing: Announcing) -> Iterator[SpeakerInterface]:
    return (each for each in interfaces if announcing is None or each.name in announcing)


def _addresses(interface: SpeakerInterface) -> Iterator[IPv4Interface | IPv6Interface]:
    for text in interface.prefixes:
        with suppress(ValueError):
            address = ip_interface(text)
            if not address.is_link_local:
                yield address


def _meeting_address(
    own: SpeakerInterface, theirs: Iterable[IPv4Interface | IPv6Interface], known: Collection[str]
) -> str:
    """The peer's address in a subnet of this interface, empty if there is none.

    Rather one that its Node object has than a second one, which may be a floating address.
    """
    networks = [address.network for address in _addresses(own)]
    meeting = [address.ip for address in theirs if any(address.ip in network for network in networks)]
    best = min(meeting, key=lambda address: (str(address) not in known, address_key(address)), default=None)
    return "" if best is None else str(best)
