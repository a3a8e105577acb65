"""Conditions of a Service that are there only while there is something to say, and how all of ours are kept up to date.

`ferrule.io/OnLink` is False while a node that may be elected has no leg in the subnet of one of the addresses: it answers
where nobody asks. `ferrule.io/AddressConflict` is True while a speaker sees somebody else with one of them. Nodes without
a SpeakerState are unknown and count for nothing. `ferrule.io/InPool` is False while it keeps addresses that no pool has.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_interface

import msgspec

from orchestrator.config.model import L2Advertisement, NodeFacts, NodeName
from orchestrator.config.wording import listed
from orchestrator.decide.allocated import ALLOCATED
from orchestrator.decide.announced import ANNOUNCED
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, Prefix, parse_address
from orchestrator.resources.extensions import AddressConflict, SpeakerState
from orchestrator.resources.meta import Condition

ON_LINK = "ferrule.io/OnLink"
ADDRESS_CONFLICT = "ferrule.io/AddressConflict"
IN_POOL = "ferrule.io/InPool"
TYPES = frozenset({ALLOCATED, ANNOUNCED, ON_LINK, ADDRESS_CONFLICT, IN_POOL})
"""Our conditions; all others on the Service belong to somebody else."""


class ConditionReason(Enum):
    """Why a Service has the condition; of several the first in this order counts."""

    NO_NODE_ON_LINK = "NoNodeOnLink"
    OWNER_OFF_LINK = "OwnerOffLink"
    SOME_NODES_OFF_LINK = "SomeNodesOffLink"
    DUPLICATE_ADDRESS = "DuplicateAddress"
    TWO_OWNERS = "TwoOwners"
    FOREIGN_OWNER = "ForeignOwner"
    NOT_IN_POOL = "NotInPool"


_ORDER = {reason: number for number, reason in enumerate(ConditionReason)}
_ACTIONS = {"defended": "defended by", "yielded": "left to it by", "refused": "not answered for by"}
_REMEDIES = {
    ConditionReason.DUPLICATE_ADDRESS: "take it from that machine, or give the Service another address",
    ConditionReason.TWO_OWNERS: "look at the network between the nodes: heartbeats are lost there",
    ConditionReason.FOREIGN_OWNER: "take it from that machine, or give the Service another address",
}


@dataclass(frozen=True, slots=True, order=True)
class Sighting:
    """What one node, `observer`, sees of somebody else who has one of our addresses."""

    mac: str
    interface: str
    node: NodeName
    action: str
    observer: NodeName


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """What the speakers say. `legs`: which nodes are in a network, with which interfaces; link-local ones left out."""

    nodes: frozenset[NodeName] = frozenset()
    legs: Mapping[Prefix, Mapping[NodeName, frozenset[str]]]
    conflicts: Mapping[IpAddress, tuple[Sighting, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A Service: its addresses, the L2Advertisements that admit it, and the nodes that say that they answer for it.

    `pool_removed` says that no pool has the addresses any more; empty while one has.
    """

    addresses: tuple[IpAddress, ...]
    advertisements: tuple[L2Advertisement, ...]
    owners: frozenset[NodeName] = frozenset()
    pool_removed: str = ""


def observe(states: Iterable[SpeakerState]) -> Observations:
    """Sum up the SpeakerStates; what is no address or prefix in them is left out."""
    legs: dict[Prefix, dict[NodeName, frozenset[str]]] = {}
    sightings: dict[IpAddress, set[Sighting]] = {}
    nodes: set[NodeName] = set()
    for state in states:
        node = state.spec.node
        nodes.add(node)
        for interface, prefix in _prefixes(state):
            members = legs.setdefault(prefix, {})
            members[node] = members.get(node, frozenset()) | {interface}
        for conflict in state.spec.conflicts:
            address = _address(conflict)
            if address is not None:
                sightings.setdefault(address, set()).add(_sighting(conflict, node))
    conflicts = {address: tuple(sorted(found)) for address, found in sightings.items()}
    return Observations(nodes=frozenset(nodes), legs=legs, conflicts=conflicts)


