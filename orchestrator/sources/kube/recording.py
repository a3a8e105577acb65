"""Events of a cluster: one object per thing that happened, a counter for what happens again.

The same about the same object within ten minutes raises the count of its series, at most once every few seconds. About
one object at most 25 different things are told at once and one every five minutes after that: what Kubernetes' own
components tell.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from orchestrator.errors import KubeError
from orchestrator.fsm.letters import Letter, Urgency
from orchestrator.fsm.pacing import Bucket
from orchestrator.resources.core import Service
from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.sources.interface import ObjectEvent
from orchestrator.sources.kube.api import MERGE_PATCH, Request
from orchestrator.sources.kube.gate import Gate
from orchestrator.sources.kube.verdicts import names_object
from orchestrator.sources.kube.work import EventWrite, Work

SERIES_S = 600.0
COUNT_INTERVAL_S = 10.0
BURST = 25
PER_S = 1 / 300
MOST_SERIES = 10_000
"""Of each some 500 octets are kept; beyond that new events are left out until older ones are ten minutes old."""
NOTE_OCTETS = 1024
"""What the API server takes."""
NAME_LENGTH = 230
CLUSTER_SCOPED = "default"
"""Events about objects without a namespace are kept here."""
ACTIONS = {"metallb-controller": "Allocate", "metallb-speaker": "Announce"}


@dataclass(slots=True)
class _Series:
    """What was told about one thing; `name` is that of its Event, `sent_at` is None until that exists."""

    name: str
    first: str
    seen: int
    seen_at: float
    sent_at: float | None = None


class Recorder:
    """Makes writes of events, and sends them. `instance` is who tells: a pod, or a node."""

    def __init__(self, gate: Gate, services: Mapping[ObjectKey, Service], manager: str, instance: str) -> None:
        self._gate = gate
        self._services = services
        self._manager = manager
        self._instance = instance
        self._series: dict[tuple[str, ObjectEvent], _Series] = {}
        """By uid of the object and event; those seen last at the end."""
        self._budgets: dict[tuple[str, ObjectRef], tuple[Bucket, float]] = {}

    def letter(self, event: ObjectEvent, now: float, wall: str) -> Letter[Work] | None:
        """Return what is to be sent; None: nothing, the object is gone or too much has been told about it.

        `now` is monotonic, `wall` RFC 3339 with microseconds.
        """
        service = self._services.get(event.ref.key) if event.ref.kind == "Service" else None
        if service is None and event.ref.kind == "Service":
            return None
        uid = service.metadata.uid if service is not None else ""
        self._forget_old(now)
        series = self._series.pop((uid, event), None)
        if series is None:
            if len(self._series) >= MOST_SERIES or not self._admits(uid, event.ref, now):
                return None
            series = _Series(_name(event, uid, wall), wall, 0, now)
        series.seen, series.seen_at = series.seen + 1, now
        self._series[uid, event] = series
        ref = ObjectRef("Event", event.ref.namespace or CLUSTER_SCOPED, series.name)
        work = EventWrite(
            ref=ref,
            event=event,
            uid=uid,
            version=service.metadata.resource_version if service is not None else "",
            seen=series.seen,
            first=series.first,
            last=wall,
        )
        not_before = now if series.sent_at is None else series.sent_at + COUNT_INTERVAL_S
        return Letter(key=ref, kind="Event", content=work, urgency=_urgency(event), not_before=not_before)

    async def send(self, work: EventWrite) -> None:
        """Create the Event, or raise its count. Raises KubeError, GateClosed."""
        series = self._series.get((work.uid, work.event))
        if series is None or series.sent_at is None or not await self._count(work):
            await self._create(work)
        if series is not None:
            series.sent_at = time.monotonic()

    async def _create(self, work: EventWrite) -> None:
        request = Request(
            verb="create",
            resource="events",
            method="POST",
            path=_path(work.ref.namespace),
            query={"fieldManager": self._manager},
            body=msgspec.json.encode(_fields(work, self._instance)),
        )
        try:
            await self._gate.send(request)
        except KubeError as error:
            if error.reason != "AlreadyExists":  # an earlier answer was lost
                raise

    async def _count(self, work: EventWrite) -> bool:
        """Raise the count; False if the Event is not there any more: it lives for an hour."""
        request = Request(
            verb="patch",
            resource="events",
            method="PATCH",
            path=f"{_path(work.ref.namespace)}/{work.ref.name}",
            query={"fieldManager": self._manager},
            body=msgspec.json.encode({"series": _series_fields(work)}),
            content_type=MERGE_PATCH,
        )
        try:
            await self._gate.send(request)
        except KubeError as error:
            if names_object(error, work.ref.name):
                return False
            raise
        return True

    def _admits(self, uid: str, ref: ObjectRef, now: float) -> bool:
        bucket, _ = self._budgets.pop((uid, ref), (Bucket(PER_S, BURST), now))
        self._budgets[uid, ref] = (bucket, now)
        return bucket.take(now)

    def _forget_old(self, now: float) -> None:
        while self._series and next(iter(self._series.values())).seen_at + SERIES_S <= now:
            del self._series[next(iter(self._series))]
        while self._budgets and next(iter(self._budgets.values()))[1] + BURST / PER_S <= now:
            del self._budgets[next(iter(self._budgets))]


def _urgency(event: ObjectEvent) -> Urgency:
    """One per Service and node, unless it is layer 2, where one node announces."""
    behind = event.reason == "nodeAssigned" and 'protocol "bgp"' in event.message
    return Urgency.BEHIND if behind else Urgency.EVENT


def _name(event: ObjectEvent, uid: str, wall: str) -> str:
    """A name that nothing else gets: the object, and a hash of what happened to it when, and who says so."""
    text = repr((uid, event.type.value, event.reason, event.message, event.component, wall))
    return f"{event.ref.name[:NAME_LENGTH]}.{sha256(text.encode()).hexdigest()[:16]}"


def _path(namespace: str) -> str:
    return f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"


def _fields(work: EventWrite, instance: str) -> dict[str, object]:
    event = work.event
    regarding = {
        "apiVersion": BY_NAME[event.ref.kind].api_version,
        **event.ref._asdict(),
        "uid": work.uid,
        "resourceVersion": work.version,
    }
    fields: dict[str, object] = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": work.ref.name, "namespace": work.ref.namespace},
        "type": event.type.value,
        "reason": event.reason,
        "action": ACTIONS.get(event.component, "Report"),
        "note": event.message.encode()[:NOTE_OCTETS].decode(errors="ignore"),
        "eventTime": work.first,
        "reportingController": event.component,
        "reportingInstance": instance,
        "regarding": {name: text for name, text in regarding.items() if text},
    }
    return {**fields, "series": _series_fields(work)} if work.seen > 1 else fields


def _series_fields(work: EventWrite) -> dict[str, object]:
    return {"count": work.seen, "lastObservedTime": work.last}
