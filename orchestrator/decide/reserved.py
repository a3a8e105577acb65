"""Reserved addresses: which AddressReservation covers an address, and which of them are for a Service.

Reservations do not overlap, so one bisection finds the one that covers an address; those for one Service are found by
its name, those for some namespaces by the namespace.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping

from orchestrator.config.model import Reservation
from orchestrator.net.addresses import AddressRange, IpAddress
from orchestrator.resources.meta import ObjectKey


class ReservedAddresses:
    """An index of reservations; it does not change."""

    def __init__(self, reservations: Mapping[str, Reservation]) -> None:
        self.reservations = dict(sorted(reservations.items()))
        self._bounds: list[tuple[int, int]] = []
        self._parts: list[tuple[AddressRange, Reservation]] = []
        self._of_service: dict[ObjectKey, list[Reservation]] = defaultdict(list)
        self._of_namespace: dict[str, list[Reservation]] = defaultdict(list)
        self._of_any: list[Reservation] = []
        for each in self.reservations.values():
            self._index(each)
        self._parts.sort(key=lambda entry: entry[0])
        self._bounds = [(part.first.version, int(part.first)) for part, _ in self._parts]

    def _index(self, reservation: Reservation) -> None:
        self._parts.extend((part, reservation) for part in reservation.ranges)
        if reservation.service is not None:
            self._of_service[reservation.service].append(reservation)
        elif reservation.namespaces is None:
            self._of_any.append(reservation)
        else:
            for namespace in reservation.namespaces:
                self._of_namespace[namespace].append(reservation)

    @property
    def ranges(self) -> Iterator[AddressRange]:
        """All reserved addresses, ascending."""
        return (part for part, _ in self._parts)

    def inside(self, outer: AddressRange) -> Iterator[AddressRange]:
        """Yield what is reserved of a range, ascending."""
        index = max(bisect_right(self._bounds, (outer.first.version, int(outer.first))) - 1, 0)
        while index < len(self._parts) and self._bounds[index] <= (outer.first.version, int(outer.last)):
            part = self._parts[index][0]
            if part.overlaps(outer):
                yield AddressRange(max(part.first, outer.first), min(part.last, outer.last))
            index += 1

    def covering(self, address: IpAddress) -> Reservation | None:
        """Return the reservation that keeps this address."""
        index = bisect_right(self._bounds, (address.version, int(address))) - 1
        if index < 0:
            return None
        part, reservation = self._parts[index]
        return reservation if address in part else None

    def against(self, service: ObjectKey, labels: Mapping[str, str], address: IpAddress) -> Reservation | None:
        """Return the reservation that keeps this address from this Service."""
        reservation = self.covering(address)
        return None if reservation is None or reservation.admits(service, labels) else reservation

    def admitting(self, service: ObjectKey, labels: Mapping[str, str]) -> tuple[Reservation, ...]:
        """Return those whose addresses are for the Service: those that name it first, then by name."""
        named = self._of_service.get(service, [])
        selecting = (
            each
            for each in (*self._of_namespace.get(service.namespace, ()), *self._of_any)
            if each.admits(service, labels)
        )
        return (*named, *sorted(selecting, key=lambda each: each.name))

    def naming(self, service: ObjectKey) -> bool:
        """Whether a reservation names the Service."""
        return service in self._of_service