def _prefixes(state: SpeakerState) -> Iterator[tuple[str, Prefix]]:
    for interface in state.spec.interfaces:
        for text in interface.prefixes:
            try:
                prefix = ip_interface(text).network
            except ValueError:
                continue
            if not prefix.is_link_local:
                yield interface.name, prefix


def _address(conflict: AddressConflict) -> IpAddress | None:
    try:
        return parse_address(conflict.address)
    except InvalidConfig:
        return None


def _sighting(conflict: AddressConflict, observer: NodeName) -> Sighting:
    return Sighting(conflict.mac, conflict.interface, conflict.node, conflict.action, observer)


def conditions_of(
    subject: Subject, observations: Observations, facts: Mapping[NodeName, NodeFacts]
) -> tuple[Condition, ...]:
    """Return the conditions that are there only sometimes, without transition times; equal input gives equal text."""
    found = (
        _condition(
            ON_LINK, "False", [_off_link(address, subject, observations, facts) for address in subject.addresses]
        ),
        _condition(ADDRESS_CONFLICT, "True", [_conflict(address, observations) for address in subject.addresses]),
        _condition(IN_POOL, "False", [_not_in_pool(subject)]),
    )
    return tuple(condition for condition in found if condition is not None)


def merged(held: Sequence[Condition], ours: Sequence[Condition], now: str) -> tuple[Condition, ...]:
    """Return the Service's conditions with ours brought up to date; `held` itself if that changes nothing.

    Those of other writers stay. A transition time changes with the status only; `now` is RFC 3339.
    """
    before = {condition.type: condition for condition in held}
    timed = [since(before.get(condition.type), condition, now) for condition in ours]
    if [before[name] for name in sorted(before.keys() & TYPES)] == sorted(timed, key=lambda condition: condition.type):
        return tuple(held)
    return (*(condition for condition in held if condition.type not in TYPES), *timed)


def since(before: Condition | None, condition: Condition, now: str) -> Condition:
    """Return the condition with the time since when its status is so; `before` is what was said until `now`."""
    unchanged = before is not None and before.status == condition.status
    start = before.last_transition_time if before is not None and unchanged else ""
    return msgspec.structs.replace(condition, last_transition_time=start or now)


Finding = tuple[ConditionReason, str]


def _condition(type_: str, status: str, findings: Iterable[Finding | None]) -> Condition | None:
    present = [finding for finding in findings if finding is not None]
    if not present:
        return None
    reason = min((reason for reason, _ in present), key=_ORDER.__getitem__)
    return Condition(type=type_, status=status, reason=reason.value, message="\n".join(text for _, text in present))


def _not_in_pool(subject: Subject) -> Finding | None:
    return (ConditionReason.NOT_IN_POOL, subject.pool_removed) if subject.pool_removed else None


# --- OnLink -----------------------------------------------------------------------------------------------------


