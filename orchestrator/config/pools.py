"""IPAddressPool -> Pool (contract 3.2, 3.3), and which of two overlapping pools stays (`spans`).

The addresses of a pool that is left out stay with their Services until they are released as those of a removed pool.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.config import spans
from orchestrator.config.claims import Claims, Knowledge, Subject, gather
from orchestrator.config.findings import Findings, check_selectors
from orchestrator.config.model import Pool, ServiceAllocation
from orchestrator.config.namespaces import check_namespaces, selected
from orchestrator.config.spans import Span
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import AddressRange, parse_range
from orchestrator.resources.core import Namespace
from orchestrator.resources.meta import ObjectRef, Problem
from orchestrator.resources.metallb import IPAddressPoolSpec
from orchestrator.resources.metallb import ServiceAllocation as AllocationSpec


@dataclass(frozen=True, slots=True)
class Draft:
    """A pool without its advertisements; `entries` are the texts of its ranges, in the same order."""

    pool: Pool
    entries: tuple[str, ...]
    labels: Mapping[str, str]

    @property
    def ranges(self) -> tuple[AddressRange, ...]:
        return self.pool.ranges


def claims_of(knowledge: Knowledge) -> Claims[Draft]:
    """Gather the pools."""
    return gather(
        "IPAddressPool",
        IPAddressPoolSpec,
        knowledge.snapshot.pools,
        knowledge,
        lambda subject, findings: _read(subject, findings, knowledge.snapshot.namespaces),
    )


def _read(subject: Subject[IPAddressPoolSpec], findings: Findings, namespaces: Mapping[str, Namespace]) -> Draft | None:
    spec, name = subject.spec, subject.ref.name
    if not spec.addresses:
        findings.error("spec.addresses", 'pool has no prefixes defined; add a range such as "192.0.2.0/24"')
    found = dict(_ranges(spec, name, findings))
    spans.check_apart(spec.addresses, found, _overlap_message, findings)
    allocation = _allocation(spec.service_allocation, namespaces, findings)
    if not findings.usable:
        return None
    pool = Pool(
        name=name,
        origin=subject.ref,
        ranges=tuple(found.values()),
        auto_assign=spec.auto_assign,
        draining=spec.draining,
        avoid_buggy_ips=spec.avoid_buggy_ips,
        service_allocation=allocation,
    )
    return Draft(pool, spec.addresses, subject.labels)


def _ranges(spec: IPAddressPoolSpec, name: str, findings: Findings) -> Iterator[tuple[int, AddressRange]]:
    """The entries that can be read, by their position."""
    for index, entry in enumerate(spec.addresses):
        try:
            yield index, parse_range(entry)
        except InvalidConfig as error:
            kind = f'invalid IP range "{entry}"' if "-" in entry else f'invalid CIDR "{entry}"'
            remedy = 'write "192.0.2.0/24" or "192.0.2.10-192.0.2.20"'
            findings.error(f"spec.addresses[{index}]", f'{kind} in pool "{name}": {error}; {remedy}')


def _allocation(
    spec: AllocationSpec | None, namespaces: Mapping[str, Namespace], findings: Findings
) -> ServiceAllocation | None:
    if spec is None:
        return None
    field = "spec.serviceAllocation"
    if spec.priority < 0:
        findings.error(f"{field}.priority", "a priority is not negative; 1 is served first, 0 last")
    check_namespaces(spec, field, findings)
    check_selectors(spec.service_selectors, f"{field}.serviceSelectors", findings)
    return ServiceAllocation(
        priority=spec.priority,
        namespaces=selected(spec, namespaces),
        service_selectors=spec.service_selectors,
    )


def _overlap_message(entry: str, pool: str, met: Span) -> str:
    where = "" if met.owner == pool else f' of pool "{met.owner}"'
    return (
        f'CIDR "{entry}" in pool "{pool}" overlaps with already defined CIDR "{met.entry}"{where}; '
        "take the common addresses out of one of them"
    )


def settle(claims: Claims[Draft]) -> tuple[dict[str, Draft], tuple[Problem, ...], Mapping[ObjectRef, bytes]]:
    """Return the pools that stay, the problems of those that overlap with them, and what to remember."""
    settled = spans.settle(claims, _overlap_message)
    kept = {name: _with_former_ranges(variants[0], variants[1:]) for name, variants in settled.kept.items()}
    return kept, settled.problems, settled.memories


def _with_former_ranges(draft: Draft, earlier: Sequence[Draft]) -> Draft:
    former = tuple(part for other in earlier for part in other.ranges if part not in draft.ranges)
    return replace(draft, pool=replace(draft.pool, former_ranges=former)) if former else draft
