"""The condition `Established` of a BGPPeer: on which nodes its session is up, and why not on the others.

The speakers say it in their SpeakerStates. Nothing that counts is in the text (no seconds, no attempts), so it is
written only when something else is true. Equal input gives equal text, whatever its order.
"""

from collections.abc import Collection, Mapping
from enum import Enum

import msgspec

from orchestrator.config.model import NodeName
from orchestrator.config.wording import listed
from orchestrator.resources.extensions import PeerSession, SpeakerState
from orchestrator.resources.meta import Condition

ESTABLISHED = "Established"
MOST_TOLD = 10
"""Causes in one message: a rack without power is one, a hundred nodes with a fault each are not read anyway."""


class SessionReason(Enum):
    """How a session is; of several nodes the first in this order is the reason of the condition."""

    HELD_BY_OPERATOR = "HeldByOperator"
    DAEMON_AWAY = "DaemonAway"
    NOT_CONFIGURED = "NotConfigured"
    VRF_MISSING = "VrfMissing"
    WRONG_AS = "WrongAs"
    PASSWORD_MISMATCH = "PasswordMismatch"  # noqa: S105 - a reason, no password
    OPEN_REFUSED = "OpenRefused"
    CEASED_BY_PEER = "CeasedByPeer"
    NO_ROUTE = "NoRoute"
    NO_NEIGHBOR = "NoNeighbor"
    REFUSED = "Refused"
    CLOSED_BY_PEER = "ClosedByPeer"
    NO_ANSWER = "NoAnswer"
    BFD_DOWN = "BfdDown"
    INTERFACE_DOWN = "InterfaceDown"
    HOLD_TIME_EXPIRED = "HoldTimeExpired"
    LOST = "Lost"
    CONNECTING = "Connecting"
    NOT_REPORTED = "NotReported"
    NO_NODE = "NoNode"
    ESTABLISHED = "Established"


_ORDER = {reason.value: number for number, reason in enumerate(SessionReason)}


def established(
    peer: str, nodes: Collection[NodeName] | None, speakers: Mapping[NodeName, SpeakerState], generation: int = 0
) -> Condition:
    """Return the condition of a BGPPeer that runs on these nodes, without a transition time.

    No `nodes` at all, not even none, says that it is not in use; `generation` 0 is unknown.
    """
    condition = _established(peer, nodes, speakers)
    return msgspec.structs.replace(condition, observed_generation=generation) if generation else condition


def _established(peer: str, nodes: Collection[NodeName] | None, speakers: Mapping[NodeName, SpeakerState]) -> Condition:
    if nodes is None:
        text = "nothing of the object is in use; see its condition Accepted"
        return _condition("Unknown", SessionReason.NOT_CONFIGURED.value, text)
    if not nodes:
        return _condition("Unknown", SessionReason.NO_NODE.value, "no node is selected by spec.nodeSelectors")
    told = {node: _session(peer, speakers.get(node)) for node in sorted(nodes)}
    up = [node for node, session in told.items() if session is not None and session.established]
    down = {node: session for node, session in told.items() if session is not None and not session.established}
    silent = [node for node, session in told.items() if session is None]
    if not down and not silent:
        return _condition("True", SessionReason.ESTABLISHED.value, f"on {listed(up)}")
    lines = _causes(down)
    if silent:
        lines.append(
            f"{SessionReason.NOT_REPORTED.value} on {listed(silent)}: the speaker has not told yet; does it run?"
        )
    if up:
        lines.append(f"Established on {listed(up)}")
    if not down:
        return _condition("Unknown", SessionReason.NOT_REPORTED.value, "\n".join(lines))
    reason = min((session.reason for session in down.values()), key=_rank)
    return _condition("False", reason, "\n".join(lines))


def _session(peer: str, state: SpeakerState | None) -> PeerSession | None:
    sessions = () if state is None else state.spec.sessions
    return next((each for each in sessions if each.peer == peer), None)


def _causes(down: Mapping[NodeName, PeerSession]) -> list[str]:
    """A line per cause with its nodes, the worst first."""
    nodes: dict[tuple[str, str], list[NodeName]] = {}
    for node, session in down.items():
        nodes.setdefault((session.reason, session.message), []).append(node)
    found = sorted(nodes.items(), key=lambda item: (_rank(item[0][0]), item[1]))
    lines = [f"{reason} on {listed(names)}: {message}" for (reason, message), names in found[:MOST_TOLD]]
    return [*lines, f"and {len(found) - MOST_TOLD} causes more"] if len(found) > MOST_TOLD else lines


def _rank(reason: str) -> int:
    """A newer speaker may say a word that this controller does not know."""
    return _ORDER.get(reason, len(_ORDER))


def _condition(status: str, reason: str, message: str) -> Condition:
    return Condition(type=ESTABLISHED, status=status, reason=reason, message=message)
