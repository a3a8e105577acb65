"""The BGP identifier of a node: always written down, because zebra would take docker0's address (FRR 8.4.4, tried)."""

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Address

from orchestrator.config.model import NodeFacts, Peer
from orchestrator.net.bgp import RouterId
from orchestrator.render.canonical import Line

COMMAND = "bgp router-id "


def choose_router_id(node: NodeFacts, peers: Iterable[Peer], kept: RouterId | None) -> RouterId:
    """Return the peers' router id; else the one in use (`kept`); else the first IPv4 InternalIP; else one from the name.

    The one in use stays when addresses change: another identifier resets every session.
    """
    configured = next((peer.router_id for peer in peers if peer.router_id is not None), None)
    address = next((address for address in node.internal_addresses if isinstance(address, IPv4Address)), None)
    return configured or kept or address or _from_name(node.name)


def _from_name(name: str) -> RouterId:
    """RFC 6286 asks for any non-zero number that is unique within the AS; 1.0.0.0 .. 223.255.255.255 looks familiar."""
    digest = hashlib.sha256(name.encode()).digest()
    return IPv4Address(bytes((1 + digest[0] % 223, *digest[1:4])))


def router_id_in(lines: Iterable[Line]) -> RouterId | None:
    """Return the router id of a configuration, None if it has none: what `kept` is read back from."""
    found = (line.text.removeprefix(COMMAND) for line in lines if line.text.startswith(COMMAND))
    return next((IPv4Address(text) for text in found), None)
