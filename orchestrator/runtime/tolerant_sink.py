"""A sink that cannot stop its process: what is not written is counted and logged, and announcements go on.

The speaker writes through it: a full disk or a state folder without permission must not cost a single packet.
"""

from collections.abc import Awaitable, Mapping

import structlog

from orchestrator.errors import KubeError
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.core import ServiceStatus
from orchestrator.resources.kinds import KubeObject, ref_of
from orchestrator.resources.meta import Condition, ObjectKey, ObjectRef
from orchestrator.sources.interface import ObjectEvent, Sink

log = structlog.get_logger()


class TolerantSink:
    """Implements Sink on another one."""

    def __init__(self, sink: Sink, metrics: Metrics) -> None:
        self._sink = sink
        self._metrics = metrics

    async def write_service_status(
        self, key: ObjectKey, status: ServiceStatus, annotations: Mapping[str, str | None]
    ) -> None:
        await self._try(self._sink.write_service_status(key, status, annotations), ObjectRef("Service", *key))

    async def write(self, obj: KubeObject) -> None:
        await self._try(self._sink.write(obj), ref_of(obj))

    async def write_condition(self, ref: ObjectRef, condition: Condition) -> None:
        await self._try(self._sink.write_condition(ref, condition), ref)

    async def annotate(self, ref: ObjectRef, annotations: Mapping[str, str | None]) -> None:
        await self._try(self._sink.annotate(ref, annotations), ref)

    async def delete(self, ref: ObjectRef) -> None:
        await self._try(self._sink.delete(ref), ref)

    async def names(self, kind: str, namespace: str) -> frozenset[str]:
        try:
            return await self._sink.names(kind, namespace)
        except (OSError, KubeError) as error:
            log.error("not listed", kind=kind, reason=str(error))
            return frozenset()

    async def flush(self, limit_s: float) -> None:
        await self._sink.flush(limit_s)

    def forget(self) -> None:
        self._sink.forget()

    async def record(self, event: ObjectEvent) -> None:
        await self._try(self._sink.record(event), event.ref)

    async def _try(self, writing: Awaitable[None], ref: ObjectRef) -> None:
        try:
            await writing
        except OSError as error:
            self._metrics.add(Name.UPDATE_ERRORS)
            log.error("not written", object=str(ref), reason=str(error))
