"""What a node does about one layer-2 address, seen from its speaker: (tenure, event, now) -> tenure.

    tenure    | plan: this node   | plan: another node | plan: nobody | responder
    none      | PROBING or HELD   | none               | none         |
    PROBING   | PROBING           | none               | none         | free: HELD; taken: REFUSED
    HELD      | HELD              | RELEASING          | none         | claimed: HELD (we defend it) or YIELDED
    RELEASING | HELD              | RELEASING          | none         | released, gone, or 2 s without word: none
    REFUSED   | REFUSED           | none               | none         | free: HELD
    YIELDED   | YIELDED           | none               | none         | silent: HELD

A plan leaves REFUSED and YIELDED addresses to their rivals (`NodeView.occupied`); they count as planned for this node
as long as it only declines them for that reason. Nothing depends on a message that may be lost: the table is made from
the tenures, whole, and a responder that starts anew finds out again what it knew.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from math import inf
from typing import Literal

from orchestrator.decide.eligibility import Occupied
from orchestrator.decide.node_plan import Announced, GroupPlan, Protocol
from orchestrator.fsm.responder_api import Entry, Mode
from orchestrator.net.addresses import IpAddress
from orchestrator.net.link import MacAddress
from orchestrator.resources.extensions import AddressConflict

RELEASE_LIMIT_S = 2.0
"""The responder ends a release after 1 s by itself and says so; that word may be lost with its connection."""
CONFLICT_MEMORY_S = 30.0
"""A rival that has claimed nothing for so long has given up; hosts announce themselves oftener than that."""
LASTING_CLAIMS = 2
"""One claim of a node of ours is a handover that one of the two has not heard of yet; a second one is a conflict."""


class Stage(Enum):
    """What this node does. Only HELD and RELEASING addresses are answered for."""

    PROBING = "probing"
    HELD = "held"
    RELEASING = "releasing"
    REFUSED = "refused"
    YIELDED = "yielded"


class Verdict(Enum):
    """Whose a claimed address is."""

    OURS = "ours"
    THEIRS = "theirs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Whether a node of ours has answered for an address before, and which; empty if it was this one."""

    used: bool
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """Who else has the address on the wire; `node` is the one of ours with this MAC, empty for a stranger.

    `last` is when it was seen, in monotonic seconds; `claims` counts how often in a row.
    """

    mac: str
    interface: str
    last: float
    node: str = ""
    claims: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """`interfaces` as in Layer2Address; `previous` is the node it came from; `until` ends a release."""

    stage: Stage
    interfaces: tuple[str, ...] | None = None
    previous: str = ""
    rival: Rival | None = None
    until: float = inf


def begun(interfaces: tuple[str, ...] | None, past: Past) -> Tenure:
    """Return the tenure of an address that the plan has for this node now, and had not before."""
    return Tenure(stage=Stage.HELD if past.used else Stage.PROBING, interfaces=interfaces, previous=past.node)


def wanted(tenure: Tenure, interfaces: tuple[str, ...] | None) -> Tenure:
    """Return what follows when the plan still has the address for this node, or again."""
    if tenure.stage is Stage.RELEASING:
        return Tenure(stage=Stage.HELD, interfaces=interfaces)
    return replace(tenure, interfaces=interfaces)


def elsewhere(tenure: Tenure | None, now: float) -> Tenure | None:
    """Return what follows when the plan has the address for another node."""
    if tenure is None or tenure.stage is Stage.RELEASING:
        return tenure
    if tenure.stage is Stage.HELD:
        return Tenure(stage=Stage.RELEASING, interfaces=tenure.interfaces, until=now + RELEASE_LIMIT_S)
    return None


def claimed(tenure: Tenure, rival: Rival, verdict: Verdict) -> Tenure:
    """Return what follows when a rival says that it has the address."""
    if tenure.stage is not Stage.HELD:
        return tenure
    if verdict is Verdict.THEIRS:
        return replace(tenure, stage=Stage.YIELDED, rival=rival)
    before = tenure.rival
    if before is None or before.mac != rival.mac:
        return replace(tenure, rival=rival)
    return replace(tenure, rival=replace(before, last=rival.last, claims=before.claims + 1))


