"""Addresses that were moved by hand: the names of their objects, and whether each move is in force.

What is known comes from objects only. A node whose responder has just died looks like one that could answer and does
not: only the other responders know.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from orchestrator.config.model import NodeName
from orchestrator.net.addresses import IpAddress
from orchestrator.resources.extensions import FailoverSpec


class Standing(Enum):
    """Whether an address is where it was moved to, or why it is not."""

    IN_FORCE = "inForce"
    NO_SERVICE = "noService"
    UNKNOWN_NODE = "unknownNode"
    NO_SPEAKER = "noSpeaker"
    DRAINING = "draining"
    NOT_ADVERTISED = "notAdvertised"
    NO_OTHER_NODE = "noOtherNode"
    NOT_ANSWERED = "notAnswered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is known about an address.

    `owners` say that they answer for it; `speakers` are the nodes with a speaker, `draining` those of them that leave;
    `advertised` are the nodes of its L2Advertisements.
    """

    services: Collection[str]
    owners: frozenset[NodeName]
    nodes: frozenset[NodeName]
    speakers: frozenset[NodeName]
    draining: frozenset[NodeName]
    advertised: frozenset[NodeName]


def object_name(address: IpAddress) -> str:
    """Return the name of the Failover of an address: its canonical text, IPv6 with dashes (2001-db8--10)."""
    text = str(address).replace(":", "-")
    return f"{'0' if text.startswith('-') else ''}{text}{'0' if text.endswith('-') else ''}"


def reached(spec: FailoverSpec, owners: Collection[NodeName]) -> bool:
    """Whether nodes that answer are those that were asked for."""
    if spec.to:
        return set(owners) == {spec.to}
    return bool(owners) and not set(owners) & set(spec.avoid)


def standing(spec: FailoverSpec, known: Circumstances) -> Standing:
    """Return whether a move is in force, or the first reason why not."""
    if not known.services:
        return Standing.NO_SERVICE
    if reached(spec, known.owners):
        return Standing.IN_FORCE
    if spec.to:
        return _obstacle(spec.to, known) or Standing.NOT_ANSWERED
    others = known.advertised - set(spec.avoid)
    free = any(_obstacle(node, known) is None for node in others)
    return Standing.NOT_ANSWERED if free else Standing.NO_OTHER_NODE


def _obstacle(node: NodeName, known: Circumstances) -> Standing | None:
    if node not in known.nodes:
        return Standing.UNKNOWN_NODE
    if node not in known.advertised:
        return Standing.NOT_ADVERTISED
    if node not in known.speakers:
        return Standing.NO_SPEAKER
    return Standing.DRAINING if node in known.draining else None


def explanation(spec: FailoverSpec, known: Circumstances) -> str:
    """Return the standing in words that say what to do; empty while it is in force."""
    node = spec.to
    match standing(spec, known):
        case Standing.IN_FORCE:
            return ""
        case Standing.NO_SERVICE:
            return "no Service has this address; undo it"
        case Standing.UNKNOWN_NODE:
            return f"there is no node {node}; known nodes: {', '.join(sorted(known.nodes)) or 'none'}"
        case Standing.NO_SPEAKER:
            return f"no speaker has ever run on {node}"
        case Standing.DRAINING:
            return f"{node} is being drained"
        case Standing.NOT_ADVERTISED:
            return f"no L2Advertisement of the address includes {node}; look at nodeSelectors"
        case Standing.NO_OTHER_NODE:
            return f"no node but {', '.join(spec.avoid)} may answer for it"
        case Standing.NOT_ANSWERED:
            return f"{node or 'another node'} may answer and does not: is its responder alive, has it an endpoint and a link?"
