"""Advertisements meet pools: which pool carries which advertisement (contract 3.7, 3.8).

L2Advertisements never conflict. A BGPAdvertisement can be unfit for one pool (an aggregate larger than the pool, a
preference that another advertisement of this pool sets differently) and fit for others: it is decided pool by
pool, the last good spec in place of the present one where that fits.

A peer with BFD echo gets no routes of a pool with IPv6 addresses, as MetalLB refuses that pair: the problem is put on
the peer, and everything else of peer and pool works.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.config import advertisements, pools, preferences
from orchestrator.config.claims import Claim, Claims
from orchestrator.config.model import BfdProfile, BgpAdvertisement, L2Advertisement, Peer, Pool
from orchestrator.net.addresses import AddressRange, IpFamily
from orchestrator.resources.meta import ObjectRef, Problem

L2Draft = advertisements.Draft[L2Advertisement]
BgpDraft = advertisements.Draft[BgpAdvertisement]

PREFERENCES = frozenset(f"spec.{field}" for field in preferences.FIELDS)


def attach_l2(draft: pools.Draft, claims: Sequence[Claim[L2Draft]]) -> tuple[L2Advertisement, ...]:
    """Return the L2Advertisements of a pool, by name."""
    chosen = [claim.variants[0] for claim in claims if claim.variants[0].takes(draft.pool.name, draft.labels)]
    return tuple(sorted((one.advertisement for one in chosen), key=lambda advertisement: advertisement.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpAttached:
    """The BGPAdvertisements of one pool, by name; those in `lost` are here as they were, or gave way to another."""

    advertisements: tuple[BgpAdvertisement, ...]
    problems: tuple[Problem, ...]
    lost: frozenset[ObjectRef]


def attach_bgp(draft: pools.Draft, claims: Sequence[Claim[BgpDraft]]) -> BgpAttached:
    """Serve the claims on one pool."""
    kept: list[BgpAdvertisement] = []
    problems: list[Problem] = []
    lost: set[ObjectRef] = set()
    for claim in claims:
        if not claim.variants[0].takes(draft.pool.name, draft.labels):
            continue
        variants = [variant for variant in claim.variants if variant.takes(draft.pool.name, draft.labels)]
        faults = [_unfit(variant.advertisement, draft, kept) for variant in variants]
        if faults[0] is not None:
            problems.append(faults[0])
            if faults[0].field in PREFERENCES or None in faults:
                lost.add(claim.ref)
        if None in faults:
            kept.append(variants[faults.index(None)].advertisement)
    return BgpAttached(
        advertisements=tuple(sorted(kept, key=lambda advertisement: advertisement.name)),
        problems=tuple(problems),
        lost=frozenset(lost),
    )


def _unfit(advertisement: BgpAdvertisement, draft: pools.Draft, kept: Sequence[BgpAdvertisement]) -> Problem | None:
    return _too_wide(advertisement, draft) or _other_preference(advertisement, draft.pool, kept)


def _too_wide(advertisement: BgpAdvertisement, draft: pools.Draft) -> Problem | None:
    """An aggregate may not reach beyond the largest prefix of each entry of the pool."""
    for entry, part in zip(draft.entries, draft.pool.ranges, strict=True):
        length, shortest = advertisement.length_for(part.family), shortest_prefix(part)
        if length < shortest:
            return Problem(
                ref=advertisement.origin,
                field="spec.aggregationLength" if part.family is IpFamily.IPV4 else "spec.aggregationLengthV6",
                message=f"invalid aggregation length {length}: prefix {shortest} in this pool is more specific than "
                f"the aggregation length for addresses {entry}; pool {draft.pool.name} is not announced by this "
                f"advertisement: use {shortest} or more, or name other pools",
            )
    return None


def shortest_prefix(part: AddressRange) -> int:
    """Return the length of the largest prefix inside the range (contract 3.7)."""
    return min(prefix.prefixlen for prefix in part.prefixes())


def _other_preference(advertisement: BgpAdvertisement, pool: Pool, kept: Sequence[BgpAdvertisement]) -> Problem | None:
    """Advertisements with serviceSelectors are compared at announcement, when their Services are known."""
    families = {part.family for part in pool.ranges}
    for other in kept:
        if advertisement.service_selectors or other.service_selectors:
            continue
        conflict = preferences.conflict(advertisement, other, families)
        if conflict is not None:
            return Problem(
                ref=advertisement.origin,
                field=f"spec.{conflict.field}",
                message=f"{_summary(conflict)}; BGPAdvertisement {other.name} goes first on pool {pool.name}: give both "
                f"one {conflict.field}, or separate them by peers, nodes or aggregationLength",
            )
    return None


def _summary(conflict: preferences.Conflict) -> str:
    """MetalLB's own text for the preference that it has."""
    if conflict.field == preferences.LOCAL_PREF:
        return (
            f"invalid local preference {conflict.one}: local preferernce {conflict.other} was already set for the same "
            "type of BGP update. Check existing BGP advertisements with common pools and aggregation lengths"
        )
    return f"{conflict.field} {conflict.one} and {conflict.other} for the same BGP update, which has room for one"


def without_echo_peers(
    pool: Pool, peers: Mapping[str, Peer], profiles: Mapping[str, BfdProfile]
) -> tuple[Pool, tuple[Problem, ...]]:
    """Return the pool with its IPv6-carrying advertisements taken from peers with BFD echo, and their problems."""
    if all(part.family is IpFamily.IPV4 for part in pool.ranges):
        return pool, ()
    echoing = {
        name for name, peer in peers.items() if peer.bfd_profile in profiles and profiles[peer.bfd_profile].echo_mode
    }
    problems: list[Problem] = []
    kept: list[BgpAdvertisement] = []
    for advertisement in pool.bgp_advertisements:
        targets = frozenset(peers) if advertisement.peers is None else advertisement.peers
        refused = targets & echoing
        problems += [_echo_problem(pool, advertisement, peers[name]) for name in sorted(refused)]
        kept.append(replace(advertisement, peers=targets - refused) if refused else advertisement)
    return replace(pool, bgp_advertisements=tuple(kept)), tuple(problems)


def _echo_problem(pool: Pool, advertisement: BgpAdvertisement, peer: Peer) -> Problem:
    return Problem(
        ref=peer.origin,
        field="spec.bfdProfile",
        message=f"pool {pool.name} has bgpadvertisement {advertisement.name} which references peer {peer.name} which "
        f"has bfd echo enabled, which is not possible; this peer gets no routes of that pool: switch echoMode off in "
        f"BFDProfile {peer.bfd_profile}, or name other peers in the advertisement",
    )


def bgp_memories(claims: Claims[BgpDraft], lost: Collection[ObjectRef]) -> dict[ObjectRef, bytes]:
    """What to remember of the BGPAdvertisements: those that lost on some pool keep what was remembered before."""
    memories = dict(claims.memories)
    for claim in claims.served:
        memories |= claim.memory(in_use=claim.ref not in lost)
    return memories
