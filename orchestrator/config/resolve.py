"""`resolve`: objects in, one Config out, with every Problem found on the way. Controller, speakers and `lint` call it.

The order is that of references: nodes, profiles and aliases first, then peers and pools, then the advertisements that
join them, and the reservations and quotas that are about pools. No step fails as a whole: an object that cannot be used is replaced by its last good spec or left out
(`claims`), and of two objects that conflict one goes on (`sessions`, `pools`, `attachment`). Equal objects give an equal
result in any order of the mappings.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from orchestrator.config import (
    address_quotas,
    advertisements,
    attachment,
    bfd,
    communities,
    drains,
    extras,
    nodes,
    peers,
    pools,
    reservations,
    sessions,
)
from orchestrator.config.claims import Claims, Knowledge
from orchestrator.config.model import (
    AddressQuota,
    BfdProfile,
    Config,
    LastGood,
    NodeFacts,
    NodeName,
    Pool,
    Reservation,
    Resolved,
)
from orchestrator.config.spans import Spans
from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.resources.snapshot import ClusterSnapshot

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Step:
    """What one step found out beside its values."""

    problems: tuple[Problem, ...]
    memories: Mapping[ObjectRef, bytes]


def resolve(snapshot: ClusterSnapshot, last_good: LastGood) -> Resolved:
    """Return the configuration of all that can be used, every problem, and the specs to remember as last good."""
    knowledge = Knowledge(snapshot, last_good)
    known_nodes = {name: nodes.facts_of(node) for name, node in sorted(snapshot.nodes.items())}
    profiles, profile_step = _profiles(bfd.claims_of(knowledge))
    alias_claims = communities.claims_of(knowledge)
    aliases, alias_problems, alias_memories = communities.merge(alias_claims.served)
    settled, peer_step = _peers(knowledge, known_nodes, profiles)
    pool_claims = pools.claims_of(knowledge)
    drafts, pool_problems, pool_memories = pools.settle(pool_claims)
    around = advertisements.Surroundings(
        nodes=known_nodes,
        pool_names=_existing(drafts, snapshot.pools, knowledge.unusable("IPAddressPool")),
        peer_names=_existing(settled.peers, snapshot.peers, knowledge.unusable("BGPPeer")),
        aliases=aliases,
    )
    carrying, carrying_step = _attach(knowledge, drafts, around, settled, profiles)
    reserved, reserved_step = _reservations(knowledge, drafts, all_pools=drafts.keys() == around.pool_names)
    quotas, quota_step = _quotas(knowledge, around.pool_names)
    added, extras_problems = extras.extras_of(snapshot)
    steps = (
        _Step(tuple(problem for node in snapshot.nodes.values() for problem in nodes.problems_of(node)), {}),
        profile_step,
        _Step(tuple(problem for node in snapshot.nodes.values() for problem in drains.problems_of(node)), {}),
        _Step((*alias_claims.problems, *alias_problems), {**alias_claims.memories, **alias_memories}),
        peer_step,
        _Step((*pool_claims.problems, *pool_problems), pool_memories),
        carrying_step,
        reserved_step,
        quota_step,
        _Step(extras_problems, {}),
    )
    return Resolved(
        config=Config(
            pools=carrying,
            peers=settled.peers,
            bfd_profiles=profiles,
            nodes=known_nodes,
            reservations=reserved,
            quotas=quotas,
            held_peers=settled.held,
            locked_peers=settled.locked,
            extras=added,
        ),
        problems=_in_order((*_unparsed(snapshot), *(problem for step in steps for problem in step.problems))),
        last_good=dict(sorted(item for step in steps for item in step.memories.items())),
    )


def _existing(*names: Collection[str]) -> frozenset[str]:
    return frozenset().union(*names)


def _unparsed(snapshot: ClusterSnapshot) -> Iterator[Problem]:
    for problems in snapshot.unusable.values():
        yield from problems


def _in_order(problems: Collection[Problem]) -> tuple[Problem, ...]:
    """Sorted by object, errors before warnings; each once."""
    return tuple(
        sorted(
            set(problems),
            key=lambda problem: (problem.ref, problem.severity is Severity.WARNING, problem.field, problem.message),
        )
    )


def _profiles(claims: Claims[BfdProfile]) -> tuple[dict[str, BfdProfile], _Step]:
    return _first_variants(claims), _Step(claims.problems, _memories(claims))


def _quotas(knowledge: Knowledge, pool_names: Collection[str]) -> tuple[dict[str, AddressQuota], _Step]:
    around = address_quotas.Surroundings(namespaces=knowledge.snapshot.namespaces, pool_names=pool_names)
    claims = address_quotas.claims_of(knowledge, around)
    return _first_variants(claims), _Step(claims.problems, _memories(claims))


def _first_variants(claims: Claims[V]) -> dict[str, V]:
    """By name, of kinds whose objects conflict with nothing."""
    return {claim.ref.name: claim.variants[0] for claim in sorted(claims.served, key=lambda claim: claim.ref.name)}


def _memories(claims: Claims[V]) -> Mapping[ObjectRef, bytes]:
    memories = dict(claims.memories)
    for claim in claims.served:
        memories |= claim.memory(in_use=True)
    return memories


def _reservations(
    knowledge: Knowledge, drafts: Mapping[str, pools.Draft], *, all_pools: bool
) -> tuple[dict[str, Reservation], _Step]:
    """With `all_pools` in use, what a reservation keeps outside of them is worth a warning."""
    ranges = Spans()
    for name, draft in drafts.items():
        ranges.add_all(draft, name)
    around = reservations.Surroundings(namespaces=knowledge.snapshot.namespaces, pools=ranges if all_pools else None)
    claims = reservations.claims_of(knowledge, around)
    reserved, problems, memories = reservations.settle(claims)
    return reserved, _Step((*claims.problems, *problems), memories)


def _peers(
    knowledge: Knowledge, known_nodes: Mapping[NodeName, NodeFacts], profiles: Mapping[str, BfdProfile]
) -> tuple[sessions.Sessions, _Step]:
    around = peers.Surroundings(nodes=known_nodes, bfd_profiles=profiles, secrets=knowledge.snapshot.secrets)
    claims = peers.claims_of(knowledge, around)
    settled = sessions.settle(claims, nodes_known=bool(known_nodes))
    return settled, _Step((*claims.problems, *settled.problems), settled.memories)


def _attach(
    knowledge: Knowledge,
    drafts: Mapping[str, pools.Draft],
    around: advertisements.Surroundings,
    settled: sessions.Sessions,
    profiles: Mapping[str, BfdProfile],
) -> tuple[dict[str, Pool], _Step]:
    l2_claims = advertisements.l2_claims_of(knowledge, around)
    bgp_claims = advertisements.bgp_claims_of(knowledge, around)
    receivers = {**settled.peers, **settled.locked}
    problems = [*l2_claims.problems, *bgp_claims.problems]
    lost: set[ObjectRef] = set()
    carrying: dict[str, Pool] = {}
    for name, draft in drafts.items():
        bgp = attachment.attach_bgp(draft, bgp_claims.served)
        l2 = attachment.attach_l2(draft, l2_claims.served)
        pool = replace(draft.pool, l2_advertisements=l2, bgp_advertisements=bgp.advertisements)
        carrying[name], echo_problems = attachment.without_echo_peers(pool, receivers, profiles)
        problems += [*bgp.problems, *echo_problems]
        lost |= bgp.lost
    memories = {**_memories(l2_claims), **attachment.bgp_memories(bgp_claims, lost)}
    return carrying, _Step(tuple(problems), memories)
