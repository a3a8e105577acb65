"""IPAddressPool -> Pool (contract 3.2, 3.3), and which of two overlapping pools stays.

A pool that overlaps with one served before takes its last good ranges if those fit, else it is left out whole: its
addresses stay with their Services until they are released as those of a removed pool.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.config.claims import Claim, Claims, Knowledge, Subject, gather
from orchestrator.config.findings import Findings, check_selectors, duplicates
from orchestrator.config.model import Pool, ServiceAllocation
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import AddressRange, parse_range
from orchestrator.resources.core import Namespace
from orchestrator.resources.meta import ObjectRef, Problem
from orchestrator.resources.metallb import IPAddressPoolSpec
from orchestrator.resources.metallb import ServiceAllocation as AllocationSpec
from orchestrator.resources.selectors import matches_any


@dataclass(frozen=True, slots=True)
class Draft:
    """A pool without its advertisements; `entries` are the texts of its ranges, in the same order."""

    pool: Pool
    entries: tuple[str, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, order=True)
class _Span:
    version: int
    first: int
    last: int
    entry: str
    pool: str


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
    ranges = tuple(_ranges(spec, name, findings))
    _check_overlaps_inside(spec, ranges, name, findings)
    allocation = _allocation(spec.service_allocation, namespaces, findings)
    if not findings.usable:
        return None
    pool = Pool(
        name=name,
        origin=subject.ref,
        ranges=ranges,
        auto_assign=spec.auto_assign,
        avoid_buggy_ips=spec.avoid_buggy_ips,
        service_allocation=allocation,
    )
    return Draft(pool, spec.addresses, subject.labels)


def _ranges(spec: IPAddressPoolSpec, name: str, findings: Findings) -> Iterator[AddressRange]:
    for index, entry in enumerate(spec.addresses):
        try:
            yield parse_range(entry)
        except InvalidConfig as error:
            kind = f'invalid IP range "{entry}"' if "-" in entry else f'invalid CIDR "{entry}"'
            remedy = 'write "192.0.2.0/24" or "192.0.2.10-192.0.2.20"'
            findings.error(f"spec.addresses[{index}]", f'{kind} in pool "{name}": {error}; {remedy}')


def _check_overlaps_inside(
    spec: IPAddressPoolSpec, ranges: Sequence[AddressRange], name: str, findings: Findings
) -> None:
    if len(ranges) != len(spec.addresses):
        return
    spans = _Spans()
    for index, (entry, part) in enumerate(zip(spec.addresses, ranges, strict=True)):
        met = spans.overlap(part)
        if met is None:
            spans.add(part, entry, name)
        else:
            findings.error(f"spec.addresses[{index}]", _overlap_message(entry, name, met))


def _allocation(
    spec: AllocationSpec | None, namespaces: Mapping[str, Namespace], findings: Findings
) -> ServiceAllocation | None:
    if spec is None:
        return None
    field = "spec.serviceAllocation"
    for name in duplicates(spec.namespaces):
        findings.error(
            f"{field}.namespaces", f'duplicate definition in namespaces field: "{name}" stands twice; remove one'
        )
    if spec.priority < 0:
        findings.error(f"{field}.priority", "a priority is not negative; 1 is served first, 0 last")
    check_selectors(spec.namespace_selectors, f"{field}.namespaceSelectors", findings)
    check_selectors(spec.service_selectors, f"{field}.serviceSelectors", findings)
    return ServiceAllocation(
        priority=spec.priority,
        namespaces=_namespaces(spec, namespaces),
        service_selectors=spec.service_selectors,
    )


def _namespaces(spec: AllocationSpec, namespaces: Mapping[str, Namespace]) -> frozenset[str] | None:
    if not spec.namespaces and not spec.namespace_selectors:
        return None
    matched = (name for name, obj in namespaces.items() if matches_any(spec.namespace_selectors, obj.metadata.labels))
    return frozenset(spec.namespaces) | frozenset(matched if spec.namespace_selectors else ())


def _start(span: _Span) -> tuple[int, int]:
    return (span.version, span.first)


class _Spans:
    """Ranges that do not overlap, in order, so that a new one is compared with its neighbors only."""

    def __init__(self) -> None:
        self._spans: list[_Span] = []

    def add(self, part: AddressRange, entry: str, pool: str) -> None:
        insort(self._spans, _Span(part.first.version, int(part.first), int(part.last), entry, pool))

    def overlap(self, part: AddressRange) -> _Span | None:
        """Return a range that shares an address with `part`."""
        version, first, last = int(part.first.version), int(part.first), int(part.last)
        index = bisect_right(self._spans, (version, last), key=_start)
        if index == 0:
            return None
        before = self._spans[index - 1]
        return before if before.version == version and before.last >= first else None


def _overlap_message(entry: str, pool: str, met: _Span) -> str:
    where = "" if met.pool == pool else f' of pool "{met.pool}"'
    return (
        f'CIDR "{entry}" in pool "{pool}" overlaps with already defined CIDR "{met.entry}"{where}; '
        "take the common addresses out of one of them"
    )


def settle(claims: Claims[Draft]) -> tuple[dict[str, Draft], tuple[Problem, ...], dict[ObjectRef, bytes]]:
    """Return the pools that stay, the problems of those that overlap with them, and what to remember."""
    spans = _Spans()
    kept: dict[str, Draft] = {}
    problems: list[Problem] = []
    memories = dict(claims.memories)
    for claim in claims.served:
        clashes = {index: _clashes(draft, spans, claim) for index, draft in enumerate(claim.variants)}
        problems += clashes[0]
        free = next((index for index, found in clashes.items() if not found), None)
        memories |= claim.memory(in_use=free == 0)
        if free is not None:
            draft = claim.variants[free]
            kept[claim.ref.name] = _with_former_ranges(draft, claim.variants[free + 1 :])
            for entry, part in zip(draft.entries, draft.pool.ranges, strict=True):
                spans.add(part, entry, claim.ref.name)
    return dict(sorted(kept.items())), tuple(problems), memories


def _with_former_ranges(draft: Draft, earlier: Sequence[Draft]) -> Draft:
    former = tuple(part for other in earlier for part in other.pool.ranges if part not in draft.pool.ranges)
    return replace(draft, pool=replace(draft.pool, former_ranges=former)) if former else draft


def _clashes(draft: Draft, spans: _Spans, claim: Claim[Draft]) -> tuple[Problem, ...]:
    found = (
        (index, entry, spans.overlap(part))
        for index, (entry, part) in enumerate(zip(draft.entries, draft.pool.ranges, strict=True))
    )
    return tuple(
        Problem(ref=claim.ref, field=f"spec.addresses[{index}]", message=_overlap_message(entry, draft.pool.name, met))
        for index, entry, met in found
        if met is not None
    )
