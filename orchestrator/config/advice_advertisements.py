"""Advice on advertisements: those that announce nothing, and aggregates that announce too much."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from orchestrator.config.advice_basis import (
    AdvertisementSpec,
    AdviceReason,
    Known,
    bgp_ref,
    is_for,
    l2_ref,
    some_of,
    warning,
)
from orchestrator.config.model import BgpAdvertisement, NodeName, Peer, Pool
from orchestrator.net.addresses import AddressRange, IpAddress, IpFamily, Prefix, covering_prefix
from orchestrator.resources.meta import ObjectRef, Problem
from orchestrator.resources.metallb import BGPAdvertisement, L2Advertisement
from orchestrator.resources.selectors import matches

Span = tuple[int, int]


def warnings_about(known: Known) -> Iterator[Problem]:
    """Yield what is doubtful about L2Advertisements, BGPAdvertisements and the aliases that they use."""
    snapshot = known.snapshot
    for l2 in snapshot.l2_advertisements.values():
        if (ref := l2_ref(l2)) in known.nodes_of:
            yield from _common(ref, l2.spec, known)
            yield from _preferences(ref, l2, known)
    for bgp in snapshot.bgp_advertisements.values():
        if (ref := bgp_ref(bgp)) in known.nodes_of:
            yield from _common(ref, bgp.spec, known)
            yield from _receivers(ref, bgp, known)
            yield from _coarse_weights(ref, bgp, known)
    yield from _foreign_traffic(known)
    yield from _unused_aliases(known)


def _common(ref: ObjectRef, spec: AdvertisementSpec, known: Known) -> Iterator[Problem]:
    """Names that do not exist are `resolve`'s; here are selectors."""
    pools = known.snapshot.pools
    chosen = (pool for name, pool in pools.items() if is_for(spec, name, pool.metadata.labels))
    if spec.ip_address_pool_selectors and known.all_read("IPAddressPool") and next(chosen, None) is None:
        labels = some_of(f"{key}={value}" for pool in pools.values() for key, value in pool.metadata.labels.items())
        message = (
            f"no IPAddressPool has labels that match, so nothing is announced (labels of pools: {labels or 'none'}); "
            "mend the selector, or label a pool"
        )
        yield warning(ref, "spec.ipAddressPoolSelectors", AdviceReason.SELECTS_NO_POOL, message)
    if known.config.nodes and not known.nodes_of[ref]:
        message = "no Node has labels that match, so nobody announces; mend the selector, or label a node"
        yield warning(ref, "spec.nodeSelectors", AdviceReason.SELECTS_NO_NODE, message)


def _preferences(ref: ObjectRef, advertisement: L2Advertisement, known: Known) -> Iterator[Problem]:
    eligible = known.nodes_of[ref]
    for index, preferred in enumerate(advertisement.spec.preferred_node_selectors):
        labels = (known.config.nodes[name].labels for name in eligible)
        if eligible and not any(matches(preferred.preference, each) for each in labels):
            field = f"spec.preferredNodeSelectors[{index}].preference"
            message = (
                "no node of this advertisement has labels that match, so none is preferred; mend it, or label a node"
            )
            yield warning(ref, field, AdviceReason.PREFERS_NO_NODE, message)


# --- to whom ----------------------------------------------------------------------------------------------------------


def _receivers(ref: ObjectRef, advertisement: BGPAdvertisement, known: Known) -> Iterator[Problem]:
    spec, existing = advertisement.spec, set(known.snapshot.peers)
    wanted = set(spec.peers) & existing if spec.peers else existing
    if not known.all_read("BGPPeer") or (spec.peers and not wanted):
        return  # what does not exist, `resolve` says
    if not wanted:
        message = "there is no BGPPeer, so nobody hears of these addresses; create one"
        yield warning(ref, "", AdviceReason.NO_PEER, message)
        return
    peers = [known.receivers[name] for name in sorted(wanted) if name in known.receivers]
    if len(peers) < len(wanted):
        return  # a peer that cannot be used has an error of its own
    nodes = known.nodes_of[ref]
    if nodes and any(peer.nodes for peer in peers) and all(nodes.isdisjoint(peer.nodes) for peer in peers):
        message = (
            f"no node of this advertisement ({some_of(nodes)}) has a session with {_names(peers)}, so nobody hears of "
            "these addresses; make the nodeSelectors of both meet"
        )
        yield warning(ref, "spec.nodeSelectors", AdviceReason.NO_PEER, message)
    if len(peers) == len(set(spec.peers) or wanted):
        yield from _unheard(ref, advertisement, peers)


def _unheard(ref: ObjectRef, advertisement: BGPAdvertisement, peers: Collection[Peer]) -> Iterator[Problem]:
    """What none of the receivers is sent."""
    spec, are = advertisement.spec, "is" if len(peers) == 1 else "are"
    if spec.local_pref and all(peer.is_external for peer in peers):
        message = (
            f"a local preference does not leave the AS, and {_names(peers)} {are} external; let communities or med tell "
            "the router, or remove it"
        )
        yield warning(ref, "spec.localPref", AdviceReason.LOCAL_PREF_NOT_SENT, message)
    if spec.as_path_prepend and not any(peer.is_external for peer in peers):
        message = (
            f"the AS path grows for external peers only, and {_names(peers)} {are} internal; use localPref or med, or "
            "remove it"
        )
        yield warning(ref, "spec.asPathPrepend", AdviceReason.AS_PATH_NOT_SENT, message)


