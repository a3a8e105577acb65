"""Advice on pools and quotas: addresses that are somebody else's, and addresses that nobody gets."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from orchestrator.config.advice_basis import (
    EVERY_CLUSTER_HAS,
    AdvertisementSpec,
    AdviceReason,
    Entries,
    Known,
    families_of,
    is_for,
    is_sound,
    some_of,
    warning,
)
from orchestrator.config.model import AddressQuota, BgpAdvertisement, Peer, Pool
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import AddressRange, IpAddress, IpFamily, parse_address
from orchestrator.resources.core import Service
from orchestrator.resources.meta import Problem

ADDRESSES = "spec.addresses"
LONGEST_WITH_BROADCAST = 30
LARGEST_WITH_BUGGY_ONLY = 2
"""Addresses ending in .255 and .0 stand next to each other at most in twos."""


def warnings_about(known: Known) -> Iterator[Problem]:
    """Yield what is doubtful about pools and quotas."""
    yield from _taken_addresses(known)
    for pool in known.pools():
        yield from _unadvertised(pool, known)
        yield from _unadvertised_families(pool, known)
        yield from _single_address(pool, known)
        yield from _unusable(pool)
        yield from _serves_nobody(pool, known)
        yield from _subnet_addresses(pool, known)
        yield from _off_link(pool, known)
    yield from _quotas(known)


# --- whose addresses they are -----------------------------------------------------------------------------------------


def _taken_addresses(known: Known) -> Iterator[Problem]:
    entries = Entries(known.pools())
    for name, facts in sorted(known.config.nodes.items()):
        for address in facts.internal_addresses:
            if found := entries.holding(address):
                message = (
                    f"{address} is the address of node {name}: a Service that got it would cut the node off; "
                    f"take {address} out of the pool"
                )
                yield warning(found[0].origin, found[1], AdviceReason.NODE_ADDRESS_IN_POOL, message)
    for name, peer in sorted(known.receivers.items()):
        if peer.address is not None and (found := entries.holding(peer.address)):
            message = (
                f"{peer.address} is the router of BGPPeer {name}: a Service that got it would cut the session; "
                f"take {peer.address} out of the pool"
            )
            yield warning(found[0].origin, found[1], AdviceReason.PEER_ADDRESS_IN_POOL, message)
    yield from _cluster_addresses(entries, known)


def _cluster_addresses(entries: Entries, known: Known) -> Iterator[Problem]:
    """One Service for each pool is enough: its address stands for the cluster's whole service range."""
    told: set[str] = set()
    for service in sorted(known.services, key=lambda each: each.metadata.key):
        for address in _cluster_ips(service):
            found = entries.holding(address)
            if found is not None and found[0].name not in told:
                told.add(found[0].name)
                message = (
                    f"{address} is the cluster address of Service {service.metadata.key}, so the pool overlaps the "
                    "cluster's service range; give the pool addresses outside of it"
                )
                yield warning(found[0].origin, found[1], AdviceReason.CLUSTER_ADDRESS_IN_POOL, message)


def _cluster_ips(service: Service) -> Iterator[IpAddress]:
    for text in service.spec.cluster_ips or (service.spec.cluster_ip,):
        try:
            yield parse_address(text)
        except InvalidConfig:
            continue


def _subnet_addresses(pool: Pool, known: Known) -> Iterator[Problem]:
    """Network and broadcast address of a node's own subnet: other machines do not talk to these."""
    nodes: frozenset[str] = frozenset().union(*(advertisement.nodes for advertisement in pool.l2_advertisements))
    prefixes = known.prefixes_of(nodes) or {}
    entries = Entries((pool,))
    subnets = {part for parts in prefixes.values() for part in parts if isinstance(part, IPv4Network)}
    for subnet in sorted(each for each in subnets if each.prefixlen <= LONGEST_WITH_BROADCAST):
        for what, address in (("network", subnet.network_address), ("broadcast", subnet.broadcast_address)):
            spared = pool.avoid_buggy_ips and int(address) & 0xFF in (0, 255)
            if (found := entries.holding(address)) and not spared:
                message = (
                    f"{address} is the {what} address of {subnet}, a subnet of the nodes; take it out of the pool, or "
                    "set avoidBuggyIPs if it ends in .0 or .255"
                )
                yield warning(pool.origin, found[1], AdviceReason.SUBNET_ADDRESS_IN_POOL, message)


# --- whether anybody can use them -------------------------------------------------------------------------------------


def _unadvertised(pool: Pool, known: Known) -> Iterator[Problem]:
    snapshot = known.snapshot
    if pool.l2_advertisements or pool.bgp_advertisements or not known.all_read("L2Advertisement", "BGPAdvertisement"):
        return
    labels = snapshot.pools[pool.name].metadata.labels
    specs: list[AdvertisementSpec] = [each.spec for each in snapshot.l2_advertisements.values()]
    specs += [each.spec for each in snapshot.bgp_advertisements.values()]
    if all(is_sound(spec) and not is_for(spec, pool.name, labels) for spec in specs):
        message = (
            "no advertisement selects this pool, so nobody can reach its addresses; create an L2Advertisement or a "
            f'BGPAdvertisement with ipAddressPools: ["{pool.name}"]'
        )
        yield warning(pool.origin, "", AdviceReason.POOL_NOT_ADVERTISED, message)


