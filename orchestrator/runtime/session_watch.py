"""The sessions of this node's peers, read every two seconds: metrics of all of them, and what is wrong with each for people.

A peer whose daemon is away has a session as well, which is down: an alert that compares with 0 needs a series. What is told
of a peer changes at once when its session comes up or goes, and to another cause when that was seen twice: between two
attempts to connect every daemon passes through states that mean nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import structlog

from orchestrator.apply.ways import way_to
from orchestrator.config.model import Config, NodeName, Peer
from orchestrator.decide.node_plan import NodePlan
from orchestrator.decide.sessions import SessionReason
from orchestrator.fsm.bgp_sessions import DEFAULT_VRF, BgpSession, Readings, SessionKey
from orchestrator.fsm.session_diagnosis import Diagnosis, Way, diagnose
from orchestrator.net.addresses import family_of
from orchestrator.observe.metrics import Metrics
from orchestrator.render.views import Leg
from orchestrator.resources.extensions import PeerSession
from orchestrator.runtime.controller_report import now_text
from orchestrator.runtime.speaker_sessions import expose_bfd, expose_sessions

log = structlog.get_logger()

INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class SessionsChanged:
    """What is to be told of this node's sessions from now on, by peer."""

    sessions: tuple[PeerSession, ...]


class SessionWatch:
    """Reads sessions with `read`, and puts SessionsChanged."""

    def __init__(
        self,
        node: NodeName,
        read: Callable[[], Awaitable[Readings]],
        metrics: Metrics,
        put: Callable[[SessionsChanged], None],
    ) -> None:
        self._node = node
        self._read = read
        self._metrics = metrics
        self._put = put
        self._peers: tuple[Peer, ...] = ()
        self._plan = NodePlan()
        self._legs: tuple[Leg, ...] = ()
        self._pending: Mapping[SessionKey, int] | None = None
        self._seen: dict[str, Diagnosis] = {}
        self._told: dict[str, PeerSession] = {}
        self._configured = False

    def resume(self, told: Iterable[PeerSession]) -> None:
        """An earlier speaker of this node told this."""
        self._told = {session.peer: session for session in told}

    def configured(self, config: Config, plan: NodePlan, legs: tuple[Leg, ...]) -> None:
        """Watch these peers from now on."""
        self._peers = config.receivers_on(self._node)
        self._plan = plan
        self._legs = legs or self._legs
        self._pending = None
        self._configured = True

    def planned(self, plan: NodePlan) -> None:
        """The plan has other prefixes."""
        self._plan = plan
        self._pending = None

    async def run(self) -> NoReturn:
        """Look every INTERVAL_S, until cancelled."""
        while True:
            if self._configured:
                await self.look()
            await asyncio.sleep(INTERVAL_S)

    async def look(self) -> None:
        """Read the sessions once, and tell what has changed."""
        readings = await self._read()
        there = {session.key: session for session in readings.bgp}
        expected = {key_of(peer): BgpSession(neighbor=peer.neighbor, vrf=key_of(peer).vrf) for peer in self._peers}
        if self._pending is None:
            self._pending = _pending(self._peers, self._plan)
        expose_sessions(self._metrics, tuple({**expected, **there}.values()), self._pending)
        expose_bfd(self._metrics, readings.bfd)
        found = {peer.name: self._diagnosis(peer, there.get(key_of(peer)), readings.away) for peer in self._peers}
        told = {peer.name: self._session(peer, found[peer.name]) for peer in self._peers}
        self._seen = found
        if told != self._told:
            self._told = told
            self._put(SessionsChanged(tuple(session for _, session in sorted(told.items()))))

    def _diagnosis(self, peer: Peer, session: BgpSession | None, away: str) -> Diagnosis:
        if session is None and away:
            return Diagnosis(SessionReason.DAEMON_AWAY, "the BGP daemon does not answer; see the supervisor's log")
        if session is None:
            text = "the BGP daemon does not have this peer: see the condition Accepted and the ConfigurationState of the node"
            return Diagnosis(SessionReason.NOT_CONFIGURED, text)
        return diagnose(peer, session, Way.UNKNOWN if session.established else way_to(peer, self._legs))

    def _session(self, peer: Peer, found: Diagnosis) -> PeerSession:
        """What is to be told of a peer: as before, unless that is wrong for sure."""
        before = self._told.get(peer.name)
        same = before is not None and (before.reason, before.message) == (found.reason.value, found.message)
        settled = before is None or found.established != before.established or found == self._seen.get(peer.name)
        if before is not None and (same or not settled) and before.neighbor == peer.neighbor:
            return before
        told = PeerSession(
            peer=peer.name,
            neighbor=peer.neighbor,
            vrf=key_of(peer).vrf,
            established=found.established,
            reason=found.reason.value,
            message=found.message,
            since=now_text(),
        )
        fields = {"peer": told.peer, "neighbor": told.neighbor, "vrf": told.vrf, "reason": told.reason}
        if told.established:
            log.info("session established", **fields)
        else:
            log.warning("session not established", **fields, message=told.message)
        return told


def key_of(peer: Peer) -> SessionKey:
    """Return what the peer's session is called by daemons."""
    return SessionKey(peer.neighbor, peer.vrf or DEFAULT_VRF)


def _pending(peers: Sequence[Peer], plan: NodePlan) -> Mapping[SessionKey, int]:
    """How many prefixes each peer should have: those of families that it carries."""
    wanted = Counter(
        (name, family_of(route.prefix)) for route in plan.routes.values() for name, _ in route.policy.per_peer
    )
    return {key_of(peer): sum(wanted[peer.name, family] for family in peer.families) for peer in peers}
