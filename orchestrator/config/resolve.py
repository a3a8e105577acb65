"""`resolve`: objects in, one Config out, with every Problem found on the way. Controller, speakers and `lint` call it.

The order is that of references: nodes, profiles and aliases first, then peers and pools, then the advertisements that
join them. No step fails as a whole: an object that cannot be used is replaced by its last good spec or left out
(`claims`), and of two objects that conflict one goes on (`sessions`, `pools`, `attachment`). Equal objects give an equal
result in any order of the mappings.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.config import advertisements, attachment, bfd, communities, nodes, peers, pools, sessions
from orchestrator.config.claims import Claims, Knowledge
from orchestrator.config.model import BfdProfile, Config, LastGood, NodeFacts, NodeName, Pool, Resolved
from orchestrator.resources.meta import ObjectRef, Problem, Severity
from orchestrator.resources.snapshot import ClusterSnapshot


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
    steps = (
        profile_step,
        _Step((*alias_claims.problems, *alias_problems), {**alias_claims.memories, **alias_memories}),
        peer_step,
        _Step((*pool_claims.problems, *pool_problems), pool_memories),
        carrying_step,
    )
    return Resolved(
        config=Config(
            pools=carrying,
            peers=settled.peers,
            bfd_profiles=profiles,
            nodes=known_nodes,
            held_peers=settled.held,
            locked_peers=settled.locked,
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
    memories = dict(claims.memories)
    for claim in claims.served:
        memories |= claim.memory(in_use=True)
    profiles = {claim.ref.name: claim.variants[0] for claim in claims.served}
    return dict(sorted(profiles.items())), _Step(claims.problems, memories)


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
    conflicting: set[ObjectRef] = set()
    carrying: dict[str, Pool] = {}
    for name, draft in drafts.items():
        bgp = attachment.attach_bgp(draft, bgp_claims.served)
        l2 = attachment.attach_l2(draft, l2_claims.served)
        pool = replace(draft.pool, l2_advertisements=l2, bgp_advertisements=bgp.advertisements)
        carrying[name], echo_problems = attachment.without_echo_peers(pool, receivers, profiles)
        problems += [*bgp.problems, *echo_problems]
        conflicting |= bgp.conflicting
    memories = {**l2_claims.memories, **attachment.bgp_memories(bgp_claims, conflicting)}
    for claim in l2_claims.served:
        memories |= claim.memory(in_use=True)
    return carrying, _Step(tuple(problems), memories)