def probed(tenure: Tenure, rival: Rival | None) -> Tenure:
    """Return what follows when the responder asked for the address and `rival` answered, or nobody."""
    if tenure.stage not in {Stage.PROBING, Stage.REFUSED}:
        return tenure
    return replace(tenure, stage=Stage.HELD if rival is None else Stage.REFUSED, rival=rival)


def silent(tenure: Tenure) -> Tenure:
    """Return what follows when nobody answers any more for an address that is watched."""
    if tenure.stage is not Stage.YIELDED:
        return tenure
    return replace(tenure, stage=Stage.HELD, previous=tenure.rival.node if tenure.rival else "", rival=None)


def released(tenure: Tenure) -> Tenure | None:
    """Return what follows when the responder no longer answers because a new owner does, or is gone itself."""
    return None if tenure.stage is Stage.RELEASING else tenure


def pass_time(tenure: Tenure, now: float) -> Tenure | None:
    """Return the tenure at `now`: releases end, and so does the memory of a rival that gave up."""
    if now < next_change(tenure):
        return tenure
    return None if tenure.stage is Stage.RELEASING else replace(tenure, rival=None)


def next_change(tenure: Tenure) -> float:
    """Return when time alone changes the tenure; infinite if it never does."""
    if tenure.stage is Stage.HELD and tenure.rival is not None:
        return tenure.rival.last + CONFLICT_MEMORY_S
    return tenure.until


def restored(conflict: AddressConflict, interfaces: tuple[str, ...] | None, now: float) -> Tenure:
    """Return the tenure that this node's speaker had of an address before it was restarted in the middle of a conflict."""
    rival = Rival(mac=conflict.mac, interface=conflict.interface, node=conflict.node, last=now, claims=LASTING_CLAIMS)
    stage = {"defended": Stage.HELD, "yielded": Stage.YIELDED, "refused": Stage.REFUSED}[conflict.action]
    return Tenure(stage=stage, interfaces=interfaces, rival=rival)


# What follows from a tenure -----------------------------------------------------------------------------------------

_MODES = {
    Stage.PROBING: Mode.PROBE,
    Stage.HELD: Mode.ANSWER,
    Stage.RELEASING: Mode.RELEASE,
    Stage.REFUSED: Mode.PROBE,
    Stage.YIELDED: Mode.WATCH,
}


def entry(address: str, tenure: Tenure) -> Entry:
    """Return the line of the responder's table; the responder goes on asking for a refused address."""
    return Entry(address, tenure.interfaces, _MODES[tenure.stage], tenure.previous)


def occupied(tenure: Tenure) -> Occupied | None:
    """Return why the plan must do without the address, None if it need not."""
    if tenure.rival is None or tenure.stage not in {Stage.REFUSED, Stage.YIELDED}:
        return None
    return Occupied(
        mac=MacAddress.parse(tenure.rival.mac),
        interface=tenure.rival.interface,
        node=tenure.rival.node,
        before_use=tenure.stage is Stage.REFUSED,
    )


def conflict(address: str, tenure: Tenure) -> AddressConflict | None:
    """Return what other nodes and people are to know of a rival, None if there is nothing."""
    rival, action = tenure.rival, _action(tenure)
    if rival is None or action is None:
        return None
    return AddressConflict(address=address, mac=rival.mac, interface=rival.interface, node=rival.node, action=action)


def _action(tenure: Tenure) -> Literal["defended", "yielded", "refused"] | None:
    match tenure.stage:
        case Stage.REFUSED:
            return "refused"
        case Stage.YIELDED:
            return "yielded"
        case Stage.HELD if tenure.rival and (not tenure.rival.node or tenure.rival.claims >= LASTING_CLAIMS):
            return "defended"
        case _:
            return None


def on_air(plan: GroupPlan, silent_ones: Collection[IpAddress]) -> GroupPlan:
    """Return the plan without the layer-2 addresses that are not answered for yet: what can be told to the world."""
    if not any(entry.address in silent_ones for entry in plan.layer2):
        return plan
    parts = (_without(part, silent_ones) for part in plan.announced)
    return replace(plan, announced=tuple(part for part in parts if part.addresses))


def _without(part: Announced, silent_ones: Collection[IpAddress]) -> Announced:
    if part.protocol is not Protocol.LAYER2:
        return part
    return replace(part, addresses=tuple(address for address in part.addresses if address not in silent_ones))
