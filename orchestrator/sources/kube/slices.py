"""Which EndpointSlices are worth keeping: those of Services that are known. Pure.

Slices and Services come on two watches, in any order. Of a slice whose Service is not known only the two keys stay; when
such a Service becomes known its slices are `wanted` and somebody fetches them. Three things may happen meanwhile:

| while a slice is fetched           | what counts                                                                        |
|------------------------------------|------------------------------------------------------------------------------------|
| the watch tells it                 | the watch: it has been delivered, what was fetched is old or the same              |
| the watch tells that it is gone    | the watch: a fetched slice that is not known here (any more) is left out           |
| the Service goes                   | the Service: nothing is delivered                                                  |

A fetched slice may be newer than what the watch still has to tell: older versions are skipped then, so that nothing
goes back in time. Versions are compared as numbers, as Kubernetes documents since 1.35; others are not compared.
"""

from enum import Enum

import msgspec

from orchestrator.resources.core import LABEL_SERVICE_NAME
from orchestrator.resources.meta import ObjectKey
from orchestrator.sources.kube.decode import Document


class _Labels(msgspec.Struct, frozen=True):
    service: str = msgspec.field(default="", name=LABEL_SERVICE_NAME)


class _Meta(msgspec.Struct, frozen=True):
    labels: _Labels | None = None


class _Labeled(msgspec.Struct, frozen=True):
    metadata: _Meta


_LABELED = Document(_Labeled)


def service_of(key: ObjectKey, raw: msgspec.Raw | bytes) -> ObjectKey:
    """Return the Service that a slice belongs to; its name is empty if the slice names none."""
    labels = _LABELED.decode(raw).metadata.labels
    return ObjectKey(key.namespace, labels.service if labels else "")


class Verdict(Enum):
    """What to do with a slice that the watch tells."""

    DELIVER = "deliver"
    DROP = "drop"
    WITHDRAW = "withdraw"
    """It had been delivered, and belongs to another Service now that is not known."""


class SliceFilter:
    """Decides for every slice whether it is delivered."""

    def __init__(self) -> None:
        self._services: set[ObjectKey] = set()
        self._service_of: dict[ObjectKey, ObjectKey] = {}
        self._slices_of: dict[ObjectKey, tuple[ObjectKey, ...]] = {}
        self._delivered: set[ObjectKey] = set()
        self._fetched: dict[ObjectKey, int] = {}

    # --- Services ---------------------------------------------------------------------------------------------------

    def service_known(self, service: ObjectKey) -> bool:
        """Say whether slices of a Service that is known now have to be fetched."""
        self._services.add(service)
        return self.wants(service)

    def service_gone(self, service: ObjectKey) -> tuple[ObjectKey, ...]:
        """Forget a Service; return the slices that were delivered and are not wanted any more."""
        self._services.discard(service)
        dropped = tuple(key for key in self._slices_of.get(service, ()) if key in self._delivered)
        self._delivered.difference_update(dropped)
        for key in dropped:
            self._fetched.pop(key, None)
        return dropped

    def wants(self, service: ObjectKey) -> bool:
        """Whether a Service is known and has slices that were dropped."""
        slices = self._slices_of.get(service, ())
        return service in self._services and any(key not in self._delivered for key in slices)

    # --- slices -----------------------------------------------------------------------------------------------------

    def arrived(self, key: ObjectKey, service: ObjectKey, version: str) -> Verdict:
        """A slice is there, new or changed, as the watch says."""
        self._place(key, service)
        if service not in self._services:
            withdrawn = key in self._delivered
            self._delivered.discard(key)
            self._fetched.pop(key, None)
            return Verdict.WITHDRAW if withdrawn else Verdict.DROP
        fetched = self._fetched.get(key)
        if fetched is not None:
            number = _number(version)
            if number is None or number >= fetched:
                del self._fetched[key]
            if number is not None and number <= fetched:
                return Verdict.DROP
        self._delivered.add(key)
        return Verdict.DELIVER

    def fetched(self, key: ObjectKey, service: ObjectKey, version: str) -> bool:
        """Say whether a slice that was fetched is to be delivered."""
        if service not in self._services or self._service_of.get(key) != service or key in self._delivered:
            return False
        self._delivered.add(key)
        if (number := _number(version)) is not None:
            self._fetched[key] = number
        return True

    def gone(self, key: ObjectKey) -> bool:
        """A slice is no more; say whether it had been delivered."""
        self._displace(key)
        self._fetched.pop(key, None)
        delivered = key in self._delivered
        self._delivered.discard(key)
        return delivered

    def _place(self, key: ObjectKey, service: ObjectKey) -> None:
        if self._service_of.get(key) != service:
            self._displace(key)
            self._service_of[key] = service
            self._slices_of[service] = (*self._slices_of.get(service, ()), key)

    def _displace(self, key: ObjectKey) -> None:
        service = self._service_of.pop(key, None)
        if service is None:
            return
        left = tuple(other for other in self._slices_of[service] if other != key)
        if left:
            self._slices_of[service] = left
        else:
            del self._slices_of[service]


def _number(version: str) -> int | None:
    return int(version) if version.isdecimal() else None