def _coarse_weights(ref: ObjectRef, advertisement: BGPAdvertisement, known: Known) -> Iterator[Problem]:
    """As the speakers tell; another advertisement may be the one that needs so many policies."""
    if advertisement.spec.weight != "endpoints":
        return
    here = [state for state in known.speakers if state.node in known.nodes_of[ref]]
    remedy = "let fewer advertisements have weights, or communities and preferences of their own"
    if beyond := [state.node for state in here if state.weights == "beyondLimit"]:
        message = (
            f"on {some_of(beyond)} weights by powers of two need more route policies than FRR bears well, so changes are "
            f"slow; {remedy}"
        )
        yield warning(ref, "spec.weight", AdviceReason.WEIGHTS_COARSE, message)
    elif coarse := [state.node for state in here if state.weights == "coarse"]:
        message = f"on {some_of(coarse)} weights are rounded more than usual, to save route policies; {remedy}"
        yield warning(ref, "spec.weight", AdviceReason.WEIGHTS_COARSE, message)


def _names(peers: Collection[Peer]) -> str:
    return f"BGPPeer {some_of(peer.name for peer in peers)}"


def _unused_aliases(known: Known) -> Iterator[Problem]:
    if not known.all_read("BGPAdvertisement"):
        return
    used = {text for each in known.snapshot.bgp_advertisements.values() for text in each.spec.communities}
    for name, community in sorted(known.snapshot.communities.items()):
        aliases = {entry.name for entry in community.spec.communities}
        values = {entry.value for entry in community.spec.communities}
        if aliases and used.isdisjoint(aliases | values):
            message = (
                f"no BGPAdvertisement uses {some_of(aliases)}; write the alias into spec.communities of one, or remove "
                "this object"
            )
            ref = ObjectRef("Community", community.metadata.namespace, name)
            yield warning(ref, "spec.communities", AdviceReason.COMMUNITY_UNUSED, message)


# --- aggregates -------------------------------------------------------------------------------------------------------


def _foreign_traffic(known: Known) -> Iterator[Problem]:
    if not known.all_read("IPAddressPool"):
        return
    owned = {family: _owned(known.config.pools.values(), family) for family in IpFamily}
    for pool in known.pools():
        for advertisement in pool.bgp_advertisements:
            yield from _foreign_of(pool, advertisement, owned, known)


def _foreign_of(
    pool: Pool, advertisement: BgpAdvertisement, owned: dict[IpFamily, Sequence[Span]], known: Known
) -> Iterator[Problem]:
    """One warning per family: the first prefix that has foreign addresses."""
    for family in IpFamily:
        length = advertisement.length_for(family)
        for part in (part for part in pool.ranges if part.family is family and length < family.bits):
            foreign = _first_foreign(part, length, owned[family])
            if foreign is None:
                continue
            prefix, gap = foreign
            whose = "".join(f", {address} of {what} among them" for address, what in _residents(gap, known))
            message = (
                f"with this length, pool {pool.name} is announced as {prefix}, which attracts the traffic of addresses "
                f"of no pool as well: {gap}{whose}; use a greater length, or let the pool have the whole prefix"
            )
            field = "spec.aggregationLength" if family is IpFamily.IPV4 else "spec.aggregationLengthV6"
            yield warning(advertisement.origin, field, AdviceReason.FOREIGN_TRAFFIC, message)
            break


def _first_foreign(part: AddressRange, length: int, owned: Sequence[Span]) -> tuple[Prefix, AddressRange] | None:
    """Only the prefixes at both ends can reach beyond the range."""
    for end in (part.first, part.last):
        prefix = covering_prefix(end, length)
        gap = _gap(int(prefix.network_address), int(prefix.broadcast_address), owned)
        if gap is not None:
            make = type(prefix.network_address)
            return prefix, AddressRange(make(gap[0]), make(gap[1]))
    return None


def _owned(pools: Collection[Pool], family: IpFamily) -> Sequence[Span]:
    """The addresses of all pools as sorted spans, between each two of which there is a gap."""
    parts = sorted((int(part.first), int(part.last)) for pool in pools for part in pool.ranges if part.family is family)
    merged: list[Span] = []
    for first, last in parts:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _gap(first: int, last: int, owned: Sequence[Span]) -> Span | None:
    """Return the first run from `first` to `last` that no span has."""
    start = bisect_left(owned, first, key=lambda span: span[1])
    inside = owned[start : bisect_right(owned, last, key=lambda span: span[0])]
    for before, after in pairwise([(first - 1, first - 1), *inside, (last + 1, last + 1)]):
        if after[0] > before[1] + 1:
            return (before[1] + 1, after[0] - 1)
    return None


def _residents(gap: AddressRange, known: Known) -> Iterator[tuple[IpAddress, str]]:
    """The first known machine in a gap."""
    machines: list[tuple[IpAddress, NodeName]] = [
        (address, f"node {name}")
        for name, facts in sorted(known.config.nodes.items())
        for address in facts.internal_addresses
    ]
    routers = [
        (peer.address, f"BGPPeer {name}") for name, peer in sorted(known.receivers.items()) if peer.address is not None
    ]
    yield from [each for each in (*machines, *routers) if each[0] in gap][:1]
