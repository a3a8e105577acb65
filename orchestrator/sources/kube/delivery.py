"""Carries out one write: which requests it takes, and what has to be written after it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.errors import KubeError
from orchestrator.resources.core import Service
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.sources.kube import annotations
from orchestrator.sources.kube.gate import Gate
from orchestrator.sources.kube.objects import OwnObjects
from orchestrator.sources.kube.ownership import Owners
from orchestrator.sources.kube.recording import Recorder
from orchestrator.sources.kube.service_status import ServiceStatuses
from orchestrator.sources.kube.verdict_writes import VerdictWrites
from orchestrator.sources.kube.verdicts import Verdict, judge
from orchestrator.sources.kube.work import (
    AnnotationWrite,
    ConditionWrite,
    EventWrite,
    ObjectRemoval,
    ObjectWrite,
    OwnerLookup,
    StatusClearing,
    StatusWrite,
    Work,
)
from orchestrator.sources.kube.writer import Writer

POOL_INTERVAL_S = 1.0
"""A pool's usage changes with every Service; nobody reads it more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """`needed`: something had to be sent. `then` is to be written next."""

    needed: bool = True
    then: tuple[Work, ...] = ()


class Delivery:
    """Knows how each kind of work is done."""

    def __init__(self, gate: Gate, services: Mapping[ObjectKey, Service], writer: Writer) -> None:
        self._gate, self._manager = gate, writer.manager
        self.statuses = ServiceStatuses(gate, services, writer.manager)
        self.recorder = Recorder(gate, services, writer.manager, writer.instance)
        self._owners = Owners(gate, namespace=writer.namespace, pod=writer.pod, node=writer.node)
        self._objects = OwnObjects(gate, self._owners, writer.manager)
        self._verdicts = VerdictWrites(gate, writer.manager)
        self._pool_written_at: dict[ObjectRef, float] = {}

    def not_before(self, ref: ObjectRef) -> float:
        """Return when an object of ours may be written next, in monotonic seconds."""
        written_at = self._pool_written_at.get(ref)
        return 0.0 if written_at is None else written_at + POOL_INTERVAL_S

    def forget(self) -> None:
        """Rely on nothing that was written: somebody else writes now."""
        self.statuses.forget()
        self._objects.forget()
        self._owners.given_up.clear()

    async def deliver(self, work: Work) -> Delivered:
        """Write it. Raises KubeError, GateClosed."""
        match work:
            case StatusWrite():
                return Delivered(needed=await self.statuses.write(work))
            case StatusClearing():
                return Delivered(needed=await self.statuses.clear(work))
            case ObjectWrite():
                return await self._write_object(work)
            case ConditionWrite():
                await self._verdicts.write(work)
            case AnnotationWrite():
                await self._gate.send(annotations.request_for(work, self._manager))
            case ObjectRemoval(ref=ref):
                await self._objects.remove(ref)
            case EventWrite():
                await self.recorder.send(work)
            case OwnerLookup(ref=ref):
                await self._owners.find(ref)
                return Delivered(then=self._objects.take_ownerless(ref))
            case _:
                raise AssertionError(work)
        return Delivered()

    async def _write_object(self, work: ObjectWrite) -> Delivered:
        if work.ref.kind == "IPAddressPool":
            self._pool_written_at[work.ref] = time.monotonic()
        owner = self._owners.owner_of(work.ref.kind)
        lookup = await self._look_up(owner, work.ref.kind) if owner is not None else ()
        await self._objects.write(work)
        return Delivered(then=lookup)

    async def _look_up(self, owner: ObjectRef, kind: str) -> tuple[OwnerLookup, ...]:
        """Have the owner found; if it cannot be, the write goes on without, and the lookup that is returned behind."""
        try:
            await self._owners.of(kind)
        except KubeError as error:
            if judge(error, owner.name) is Verdict.NOT_NOW:
                raise
            self._owners.given_up.add(owner)
            return (OwnerLookup(ref=owner),)
        return ()