def _off_link(
    address: IpAddress, subject: Subject, observations: Observations, facts: Mapping[NodeName, NodeFacts]
) -> Finding | None:
    eligible = {node for node in _included(subject.advertisements) & observations.nodes if _may_announce(node, facts)}
    owners = subject.owners & observations.nodes if subject.advertisements else frozenset()
    legs = _legs(address, subject.advertisements, observations, eligible | owners)
    off = sorted(eligible - legs.keys())
    names = ", ".join(sorted(advertisement.name for advertisement in subject.advertisements))
    if eligible and not eligible & legs.keys():
        remedy = (
            f"select other nodes with nodeSelectors of L2Advertisement {names}, or use an address of a subnet of theirs"
        )
        return (
            ConditionReason.NO_NODE_ON_LINK,
            f"{address}: no node has an address in its subnet; without: {listed(off)}; {remedy}",
        )
    with_leg = listed([f"{node} ({', '.join(sorted(legs[node]))})" for node in sorted(legs.keys() & eligible)])
    remedy = f"set requireOnLink on L2Advertisement {names}, or leave these nodes out with its nodeSelectors"
    astray = sorted(owners - legs.keys())
    if astray:
        text = f"{address}: {listed(astray)} answers for it and has no address in its subnet; with one: {with_leg}"
        return ConditionReason.OWNER_OFF_LINK, f"{text}; without: {listed(off or astray)}; {remedy}"
    lax = sorted(set(off) & _included(each for each in subject.advertisements if not each.require_on_link))
    if lax:
        text = f"{address}: nodes with an address in its subnet: {with_leg}; without: {listed(lax)}; {remedy}"
        return ConditionReason.SOME_NODES_OFF_LINK, text
    return None


def _included(advertisements: Iterable[L2Advertisement]) -> frozenset[NodeName]:
    return frozenset[NodeName]().union(*(advertisement.nodes for advertisement in advertisements))


def _may_announce(node: NodeName, facts: Mapping[NodeName, NodeFacts]) -> bool:
    """What comes and goes by itself (a node that is cut off) must not change conditions; the exclude label may."""
    return node in facts and not facts[node].excluded_from_balancers


def _legs(
    address: IpAddress,
    advertisements: Sequence[L2Advertisement],
    observations: Observations,
    nodes: Collection[NodeName],
) -> Mapping[NodeName, frozenset[str]]:
    """The nodes with an address in the subnet, on an interface that they answer on."""
    found: dict[NodeName, frozenset[str]] = {}
    for prefix, members in observations.legs.items():
        if prefix.version == address.version and address in prefix:
            for node in members.keys() & nodes:
                found[node] = found.get(node, frozenset()) | members[node]
    answering = {node: interfaces & _interfaces(node, advertisements, interfaces) for node, interfaces in found.items()}
    return {node: interfaces for node, interfaces in answering.items() if interfaces}


def _interfaces(
    node: NodeName, advertisements: Iterable[L2Advertisement], all_of_them: frozenset[str]
) -> frozenset[str]:
    here = [advertisement for advertisement in advertisements if node in advertisement.nodes]
    if not all(advertisement.interfaces for advertisement in here):
        return all_of_them
    return frozenset(name for advertisement in here for name in advertisement.interfaces)


# --- AddressConflict --------------------------------------------------------------------------------------------


def _conflict(address: IpAddress, observations: Observations) -> Finding | None:
    sightings = observations.conflicts.get(address, ())
    if not sightings:
        return None
    reasons = {sighting: _reason(sighting) for sighting in sightings}
    worst = min(reasons.values(), key=_ORDER.__getitem__)
    seen = "; ".join(dict.fromkeys(_seen(sighting, sightings) for sighting in sightings))
    return worst, f"{address}: {seen}; {_REMEDIES[worst]}"


def _reason(sighting: Sighting) -> ConditionReason:
    if sighting.action == "refused":
        return ConditionReason.DUPLICATE_ADDRESS
    return ConditionReason.TWO_OWNERS if sighting.node else ConditionReason.FOREIGN_OWNER


def _seen(sighting: Sighting, sightings: Iterable[Sighting]) -> str:
    """One phrase for all nodes that see and do the same."""
    others = [each for each in sightings if _sight(each) == _sight(sighting)]
    who = f"node {sighting.node}" if sighting.node else "a machine that is no node of ours"
    return (
        f"{sighting.mac} ({who}) has it on {sighting.interface or 'some interface'}, {_ACTIONS[sighting.action]} "
        + (listed(sorted(each.observer for each in others)))
    )


def _sight(sighting: Sighting) -> tuple[str, ...]:
    return (sighting.mac, sighting.interface, sighting.node, sighting.action)
