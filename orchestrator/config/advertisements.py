"""L2Advertisement and BGPAdvertisement -> what a pool carries (contract 3.7), read each by itself.

A name of a pool or peer that does not exist is no error (it may come later), but said: it is mostly a typo.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from orchestrator.config.claims import Claims, Knowledge, Subject, gather
from orchestrator.config.communities import Aliases, parse_communities
from orchestrator.config.findings import Findings, check_list, check_selectors, warn_unknown
from orchestrator.config.model import BgpAdvertisement, L2Advertisement, NodeFacts, NodeName, Spread, Weight
from orchestrator.config.nodes import selected
from orchestrator.config.tokens import check_interface
from orchestrator.resources.metallb import BGPAdvertisementSpec, L2AdvertisementSpec, LabelSelector
from orchestrator.resources.selectors import matches, matches_any

A = TypeVar("A", L2Advertisement, BgpAdvertisement)
AdvertisementSpec = L2AdvertisementSpec | BGPAdvertisementSpec

CEL_RULE = (
    "serviceSelectors and aggregationLength are mutually exclusive, can only be used together with default "
    "aggregationLength (32) and aggregationLengthV6 (128)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft(Generic[A]):
    """An advertisement and the pools that it is for: those named or selected, all if neither was given."""

    advertisement: A
    pool_names: frozenset[str]
    pool_selectors: tuple[LabelSelector, ...]

    def takes(self, pool: str, labels: Mapping[str, str]) -> bool:
        """Whether this advertisement is for that pool."""
        if not self.pool_names and not self.pool_selectors:
            return True
        return pool in self.pool_names or (bool(self.pool_selectors) and matches_any(self.pool_selectors, labels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The other objects that advertisements refer to; names are of all objects that exist, usable or not."""

    nodes: Mapping[NodeName, NodeFacts]
    pool_names: Collection[str]
    peer_names: Collection[str]
    aliases: Aliases


def l2_claims_of(knowledge: Knowledge, around: Surroundings) -> Claims[Draft[L2Advertisement]]:
    """Gather the L2Advertisements."""
    return gather(
        "L2Advertisement",
        L2AdvertisementSpec,
        knowledge.snapshot.l2_advertisements,
        knowledge,
        lambda subject, findings: _read_l2(subject, findings, around),
    )


def bgp_claims_of(knowledge: Knowledge, around: Surroundings) -> Claims[Draft[BgpAdvertisement]]:
    """Gather the BGPAdvertisements."""
    return gather(
        "BGPAdvertisement",
        BGPAdvertisementSpec,
        knowledge.snapshot.bgp_advertisements,
        knowledge,
        lambda subject, findings: _read_bgp(subject, findings, around),
        aliases=around.aliases,
    )


def _read_l2(
    subject: Subject[L2AdvertisementSpec], findings: Findings, around: Surroundings
) -> Draft[L2Advertisement] | None:
    spec = subject.spec
    _check_common(spec, findings, around)
    for index, interface in enumerate(spec.interfaces):
        check_interface(interface, f"spec.interfaces[{index}]", findings)
    for index, preferred in enumerate(spec.preferred_node_selectors):
        check_selectors((preferred.preference,), f"spec.preferredNodeSelectors[{index}].preference", findings)
    if not findings.usable:
        return None
    nodes = selected(spec.node_selectors, around.nodes)
    advertisement = L2Advertisement(
        name=subject.ref.name,
        origin=subject.ref,
        nodes=nodes,
        interfaces=tuple(sorted(set(spec.interfaces))),
        service_selectors=spec.service_selectors,
        preference=_preference(spec, nodes, around.nodes),
        require_on_link=spec.require_on_link,
        spread=Spread(spec.spread),
    )
    return Draft(
        advertisement=advertisement,
        pool_names=frozenset(spec.ip_address_pools),
        pool_selectors=spec.ip_address_pool_selectors,
    )


def _preference(
    spec: L2AdvertisementSpec, eligible: Collection[NodeName], nodes: Mapping[NodeName, NodeFacts]
) -> dict[NodeName, int]:
    """Sum of the weights that match each eligible node; only positive sums are kept."""
    scores = {
        name: sum(
            preferred.weight
            for preferred in spec.preferred_node_selectors
            if matches(preferred.preference, nodes[name].labels)
        )
        for name in sorted(eligible)
    }
    return {name: score for name, score in scores.items() if score > 0}


def _read_bgp(
    subject: Subject[BGPAdvertisementSpec], findings: Findings, around: Surroundings
) -> Draft[BgpAdvertisement] | None:
    spec = subject.spec
    _check_common(spec, findings, around)
    _check_lengths(spec, findings)
    check_list(spec.communities, "spec.communities", "community", findings)
    check_list(spec.peers, "spec.peers", "peers", findings)
    warn_unknown(spec.peers, around.peer_names, "spec.peers", "BGPPeer", findings)
    known = {**(subject.memory.aliases if subject.memory else {}), **around.aliases}
    communities = parse_communities(spec.communities, known, findings)
    if not findings.usable:
        return None
    advertisement = BgpAdvertisement(
        name=subject.ref.name,
        origin=subject.ref,
        nodes=selected(spec.node_selectors, around.nodes),
        aggregation_length=spec.aggregation_length,
        aggregation_length_v6=spec.aggregation_length_v6,
        local_pref=spec.local_pref,
        med=spec.med,
        as_path_prepend=spec.as_path_prepend,
        weight=Weight(spec.weight),
        communities=communities,
        peers=frozenset(spec.peers) if spec.peers else None,
        service_selectors=spec.service_selectors,
        created=subject.created,
    )
    return Draft(
        advertisement=advertisement,
        pool_names=frozenset(spec.ip_address_pools),
        pool_selectors=spec.ip_address_pool_selectors,
    )


def _check_lengths(spec: BGPAdvertisementSpec, findings: Findings) -> None:
    for field, length, most in (
        ("spec.aggregationLength", spec.aggregation_length, 32),
        ("spec.aggregationLengthV6", spec.aggregation_length_v6, 128),
    ):
        if not 1 <= length <= most:
            message = f"invalid aggregation length {length}: prefix length must be 1 to {most}; leave it out for {most}"
            findings.error(field, message)
    if spec.service_selectors and (spec.aggregation_length, spec.aggregation_length_v6) != (32, 128):
        findings.error("spec.serviceSelectors", f"{CEL_RULE}; remove one of them")


def _check_common(spec: AdvertisementSpec, findings: Findings, around: Surroundings) -> None:
    check_list(spec.ip_address_pools, "spec.ipAddressPools", "ipAddressPools", findings)
    warn_unknown(spec.ip_address_pools, around.pool_names, "spec.ipAddressPools", "IPAddressPool", findings)
    check_selectors(spec.ip_address_pool_selectors, "spec.ipAddressPoolSelectors", findings)
    check_selectors(spec.node_selectors, "spec.nodeSelectors", findings)
    check_selectors(spec.service_selectors, "spec.serviceSelectors", findings)
