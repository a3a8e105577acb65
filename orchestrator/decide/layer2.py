"""Layer 2 for one group (contract 4.2, 4.3): which addresses this node answers for, who does otherwise, and why not.

`contest` says who owns the group. The owner may still decline: it has none of the advertisement's interfaces, or
somebody else has an address on the wire; then the other addresses of the group are answered for all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.config.model import Config, NodeName
from orchestrator.decide.candidates import Candidate
from orchestrator.decide.contest import Contest, Entrant, contest_between, enter
from orchestrator.decide.eligibility import NodeView, Occupied, is_local
from orchestrator.decide.node_plan import (
    Announced,
    Decline,
    DeclineReason,
    Elsewhere,
    Layer2Address,
    Protocol,
    layer2_in_order,
)
from orchestrator.decide.reach import Reach
from orchestrator.net.addresses import IpAddress, address_key

NAMED_NODES = 5
"""So many nodes a text names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer2Plan:
    layer2: tuple[Layer2Address, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    withheld: tuple[IpAddress, ...] = ()
    announced: tuple[Announced, ...] = ()
    declined: tuple[Decline, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineup:
    """Who takes part in the election of a group, whoever lives; without a contest it is not announced over layer 2."""

    entrants: tuple[Entrant, ...]
    declined: tuple[Decline, ...]
    contest: Contest | None


def line_up(candidates: Sequence[Candidate], view: NodeView, reach: Reach) -> Lineup:
    """Return what the election of a group is about: good until its Services, links or placements change."""
    entered = [enter(candidate, reach) for candidate in candidates]
    entrants = tuple(one for one in entered if isinstance(one, Entrant))
    return Lineup(
        entrants=entrants,
        declined=tuple(one for one in entered if isinstance(one, Decline)),
        contest=contest_between(candidates, entrants, view),
    )


def plan_layer2(lineup: Lineup, view: NodeView) -> Layer2Plan:
    """Return the addresses that this node answers for."""
    entrants, contest = lineup.entrants, lineup.contest
    declined = list(lineup.declined)
    owner = contest.winner(contest.candidates(view.alive, view.reserve), view.shares) if contest else None
    elsewhere: tuple[Elsewhere, ...] = ()
    if owner is not None and owner != view.node:
        elsewhere = _elsewhere(entrants, owner)
    announced: list[Announced] = []
    addresses: dict[IpAddress, Layer2Address] = {}
    withheld: set[IpAddress] = set()
    for entrant in entrants:
        refusal = _refusal(entrant, contest, owner, view)
        if refusal is not None:
            declined.append(refusal)
            continue
        interfaces = _interfaces(entrant, view)
        taken = [address for address in entrant.candidate.addresses if address in view.occupied]
        declined += [_taken(entrant.candidate, address, view.occupied[address]) for address in taken]
        withheld.update(taken)
        free = tuple(address for address in entrant.candidate.addresses if address not in view.occupied)
        if free:
            announced.append(_announced(entrant.candidate, free, interfaces))
        for address in free:
            addresses[address] = _joined(addresses.get(address), address, interfaces)
    return Layer2Plan(
        layer2=layer2_in_order(addresses.values()),
        elsewhere=elsewhere,
        withheld=tuple(sorted(withheld, key=address_key)),
        announced=tuple(announced),
        declined=tuple(declined),
    )


def _elsewhere(entrants: Sequence[Entrant], owner: NodeName) -> tuple[Elsewhere, ...]:
    addresses = {address for one in entrants if one.advertisements for address in one.candidate.addresses}
    return tuple(Elsewhere(address=address, node=owner) for address in sorted(addresses, key=address_key))


def _refusal(entrant: Entrant, contest: Contest | None, owner: NodeName | None, view: NodeView) -> Decline | None:
    """Why this node answers for no address of the Service."""
    candidate = entrant.candidate
    if all(view.node not in advertisement.nodes for advertisement in entrant.advertisements):
        detail = (
            f"no L2Advertisement of pool {candidate.pool.name} is for this Service on node {view.node}; "
            "look at its nodeSelectors and serviceSelectors"
        )
        return candidate.decline(Protocol.LAYER2, DeclineReason.NO_MATCHING_ADVERTISEMENT, detail)
    if contest is not None and contest.off_link and not contest.everyone:
        return candidate.decline(Protocol.LAYER2, DeclineReason.NO_NODE_ON_LINK, _off_link(entrant, contest, view))
    if owner is None:
        return candidate.decline(Protocol.LAYER2, DeclineReason.NOT_OWNER, _no_node(candidate))
    if owner != view.node:
        return candidate.decline(Protocol.LAYER2, DeclineReason.NOT_OWNER, f"node {owner} answers for it")
    return _without_interface(entrant, view)


def _no_node(candidate: Candidate) -> str:
    rule = "hosts a serving endpoint of it and of what shares its address, " if is_local(candidate.service) else ""
    return f"no node {rule}is alive, advertised, connected and without the exclude label; free one"


def _off_link(entrant: Entrant, contest: Contest, view: NodeView) -> str:
    names = ", ".join(one.name for one in entrant.advertisements if one.require_on_link)
    addresses = ", ".join(str(address) for address in entrant.candidate.addresses)
    known = [f"{node} has {_legs(node, view)}" for node in sorted(contest.off_link)]
    more = [f"{len(known) - NAMED_NODES} more"] if len(known) > NAMED_NODES else []
    return (
        f"L2Advertisement {names} has requireOnLink, and no node has an address in a subnet that holds {addresses}: "
        f"{'; '.join([*known[:NAMED_NODES], *more])}; give a node one (on the interfaces of the advertisement, "
        "with carrier), or use a pool of those subnets"
    )


def _legs(node: NodeName, view: NodeView) -> str:
    links = view.links.get(node)
    if links is None:
        return "not said what it has"
    legs = [
        f"{network} on {link.interface}{'' if link.carrier else ' (no carrier)'}"
        for link in links
        for network in link.networks
    ]
    return ", ".join(legs) or "none"


def _without_interface(entrant: Entrant, view: NodeView) -> Decline | None:
    """A node that is known to have no interface to answer on says so, instead of counting as the announcer."""
    links, interfaces = view.links.get(view.node), _interfaces(entrant, view)
    if links is None or any(interfaces is None or link.interface in interfaces for link in links):
        return None
    candidate, present = entrant.candidate, ", ".join(link.interface for link in links) or "none"
    addresses = ", ".join(f'"{address}"' for address in candidate.addresses)
    named = f"none of {', '.join(interfaces)}" if interfaces else "none"
    detail = (
        f"node {view.node} has {named} that may answer for {addresses}; those that may: {present}; "
        "correct spec.interfaces or nodeSelectors of the L2Advertisement"
    )
    return candidate.decline(Protocol.LAYER2, DeclineReason.NO_INTERFACE, detail)


def _interfaces(entrant: Entrant, view: NodeView) -> tuple[str, ...] | None:
    """The union over the advertisements that include this node; one without interfaces means all: None."""
    here = [advertisement for advertisement in entrant.advertisements if view.node in advertisement.nodes]
    if any(not advertisement.interfaces for advertisement in here):
        return None
    return tuple(sorted({name for advertisement in here for name in advertisement.interfaces}))


def _joined(present: Layer2Address | None, address: IpAddress, interfaces: tuple[str, ...] | None) -> Layer2Address:
    """An address of several Services is answered for wherever one of them asks."""
    if present is None:
        return Layer2Address(address=address, interfaces=interfaces)
    if present.interfaces is None or interfaces is None:
        return Layer2Address(address=address)
    return Layer2Address(address=address, interfaces=tuple(sorted({*present.interfaces, *interfaces})))


def _announced(candidate: Candidate, addresses: tuple[IpAddress, ...], interfaces: tuple[str, ...] | None) -> Announced:
    return Announced(service=candidate.key, protocol=Protocol.LAYER2, addresses=addresses, interfaces=interfaces)


def _taken(candidate: Candidate, address: IpAddress, by: Occupied) -> Decline:
    others = [other for other in candidate.addresses if other != address]
    rest = f"; {', '.join(str(other) for other in others)} is decided by itself" if others else ""
    if by.before_use:
        detail = (
            f"{address} is in use by MAC {by.mac} on {by.interface}; free it there, or exclude it from pool "
            f"{candidate.pool.name}: as soon as nobody answers for it, it is announced{rest}"
        )
        return candidate.decline(Protocol.LAYER2, DeclineReason.ADDRESS_IN_USE, detail)
    who = f"node {by.node} (MAC {by.mac})" if by.node else f"a machine with MAC {by.mac}"
    detail = f"{who} answers for {address} on {by.interface}, and this node gave way until it falls silent{rest}"
    return candidate.decline(Protocol.LAYER2, DeclineReason.YIELDED, detail)


# What a configuration says of a node as a whole -----------------------------------------------------------------------


def heartbeat_peers(config: Config, node: NodeName) -> frozenset[NodeName]:
    """Return the other nodes that could own an address that `node` could own: those of one pool's advertisements."""
    peers: set[NodeName] = set()
    for pool in config.pools.values():
        if any(node in advertisement.nodes for advertisement in pool.l2_advertisements):
            peers.update(*(advertisement.nodes for advertisement in pool.l2_advertisements))
    return frozenset(peers - {node})


def announcing_interfaces(config: Config, node: NodeName) -> tuple[str, ...] | None:
    """Return the interfaces that announcements of a node may go out on, sorted; None: any.

    The union over the advertisements that include it; any if there is none, so that nothing changes when one comes.
    """
    here = [one for pool in config.pools.values() for one in pool.l2_advertisements if node in one.nodes]
    if not all(advertisement.interfaces for advertisement in here):
        return None
    return tuple(sorted({name for advertisement in here for name in advertisement.interfaces})) or None
