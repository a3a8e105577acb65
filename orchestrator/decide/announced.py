"""The condition `ferrule.io/Announced` of a Service: by which nodes and protocols, or why by none.

What the speakers' statuses say counts. Only where they say nothing the plan is asked: it tells why nobody should announce
the Service, or who has not said so yet. Equal input gives equal text, whatever its order.
"""

from collections.abc import Collection, Mapping
from enum import Enum

from orchestrator.config.model import NodeName
from orchestrator.config.wording import listed
from orchestrator.decide.node_plan import DeclineReason, Protocol
from orchestrator.decide.outlook import Cause, Outlook
from orchestrator.resources.meta import Condition

ANNOUNCED = "ferrule.io/Announced"
AS_PLANNED = ", as planned"
"""Said of BGP where speakers write no statuses, because there are too many Services."""


class AnnouncedReason(Enum):
    """Why the condition is what it is; where there are several causes, the first in this order counts."""

    ANNOUNCED = "Announced"
    NO_SPEAKER = "NoSpeaker"
    WAITING = "Waiting"
    ADDRESS_IN_USE = "AddressInUse"
    YIELDED = "Yielded"
    INVALID_IP = "InvalidIP"
    IP_NOT_ALLOWED = "IpNotAllowed"
    NO_ENDPOINTS = "NoEndpoints"
    DAMPENED = "Dampened"
    SHARED_IP_WITH_SERVICE_SELECTOR = "SharedIPWithServiceSelector"
    CONFLICTING_ADVERTISEMENTS = "ConflictingAdvertisements"
    NO_NODE_ON_LINK = "NoNodeOnLink"
    NO_INTERFACE = "NoInterface"
    NO_PEER_CARRIES_FAMILY = "NoPeerCarriesFamily"
    NO_LOCAL_ENDPOINTS = "NoLocalEndpoints"
    NODE_EXCLUDED = "NodeLabeledExcludeBalancers"
    NODE_DRAINED = "NodeDrained"
    NODE_NOT_READY = "NodeNotReady"
    NODE_NETWORK_UNAVAILABLE = "NodeNetworkUnavailable"
    NO_PEER_ON_NODE = "NoPeerOnNode"
    NO_MATCHING_ADVERTISEMENT = "NoMatchingAdvertisement"
    NOT_OWNER = "NotOwner"
    NO_IP_ALLOCATED = "NoIPAllocated"
    NOT_LOAD_BALANCER = "NotLoadBalancer"
    CLASS_NOT_OURS = "ClassNotOurs"


_ORDER = {reason: number for number, reason in enumerate(AnnouncedReason)}


def announced(by: Mapping[Protocol, Collection[NodeName]], *, bgp_as_planned: bool = False) -> Condition:
    """Return that these nodes announce the Service; `bgp_as_planned`: of BGP that is only the plan."""
    text = _by(by) + (AS_PLANNED if bgp_as_planned and Protocol.BGP in by else "")
    return _condition("True", AnnouncedReason.ANNOUNCED, text)


def unannounced(outlook: Outlook) -> Condition:
    """Return what is to be said of a Service that nobody says to announce."""
    if outlook.planned:
        text = f"to be announced over {_by(outlook.planned)}, who has not said so yet"
        return _condition("Unknown", AnnouncedReason.WAITING, text)
    causes = sorted(outlook.causes, key=_rank)
    if not causes:
        return _condition("Unknown", AnnouncedReason.WAITING, "nobody has said yet whether it is announced")
    return _condition("False", reason_for(causes[0].reason), "\n".join(map(_text, causes)))


def without_speaker() -> Condition:
    """Return what is to be said while no node has a speaker."""
    return _condition("Unknown", AnnouncedReason.NO_SPEAKER, "no speaker has reported; are the speakers running?")


def reason_for(reason: DeclineReason) -> AnnouncedReason:
    """Return the word of conditions for a speaker's."""
    return AnnouncedReason[reason.name]


def _by(nodes: Mapping[Protocol, Collection[NodeName]]) -> str:
    """layer2 by a; bgp by a, b"""
    named = ((protocol.value, sorted(nodes[protocol])) for protocol in Protocol if protocol in nodes)
    return "; ".join(f"{protocol} by {listed(names)}" if names else protocol for protocol, names in named)


def _rank(cause: Cause) -> tuple[int, list[str], tuple[NodeName, ...], str]:
    order = _ORDER[reason_for(cause.reason)]
    return order, sorted(protocol.value for protocol in cause.protocols), cause.nodes, cause.text


def _text(cause: Cause) -> str:
    protocols = ", ".join(protocol.value for protocol in Protocol if protocol in cause.protocols)
    where = f" on {listed(cause.nodes)}" if cause.nodes else ""
    return f"{protocols}{': ' if protocols else ''}{cause.reason.value}{where}: {cause.text}"


def _condition(status: str, reason: AnnouncedReason, message: str) -> Condition:
    return Condition(type=ANNOUNCED, status=status, reason=reason.value, message=message)
