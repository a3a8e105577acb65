"""Why a session is not established, in one word and a sentence, from what the daemon and the kernel know.

A daemon says why the last session ended, and hardly ever why the next one does not come: a refused connection, a wrong
password and a missing route look alike in it (FRR 8.4 and 10.3, ExaBGP 5.0.15, tried). So three facts are joined: how far
the newest attempt came, which NOTIFICATION ended the last connection, and whether the kernel knows a way to the peer.

  no way to the peer                     NoRoute, NoNeighbor
  connection not answered                PasswordMismatch (the neighbor is there, and a password is set), NoAnswer
  OPEN refused, Cease received           WrongAs, OpenRefused, CeasedByPeer       these last until somebody acts
  connection fails at once               Refused, ClosedByPeer
  nothing of that                        what ended the last session: HoldTimeExpired, BfdDown, InterfaceDown, Lost

A wrong password cannot be proved from this side: whoever checks MD5 signatures (RFC 2385 §2.0) drops the connection
without a word. It is what is left when the router answers ARP, or ND, and not TCP.
"""

from dataclasses import dataclass
from enum import Enum

from orchestrator.config.model import Peer
from orchestrator.decide.sessions import SessionReason
from orchestrator.fsm.bgp_sessions import Attempt, BgpSession, LastNotification

OPEN_ERROR, HOLD_TIMER_EXPIRED, CEASE = 2, 4, 6
BAD_PEER_AS = 2

OPEN_ERRORS = {
    1: "the version of BGP differs",
    3: "the router ids are equal, or one is wrong",
    4: "an optional parameter is not understood",
    6: "the hold time is not accepted",
    7: "a capability is missing",
}
"""RFC 4271 §4.5, RFC 5492 §5."""
CEASES = {
    1: "it was sent more prefixes than it allows",
    2: "the session was shut down there by its operator",
    3: "the session was removed there",
    4: "the session was reset there by its operator",
    5: "it does not take the connection: is the session shut down there?",
    6: "its configuration was changed",
    7: "two connections collided",
    8: "it is out of resources",
    9: "it asked for a hard reset",
    10: "its BFD says that the path is down",
}
"""RFC 4486 §4, RFC 8538 §3, RFC 9384 §3."""
TOLD_BY_FRR = {
    "BFD down received": (SessionReason.BFD_DOWN, "BFD says that the path to the neighbor is down"),
    "Interface down": (SessionReason.INTERFACE_DOWN, "the interface towards the neighbor went down"),
    "Peer closed the session": (SessionReason.LOST, "the neighbor closed the connection"),
    "Waiting for VRF to be initialized": (SessionReason.VRF_MISSING, "the node has no such VRF: {vrf}"),
    "Waiting for NHT": (SessionReason.NO_ROUTE, "zebra knows no route to {neighbor}"),
    "Waiting for Peer IPv6 LLA": (
        SessionReason.NO_NEIGHBOR,
        "no router advertisement has come over {neighbor}: is the link up, and does the router send them?",
    ),
}
"""Its words for the last reset (8.4.4, 10.3)."""
SAYS_NOTHING = frozenset({"", "No AFI/SAFI activated for peer"})
"""What FRR says of a neighbor that it has just been given."""


