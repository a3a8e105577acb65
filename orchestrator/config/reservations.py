"""AddressReservation -> Reservation; of two that overlap one stays, as of pools (`spans`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.config import spans
from orchestrator.config.claims import Claims, Knowledge, Subject, gather
from orchestrator.config.findings import Findings, check_selectors
from orchestrator.config.model import Reservation
from orchestrator.config.namespaces import check_namespaces, selected
from orchestrator.config.spans import Span, Spans
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import AddressRange, parse_address_or_range
from orchestrator.resources.core import Namespace
from orchestrator.resources.extensions import AddressReservationSpec
from orchestrator.resources.meta import ObjectKey, ObjectRef, Problem


@dataclass(frozen=True, slots=True)
class Draft:
    """A reservation before overlaps are decided; `entries` are the texts of its ranges, in the same order."""

    reservation: Reservation
    entries: tuple[str, ...]

    @property
    def ranges(self) -> tuple[AddressRange, ...]:
        return self.reservation.ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The other objects that reservations are about; `pools` is None while not all of them can be used."""

    namespaces: Mapping[str, Namespace]
    pools: Spans | None


def claims_of(knowledge: Knowledge, around: Surroundings) -> Claims[Draft]:
    """Gather the reservations."""
    return gather(
        "AddressReservation",
        AddressReservationSpec,
        knowledge.snapshot.reservations,
        knowledge,
        lambda subject, findings: _read(subject, findings, around),
    )


def _read(subject: Subject[AddressReservationSpec], findings: Findings, around: Surroundings) -> Draft | None:
    spec = subject.spec
    found = dict(_ranges(spec, findings))
    spans.check_apart(spec.addresses, found, _overlap_message, findings)
    _warn_outside(spec, found, around.pools, findings)
    check_namespaces(spec, "spec", findings)
    check_selectors(spec.service_selectors, "spec.serviceSelectors", findings)
    if not findings.usable:
        return None
    reservation = Reservation(
        name=subject.ref.name,
        origin=subject.ref,
        ranges=tuple(found.values()),
        service=ObjectKey(spec.service.namespace, spec.service.name) if spec.service is not None else None,
        namespaces=selected(spec, around.namespaces),
        service_selectors=spec.service_selectors,
    )
    return Draft(reservation, spec.addresses)


def _ranges(spec: AddressReservationSpec, findings: Findings) -> Iterator[tuple[int, AddressRange]]:
    """The entries that can be read, by their position."""
    for index, entry in enumerate(spec.addresses):
        try:
            yield index, parse_address_or_range(entry)
        except InvalidConfig as error:
            remedy = 'write "192.0.2.10", "192.0.2.0/28" or "192.0.2.10-192.0.2.20"'
            findings.error(f"spec.addresses[{index}]", f"{error}; {remedy}")


def _warn_outside(
    spec: AddressReservationSpec, found: Mapping[int, AddressRange], pools: Spans | None, findings: Findings
) -> None:
    if pools is None:
        return
    for index, part in found.items():
        if pools.overlap(part) is None:
            entry = spec.addresses[index]
            message = f'"{entry}" is in no IPAddressPool, so no Service can get it; correct it, or add it to a pool'
            findings.warn(f"spec.addresses[{index}]", message)


def _overlap_message(entry: str, name: str, met: Span) -> str:
    where = "" if met.owner == name else f" of AddressReservation {met.owner}"
    return f'"{entry}" overlaps with "{met.entry}"{where}; take the common addresses out of one of them'


def settle(claims: Claims[Draft]) -> tuple[dict[str, Reservation], tuple[Problem, ...], Mapping[ObjectRef, bytes]]:
    """Return the reservations that stay, the problems of those that overlap with them, and what to remember."""
    settled = spans.settle(claims, _overlap_message)
    kept = {name: variants[0].reservation for name, variants in settled.kept.items()}
    return kept, settled.problems, settled.memories
