"""Which Secrets are read: that of the heartbeats' key, and those that BGPPeers name. Pure.

A peer may stand on its last good spec while its newest one, which names another Secret, cannot be used. So every name
that a peer has had counts until the peer is gone.
"""

from orchestrator.resources.metallb import BGPPeer
from orchestrator.settings import HEARTBEAT_SECRET


class SecretNames:
    """Collects names from the peers as they come and go."""

    def __init__(self) -> None:
        self._of: dict[str, frozenset[str]] = {}

    def peer(self, peer: BGPPeer) -> None:
        """A peer is there, new or changed."""
        reference = peer.spec.password_secret
        if reference is not None and reference.name:
            self._of[peer.metadata.name] = self._of.get(peer.metadata.name, frozenset()) | {reference.name}

    def peer_gone(self, name: str) -> None:
        self._of.pop(name, None)

    def names(self) -> frozenset[str]:
        """All Secrets that are to be read now."""
        return frozenset({HEARTBEAT_SECRET}).union(*self._of.values())
