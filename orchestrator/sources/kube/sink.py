"""The sink of a cluster: calls put into an outbox, tasks write what is in it.

A write is sent as soon as its urgency, the budget and the API server allow. What waits is told nobody; what the API server
does not take is told to the Witness with a reason, once, and tried again until it is taken or not wanted any more.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NoReturn, assert_never

import structlog

from orchestrator.errors import KubeError
from orchestrator.fsm.letters import Dispatch, Letter, Urgency
from orchestrator.fsm.outbox import Outbox
from orchestrator.resources.core import Service, ServiceStatus
from orchestrator.resources.kinds import BY_NAME, KubeObject, ref_of
from orchestrator.resources.meta import Condition, ObjectKey, ObjectRef
from orchestrator.sources.interface import ObjectEvent
from orchestrator.sources.kube.api import Api
from orchestrator.sources.kube.delivery import Delivered, Delivery
from orchestrator.sources.kube.gate import Gate, GateClosed
from orchestrator.sources.kube.naming import list_names
from orchestrator.sources.kube.patience import Patience
from orchestrator.sources.kube.service_status import lost_addresses, only_remarks
from orchestrator.sources.kube.verdicts import Verdict, judge, reason_of
from orchestrator.sources.kube.witness import Witness
from orchestrator.sources.kube.work import (
    AnnotationWrite,
    ConditionWrite,
    EventWrite,
    ObjectRemoval,
    ObjectWrite,
    StatusClearing,
    StatusWrite,
    Work,
)
from orchestrator.sources.kube.writer import Writer

log = structlog.get_logger()

GATE_POLL_S = 0.1
"""How soon writing is noticed to be allowed again; nobody tells."""
CONFLICT_PAUSE_S = 1.0
NODE_LABELS = {"ServiceL2Status": "metallb.io/node", "ServiceBGPStatus": "metallb.io/node"}
URGENCIES = {
    "ServiceBGPStatus": Urgency.BEHIND,
    "ConfigurationState": Urgency.SUMMARY,
    "IPAddressPool": Urgency.SUMMARY,
    "AddressReservation": Urgency.SUMMARY,
    "AddressQuota": Urgency.SUMMARY,
}
"""Of a kind's writes; all others tell who answers, or what everybody needs."""


