"""How often others' claims to our addresses are reported and answered, however often they are made.

A stranger is answered with one announcement in 10 s and no more: the third way of RFC 5227 §2.4, so two that both hold
on do not flood the LAN. Between nodes of ours rank decides, which their speakers know: only where ours is away does the
responder speak up for itself.
"""

from enum import Enum

from orchestrator.fsm.pacing import Limiter
from orchestrator.fsm.responder import Claim
from orchestrator.net.link import MacAddress

STRANGER_DEFENCE_S = 10.0
"""RFC 5227's DEFEND_INTERVAL."""
PEER_DEFENCE_S = 1.0
ORDERED_DEFENCE_S = 0.2
REPORT_INTERVAL_S = 1.0
REPORTS_PER_INTERVAL = 256
"""Of all addresses and MACs together: a MAC is easily made up."""
MAX_ADDRESSES = 1 << 20
"""Of a table; these limits need no other bound."""


class Speaker(Enum):
    """Whether somebody is there to decide about a conflict between nodes of ours."""

    CONNECTED = "connected"
    AWAY = "away"


class Contests:
    """Remembers what was reported and answered lately."""

    def __init__(self) -> None:
        self._reports = Limiter[tuple[bytes, MacAddress]](REPORT_INTERVAL_S, REPORTS_PER_INTERVAL)
        self._against_strangers = Limiter[bytes](STRANGER_DEFENCE_S, MAX_ADDRESSES)
        self._against_peers = Limiter[bytes](PEER_DEFENCE_S, MAX_ADDRESSES)
        self._ordered = Limiter[bytes](ORDERED_DEFENCE_S, MAX_ADDRESSES)

    def is_reported(self, claim: Claim, now: float) -> bool:
        """Whether to report it now; then it counts as reported."""
        return self._reports.admits((claim.address, claim.mac), now)

    def is_answered(self, claim: Claim, node: str, speaker: Speaker, now: float) -> bool:
        """Whether to answer a claim by `node` (empty: a stranger) with an announcement; then it counts as answered."""
        if not node:
            return self._against_strangers.admits(claim.address, now)
        return speaker is Speaker.AWAY and self._against_peers.admits(claim.address, now)

    def may_defend(self, address: bytes, now: float) -> bool:
        """Whether to announce what the speaker says is ours; then it counts as announced."""
        return self._ordered.admits(address, now)