def _unadvertised_families(pool: Pool, known: Known) -> Iterator[Problem]:
    if pool.l2_advertisements or not known.all_read("L2Advertisement", "BGPAdvertisement", "BGPPeer"):
        return
    peers = [peer for each in pool.bgp_advertisements for peer in _targets(each, known)]
    if not peers:
        return
    for family in families_of(pool.ranges):
        if not any(family in peer.families for peer in peers):
            names = some_of({peer.name for peer in peers})
            index = next(index for index, part in enumerate(pool.ranges) if part.family is family)
            message = (
                f"no BGP session carries {family.value} routes of this pool (peers: {names}), and there is no "
                "L2Advertisement for it; set dualStackAddressFamily on a peer, or add one with an "
                f"{family.value} address"
            )
            yield warning(pool.origin, f"{ADDRESSES}[{index}]", AdviceReason.FAMILY_NOT_ADVERTISED, message)


def _targets(advertisement: BgpAdvertisement, known: Known) -> Iterator[Peer]:
    for name, peer in known.receivers.items():
        named = advertisement.peers is None or name in advertisement.peers
        if named and (not known.config.nodes or not advertisement.nodes.isdisjoint(peer.nodes)):
            yield peer


def _off_link(pool: Pool, known: Known) -> Iterator[Problem]:
    advertisements = pool.l2_advertisements
    if not advertisements or pool.bgp_advertisements or not all(each.require_on_link for each in advertisements):
        return
    nodes: frozenset[str] = frozenset().union(*(advertisement.nodes for advertisement in advertisements))
    prefixes = known.prefixes_of(nodes)
    if prefixes is None:
        return
    subnets = {subnet for parts in prefixes.values() for subnet in parts}
    spans = [AddressRange(subnet.network_address, subnet.broadcast_address) for subnet in subnets]
    for index, part in enumerate(pool.ranges):
        if not any(part.overlaps(span) for span in spans):
            message = (
                "every L2Advertisement of this pool says requireOnLink, and no node has an address in a subnet of "
                f"{part}; give the nodes one, or take requireOnLink away"
            )
            yield warning(pool.origin, f"{ADDRESSES}[{index}]", AdviceReason.NO_NODE_ON_LINK, message)


def _single_address(pool: Pool, known: Known) -> Iterator[Problem]:
    allocation = pool.service_allocation
    is_narrow = allocation is not None and (allocation.namespaces is not None or allocation.service_selectors)
    sizes = [sum(part.size for part in pool.ranges if part.family is family) for family in families_of(pool.ranges)]
    if not pool.auto_assign or pool.draining or is_narrow or any(size > 1 for size in sizes):
        return
    if any(
        kept.overlaps(part)
        for each in known.config.reservations.values()
        for kept in each.ranges
        for part in pool.ranges
    ):
        return
    message = (
        "a pool of one address, and the first Service that asks for any address takes it; set autoAssign: false and "
        "request it, or keep it for its Service with serviceAllocation or an AddressReservation"
    )
    yield warning(pool.origin, "spec.autoAssign", AdviceReason.SINGLE_ADDRESS_POOL, message)


def _unusable(pool: Pool) -> Iterator[Problem]:
    if pool.avoid_buggy_ips and all(_is_all_buggy(part) for part in pool.ranges):
        message = (
            "avoidBuggyIPs leaves no address of this pool: all of them end in .0 or .255; set it to false, or add "
            "other addresses"
        )
        yield warning(pool.origin, "spec.avoidBuggyIPs", AdviceReason.NO_USABLE_ADDRESS, message)


def _is_all_buggy(part: AddressRange) -> bool:
    if part.family is IpFamily.IPV6 or part.size > LARGEST_WITH_BUGGY_ONLY:
        return False
    return all(int(address) & 0xFF in (0, 255) for address in (part.first, part.last))


def _serves_nobody(pool: Pool, known: Known) -> Iterator[Problem]:
    allocation = pool.service_allocation
    if allocation is not None and allocation.namespaces == frozenset() and _namespaces_are_known(known):
        message = (
            "namespaceSelectors match no namespace, so the pool serves no Service; mend them, or label a namespace"
        )
        field = "spec.serviceAllocation.namespaceSelectors"
        yield warning(pool.origin, field, AdviceReason.SERVES_NO_NAMESPACE, message)


def _namespaces_are_known(known: Known) -> bool:
    return EVERY_CLUSTER_HAS in known.snapshot.namespaces


# --- quotas -----------------------------------------------------------------------------------------------------------


def _quotas(known: Known) -> Iterator[Problem]:
    for _, quota in sorted(known.config.quotas.items()):
        if quota.namespaces == frozenset() and _namespaces_are_known(known):
            message = (
                "namespaceSelectors match no namespace, so the quota limits nobody; mend them, or label a namespace"
            )
            yield warning(quota.origin, "spec.namespaceSelectors", AdviceReason.SERVES_NO_NAMESPACE, message)
        families = families_of(_covered_ranges(quota, known))
        if quota.namespaces is None and families and all(quota.limits.get(family) == 0 for family in families):
            message = (
                f"no namespace gets any address of {'these pools' if quota.pools else 'any pool'} any more; raise the "
                "limit, or narrow the quota with namespaces"
            )
            yield warning(quota.origin, "spec", AdviceReason.QUOTA_ADMITS_NOBODY, message)


def _covered_ranges(quota: AddressQuota, known: Known) -> Iterator[AddressRange]:
    for name, pool in known.config.pools.items():
        if quota.pools is None or name in quota.pools:
            yield from pool.ranges
