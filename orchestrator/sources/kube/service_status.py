"""Statuses of Services, which are not ours: written with the version that they were decided on, never over somebody else.

One merge patch of `services/status` holds addresses, our conditions among those of others, and annotations. What we know
of a Service is what the watch delivered, or what we wrote since, whichever is newer; what is there already is not written.
On a conflict the Service is read again: if it is the same one, its new version is tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import msgspec

from orchestrator.decide.annotations import ALLOCATED_FROM_POOL
from orchestrator.errors import KubeError
from orchestrator.resources import core
from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.meta import Condition, ObjectKey
from orchestrator.sources.interface import Upserted
from orchestrator.sources.kube import paths
from orchestrator.sources.kube.api import MERGE_PATCH, Request
from orchestrator.sources.kube.decode import HEAD, ObjectDecoder
from orchestrator.sources.kube.gate import Gate
from orchestrator.sources.kube.verdicts import names_object
from orchestrator.sources.kube.work import StatusClearing, StatusWrite

OUR_CONDITIONS = "ferrule.io/"
CONFLICTS = 5
"""How often in a row a Service may change under our hands until it is left alone for a moment."""
KEPT = 512
"""How many of our writes are remembered before those are sorted out that the watch has delivered."""

SERVICE = BY_NAME["Service"]
DECODER = ObjectDecoder(SERVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a Service is as far as we know, and in which version; `annotations` may hold more than ours."""

    uid: str
    version: str
    status: core.ServiceStatus
    annotations: Mapping[str, str | None]

    @classmethod
    def of(cls, service: core.Service) -> Self:
        metadata = service.metadata
        return cls(
            uid=metadata.uid,
            version=metadata.resource_version,
            status=service.status,
            annotations=metadata.annotations,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What has to be sent; None is what is right already."""

    ingress: tuple[core.LoadBalancerIngress, ...] | None
    conditions: tuple[Condition, ...] | None
    annotations: Mapping[str, str | None]

    def __bool__(self) -> bool:
        return self.ingress is not None or self.conditions is not None or bool(self.annotations)


def difference(base: Base, wanted: core.ServiceStatus, annotations: Mapping[str, str | None]) -> Difference:
    """Return what has to be sent for `base` to become what is wanted; conditions of others stay as they are in `base`."""
    ingress = wanted.load_balancer.ingress
    conditions = (*_foreign(base.status.conditions), *_ours(wanted.conditions))
    return Difference(
        ingress=None if _served(ingress) == _served(base.status.load_balancer.ingress) else ingress,
        conditions=None if _sorted(conditions) == _sorted(base.status.conditions) else conditions,
        annotations={name: text for name, text in annotations.items() if base.annotations.get(name) != text},
    )


def _served(ingress: tuple[core.LoadBalancerIngress, ...]) -> list[tuple[str, str, str]]:
    """As the API server serves it: it fills in ipMode where there is an ip."""
    return [(each.ip, each.hostname, each.ip_mode or ("VIP" if each.ip else "")) for each in ingress]


def _ours(conditions: tuple[Condition, ...]) -> list[Condition]:
    return [condition for condition in conditions if condition.type.startswith(OUR_CONDITIONS)]


def _foreign(conditions: tuple[Condition, ...]) -> list[Condition]:
    return [condition for condition in conditions if not condition.type.startswith(OUR_CONDITIONS)]


def _sorted(conditions: tuple[Condition, ...]) -> list[Condition]:
    return sorted(conditions, key=lambda condition: condition.type)


class ServiceStatuses:
    """Writes them; `services` is a live view of what the watch delivered."""

    def __init__(self, gate: Gate, services: Mapping[ObjectKey, core.Service], manager: str) -> None:
        self._gate = gate
        self._services = services
        self._manager = manager
        self._written: dict[ObjectKey, Base] = {}
        self._sort_out_at = KEPT

    def known(self, key: ObjectKey) -> Base | None:
        """Return the newest that is known of a Service; None if it is gone."""
        service, written = self._services.get(key), self._written.get(key)
        if service is not None and written is not None and _is_newer(written, service):
            return written
        self._written.pop(key, None)
        return None if service is None else Base.of(service)

    def forget(self) -> None:
        """Rely on what the watch delivered."""
        self._written.clear()

    async def write(self, work: StatusWrite) -> bool:
        """Make it so; returns whether anything had to be sent. Raises KubeError, GateClosed."""
        base = self.known(work.key)
        for _ in range(CONFLICTS):
            if base is None or base.uid != work.uid:
                return False  # what was decided about it went with it
            needed = difference(base, work.status, work.annotations)
            if not needed:
                return False
            try:
                return await self._send(work, base, needed)
            except KubeError as error:
                if error.status != 409:
                    raise
                conflict = error
            base = await self._newer_than(base, work.key)
        raise conflict

    async def clear(self, work: StatusClearing) -> bool:
        """Take away what is ours, if the Service exists and is no LoadBalancer. Raises KubeError, GateClosed."""
        for _ in range(CONFLICTS):
            if work.ref.key in self._services:
                return False  # a LoadBalancer again: it has been decided about
            service = await self._read(work.ref.key)
            if service is None or service.spec.type == "LoadBalancer":
                return False
            base = Base.of(service)
            needed = difference(base, core.ServiceStatus(), {ALLOCATED_FROM_POOL: None})
            if not needed:
                return False
            nothing = StatusWrite(ref=work.ref, uid=base.uid, status=core.ServiceStatus(), annotations={})
            try:
                return await self._send(nothing, base, needed)
            except KubeError as error:
                if error.status != 409:
                    raise
                conflict = error
        raise conflict

    async def _send(self, work: StatusWrite, base: Base, needed: Difference) -> bool:
        """Send one patch; False if the Service is gone."""
        try:
            answer = await self._gate.send(self._request(work.key, base, needed))
        except KubeError as error:
            if names_object(error, work.key.name):
                return False
            raise
        metadata = HEAD.decode(answer).metadata
        conditions = base.status.conditions if needed.conditions is None else needed.conditions
        written = core.ServiceStatus(load_balancer=work.status.load_balancer, conditions=conditions)
        annotations = {**base.annotations, **needed.annotations}
        self._remember(
            work.key, Base(uid=base.uid, version=metadata.resource_version, status=written, annotations=annotations)
        )
        return True

    def _request(self, key: ObjectKey, base: Base, needed: Difference) -> Request:
        status: dict[str, object] = {}
        if needed.ingress is not None:
            status["loadBalancer"] = {"ingress": needed.ingress}
        if needed.conditions is not None:
            status["conditions"] = needed.conditions
        metadata: dict[str, object] = {"uid": base.uid, "resourceVersion": base.version}
        if needed.annotations:
            metadata["annotations"] = needed.annotations
        return Request(
            verb="patch",
            resource="services/status",
            method="PATCH",
            path=paths.status(SERVICE, *key),
            query={"fieldManager": self._manager},
            body=msgspec.json.encode({"metadata": metadata, "status": status}),
            content_type=MERGE_PATCH,
        )

    async def _newer_than(self, base: Base, key: ObjectKey) -> Base | None:
        """The watch may have delivered meanwhile what `base` conflicts with; else ask."""
        known = self.known(key)
        if known is None or known.version != base.version:
            return known
        service = await self._read(key)
        return None if service is None or service.spec.type != "LoadBalancer" else Base.of(service)

    async def _read(self, key: ObjectKey) -> core.Service | None:
        try:
            body = await self._gate.read(paths.item(SERVICE, *key), "services")
        except KubeError as error:
            if names_object(error, key.name):
                return None
            raise
        outcome = DECODER.event(key, body)
        if isinstance(outcome, Upserted) and isinstance(outcome.obj, core.Service):
            return outcome.obj
        raise KubeError(f"get services: {key} cannot be read", status=422)

    def _remember(self, key: ObjectKey, base: Base) -> None:
        self._written[key] = base
        if len(self._written) > self._sort_out_at:
            for each in tuple(self._written):
                self.known(each)
            self._sort_out_at = max(KEPT, 2 * len(self._written))


def _is_newer(written: Base, service: core.Service) -> bool:
    """Versions of one resource are numbers that grow: Kubernetes 1.35 promises it, etcd has always made them so."""
    metadata = service.metadata
    if written.uid != metadata.uid:
        return False
    try:
        return int(written.version) > int(metadata.resource_version)
    except ValueError:
        return False


def lost_addresses(base: Base | None, wanted: core.ServiceStatus) -> bool:
    """Whether the Service has an address that it is not to have any more."""
    held = () if base is None else base.status.load_balancer.ingress
    return not {each.ip for each in held} <= {each.ip for each in wanted.load_balancer.ingress}


def only_remarks(base: Base | None, wanted: core.ServiceStatus) -> bool:
    """Whether addresses stay as they are."""
    return base is not None and _served(base.status.load_balancer.ingress) == _served(wanted.load_balancer.ingress)