class Way(Enum):
    """What the kernel knows of the way to a peer."""

    UNKNOWN = "not asked"
    NO_ROUTE = "there is no route"
    NO_SOURCE = "the node does not have the source address"
    NO_NEIGHBOR = "nobody answers ARP or ND there"
    NEIGHBOR = "on-link, and its MAC is known"
    ROUTED = "there is a route"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`message` is for people; it changes only with the cause."""

    reason: SessionReason
    message: str = ""

    @property
    def established(self) -> bool:
        return self.reason is SessionReason.ESTABLISHED


UP = Diagnosis(SessionReason.ESTABLISHED)


def diagnose(peer: Peer, session: BgpSession, way: Way) -> Diagnosis:
    """Return how the session of a peer is; `way` is asked for only while it is not established."""
    if session.established:
        return UP
    if session.held:
        return Diagnosis(SessionReason.HELD_BY_OPERATOR, "somebody shut the neighbor down in the daemon")
    if session.attempt is not Attempt.OPEN and (blocked := _blocked(peer, way)):
        return blocked
    if session.attempt is Attempt.PENDING:
        return _with_history(_unanswered(peer, way), session)
    if session.notification is not None and (told := _lasting(session.notification)):
        return told
    if session.attempt is Attempt.FAILED:
        text = f"{peer.neighbor} refuses the connection, or closes it at once: does BGP run on port {peer.port} there?"
        return _with_history(Diagnosis(SessionReason.REFUSED, text), session)
    if session.attempt is Attempt.CLOSED:
        text = f"{peer.neighbor} takes the connection and closes it without a word: is this node a neighbor there?"
        return _with_history(Diagnosis(SessionReason.CLOSED_BY_PEER, text), session)
    return _ended(session) or Diagnosis(SessionReason.CONNECTING, "no attempt has failed so far")


def _blocked(peer: Peer, way: Way) -> Diagnosis | None:
    match way:
        case Way.NO_ROUTE:
            return Diagnosis(SessionReason.NO_ROUTE, f"the node has no route to {peer.neighbor}")
        case Way.NO_SOURCE:
            return Diagnosis(SessionReason.NO_ROUTE, f"the node does not have the source address {peer.source_address}")
        case Way.NO_NEIGHBOR:
            text = f"nobody answers ARP or ND for {peer.neighbor}: is the router up, and on this network?"
            return Diagnosis(SessionReason.NO_NEIGHBOR, text)
        case _:
            return None


def _unanswered(peer: Peer, way: Way) -> Diagnosis:
    here = f"{peer.neighbor} is there, and does" if way is Way.NEIGHBOR else f"{peer.neighbor} does"
    if peer.password is not None and way is Way.NEIGHBOR:
        text = f"{here} not answer the connection: most likely its password for this node is another one, or none"
        return Diagnosis(SessionReason.PASSWORD_MISMATCH, text)
    remedy = "are the passwords equal, and" if peer.password is not None else "does it want a password, or"
    return Diagnosis(
        SessionReason.NO_ANSWER, f"{here} not answer the connection: {remedy} does a filter drop port {peer.port}?"
    )


def _lasting(notification: LastNotification) -> Diagnosis | None:
    """What goes on until somebody acts."""
    match notification:
        case LastNotification(code=2, subcode=2, received=True):
            text = "the router expects another AS number of us than spec.myASN (or localASN)"
            return Diagnosis(SessionReason.WRONG_AS, text)
        case LastNotification(code=2, subcode=2):
            return Diagnosis(SessionReason.WRONG_AS, "the router's AS number is not spec.peerASN")
        case LastNotification(code=2):
            who = "the router refuses our OPEN" if notification.received else "we refuse the router's OPEN"
            text = OPEN_ERRORS.get(notification.subcode, f"error 2/{notification.subcode}")
            return Diagnosis(SessionReason.OPEN_REFUSED, f"{who}: {text}")
        case LastNotification(code=6, received=True):
            text = CEASES.get(notification.subcode, f"error 6/{notification.subcode}")
            return Diagnosis(SessionReason.CEASED_BY_PEER, f"the router ended the session: {text}")
        case _:
            return None


def _ended(session: BgpSession) -> Diagnosis | None:
    """What ended the last session."""
    if session.notification is not None and session.notification.code == HOLD_TIMER_EXPIRED:
        who = "the router heard" if session.notification.received else "we heard"
        return Diagnosis(SessionReason.HOLD_TIME_EXPIRED, f"{who} nothing for the whole hold time")
    if session.notification is not None:
        code, subcode, received = session.notification
        text = f"notification {code}/{subcode} was {'received' if received else 'sent'}"
        return Diagnosis(SessionReason.LOST, text)
    if session.last_reset in TOLD_BY_FRR:
        reason, text = TOLD_BY_FRR[session.last_reset]
        return Diagnosis(reason, text.format(neighbor=session.neighbor, vrf=session.vrf))
    if session.last_reset in SAYS_NOTHING:
        return None
    return Diagnosis(SessionReason.LOST, session.last_reset)


def _with_history(now: Diagnosis, session: BgpSession) -> Diagnosis:
    before = _ended(session)
    return Diagnosis(now.reason, f"{now.message}; the last session: {before.message}") if before else now