class KubeSink:
    """Implements Sink on an API server. `services` is a live view of what the watch delivered."""

    def __init__(
        self,
        api: Api,
        writer: Writer,
        witness: Witness,
        *,
        services: Mapping[ObjectKey, Service],
        may_write: Callable[[], bool],
    ) -> None:
        self._api = api
        self._writer = writer
        self._witness = witness
        self._gate = Gate(api, may_write)
        self._outbox: Outbox[Work] = Outbox(writer.limits)
        self._patience = Patience()
        self._delivery = Delivery(self._gate, services, writer)
        self._changed = asyncio.Event()
        self._returned = asyncio.Event()

    # Sink ----------------------------------------------------------------------------------------------------------

    async def write_service_status(
        self, key: ObjectKey, status: ServiceStatus, annotations: Mapping[str, str | None]
    ) -> None:
        """Ask for a status; that of a Service which is gone is not wanted."""
        base = self._delivery.statuses.known(key)
        if base is None:
            return
        if lost_addresses(base, status):
            urgency = Urgency.WITHDRAWAL
        else:
            urgency = Urgency.REMARK if only_remarks(base, status) and not annotations else Urgency.ADDRESS
        ref = ObjectRef("Service", *key)
        self._put(StatusWrite(ref=ref, uid=base.uid, status=status, annotations=annotations), urgency)

    async def write(self, obj: KubeObject) -> None:
        """Ask for an object of ours, or for the status of a Service or a pool."""
        if isinstance(obj, Service):
            await self.write_service_status(obj.metadata.key, obj.status, {})
            return
        ref = self._completed(ref_of(obj))
        self._put(ObjectWrite(ref=ref, obj=obj), _urgency(ref.kind))

    async def write_condition(self, ref: ObjectRef, condition: Condition) -> None:
        """Ask for one condition of an object that people write; all that others wait for goes first."""
        self._put(ConditionWrite(ref=self._completed(ref), condition=condition), Urgency.BEHIND)

    async def annotate(self, ref: ObjectRef, annotations: Mapping[str, str | None]) -> None:
        """Ask for annotations of an object."""
        self._put(AnnotationWrite(ref=ref, annotations=annotations), Urgency.OWNER)

    async def delete(self, ref: ObjectRef) -> None:
        """Ask for an object of ours to be removed. A Service is never: what we wrote to it is, if it still exists."""
        if ref.kind == "Service":
            self._put(StatusClearing(ref=ref), Urgency.REMARK)
            return
        behind = _urgency(ref.kind) is Urgency.BEHIND
        self._put(ObjectRemoval(ref=self._completed(ref)), Urgency.REMARK if behind else Urgency.WITHDRAWAL)

    async def names(self, kind: str, namespace: str) -> frozenset[str]:
        """Return the names of the objects of a kind; a speaker's own, where they say whose they are. Raises KubeError."""
        label = NODE_LABELS.get(kind)
        selector = f"{label}={self._writer.node}" if label is not None and self._writer.node else ""
        return await list_names(self._api, kind, namespace, selector)

    async def record(self, event: ObjectEvent) -> None:
        """Record an event, unless too much has been told about its object, or it would be told much too late."""
        wall = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        letter = self._delivery.recorder.letter(event, time.monotonic(), wall)
        if letter is None:
            return
        if (
            letter.urgency is Urgency.BEHIND
            and self._outbox.waiting(Urgency.BEHIND) >= self._writer.most_waiting_behind
        ):
            return
        self._outbox.put(letter, time.monotonic())
        self._changed.set()

    async def flush(self, limit_s: float) -> None:
        """Return when all has been written that can be, or after the limit.

        What is refused is not waited for, nor what is written behind; nothing is while writing is not allowed.
        """
        self._outbox.hurry(time.monotonic())
        self._changed.set()
        behind = frozenset({Urgency.BEHIND})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + limit_s):
                while self._gate.is_open and not self._outbox.settled(but=behind):
                    self._returned.clear()
                    await self._returned.wait()

    # Its own -------------------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Drop all that waits: somebody else decides now what is written."""
        for key in self._outbox.forget():
            if isinstance(key, ObjectRef):
                self._witness.accepted(key)
            elif isinstance(key, tuple) and isinstance(key[0], ObjectRef):
                self._witness.accepted(key[0])
        self._delivery.forget()

    async def run(self) -> NoReturn:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                self._start(tasks)
                await self._change()

    def _start(self, tasks: asyncio.TaskGroup) -> None:
        """Have everything worked off that may be sent now."""
        while (dispatch := self._next()) is not None:
            tasks.create_task(self._work_off(dispatch, tasks))

    async def _change(self) -> None:
        """Return when there may be something to send."""
        at = self._outbox.next_at()
        if at is not None and not self._gate.is_open:
            at = max(at, time.monotonic() + GATE_POLL_S)
        loop = asyncio.get_running_loop()
        timer = loop.call_at(at, self._changed.set) if at is not None else None
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _next(self) -> Dispatch[Work] | None:
        return self._outbox.take(time.monotonic()) if self._gate.is_open else None

    async def _work_off(self, first: Dispatch[Work], tasks: asyncio.TaskGroup) -> None:
        """Send one after the other while there is something to send, and let others help if more may be under way."""
        dispatch: Dispatch[Work] | None = first
        while dispatch is not None:
            await self._try(dispatch)
            dispatch = self._next()
            self._start(tasks)
        self._changed.set()

    async def _try(self, dispatch: Dispatch[Work]) -> None:
        work = dispatch.letter.content
        try:
            delivered = await self._delivery.deliver(work)
        except GateClosed:
            self._outbox.put_back(dispatch, time.monotonic())
        except KubeError as error:
            self._failed(dispatch, error)
        else:
            self._succeeded(dispatch, delivered)
        self._returned.set()

    # What became of it ---------------------------------------------------------------------------------------------

    def _succeeded(self, dispatch: Dispatch[Work], delivered: Delivered) -> None:
        now, letter = time.monotonic(), dispatch.letter
        if delivered.needed:
            self._patience.progress()
            recovered, opened = self._outbox.done(dispatch, now)
        else:
            recovered, opened = self._outbox.drop(dispatch, now), False
        for work in delivered.then:
            self._put(work, _urgency(work.ref.kind))
        if recovered:
            self._witness.accepted(letter.content.ref)
        if opened:
            self._witness.accepted(_whole(letter.kind))

    def _failed(self, dispatch: Dispatch[Work], error: KubeError) -> None:
        now, work = time.monotonic(), dispatch.letter.content
        verdict = judge(error, work.ref.name)
        reason = reason_of(error, verdict)
        match verdict:
            case Verdict.NOT_NOW:
                delay_s = self._patience.failed(error) if self._outbox.news(dispatch) else 0.0
                if self._outbox.pause(dispatch, now, delay_s):
                    self._refused(dispatch, reason)
            case Verdict.CONFLICT:
                self._outbox.put_back(dispatch, now, CONFLICT_PAUSE_S)
            case Verdict.KIND_REFUSED:
                if self._outbox.block(dispatch, reason, now):
                    self._witness.refused(_whole(dispatch.letter.kind), reason)
            case Verdict.REFUSED:
                self._refused(dispatch, reason)
            case _:
                assert_never(verdict)

    def _refused(self, dispatch: Dispatch[Work], reason: str) -> None:
        """An event that is refused is left out: its namespace ends, or it will be news of the past."""
        now, work = time.monotonic(), dispatch.letter.content
        if isinstance(work, EventWrite):
            self._outbox.drop(dispatch, now)
            log.debug("event not taken", about=work.event.reason, object=str(work.event.ref), reason=reason)
        elif self._outbox.refuse(dispatch, reason, now):
            self._witness.refused(work.ref, reason)

    def _put(self, work: Work, urgency: Urgency) -> None:
        not_before = self._delivery.not_before(work.ref)
        letter = Letter(key=work.place, kind=work.kind, content=work, urgency=urgency, not_before=not_before)
        self._outbox.put(letter, time.monotonic())
        self._changed.set()

    def _completed(self, ref: ObjectRef) -> ObjectRef:
        """Objects of ours that name no namespace are in ours."""
        if ref.namespace or not BY_NAME[ref.kind].namespaced:
            return ref
        return ref._replace(namespace=self._writer.namespace)


def _whole(kind: str) -> ObjectRef:
    """All objects of a kind."""
    return ObjectRef(kind, "", "")


def _urgency(kind: str) -> Urgency:
    return URGENCIES.get(kind, Urgency.OWNER)
