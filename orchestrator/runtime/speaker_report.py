"""What a speaker tells the world about its announcements: statuses, events, metrics; only when something changed.

What an earlier speaker of this node said is found in its statuses, so a restart repeats no event. Only that an
interface is missing stands in no status: that is said again.

What is said about BGP is written behind: writing takes milliseconds a Service, and the routes shall not wait for it.

A node that lives removes its own ServiceL2Status; the new owner removes it at once only for one that does not, else it
could hit what the other has just written again. What went wrong all the same is found by comparing, not by events: a
source may see nothing of an object that came and went.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import NoReturn

import structlog

from orchestrator.config.model import NodeName
from orchestrator.decide.node_plan import Announced, Decline, DeclineReason, GroupPlan, Protocol
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources import metallb
from orchestrator.resources.extensions import AddressConflict
from orchestrator.resources.kinds import ref_of
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.runtime.speaker_statuses import (
    address_conflict,
    announce_failed,
    interface_missing,
    is_of_node,
    node_assigned,
    status_of,
)
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import Sink

log = structlog.get_logger()

LEFT_TO_OTHERS = frozenset({DeclineReason.ADDRESS_IN_USE, DeclineReason.YIELDED})
"""Why a Service that this node was elected for is left to somebody else who has its address on the wire."""


class SpeakerReport:
    """Statuses, events and metrics of one node's announcements."""

    def __init__(self, node: str, namespace: str, sink: Sink, metrics: Metrics) -> None:
        self._node = node
        self._namespace = namespace
        self._sink = sink
        self._metrics = metrics
        self._declined: Counter[tuple[str, str]] = Counter()
        self._statuses: dict[ObjectRef, metallb.ServiceL2Status | metallb.ServiceBGPStatus] = {}
        self._behind: asyncio.Queue[tuple[Announced | None, Announced | None]] = asyncio.Queue()
        self._earlier: set[ObjectRef] = set()
        self._failed_earlier: set[ObjectKey] = set()
        self._begun: set[ObjectKey] = set()
        self._settling: set[ObjectKey] = set()
        self.unsettled = asyncio.Event()
        """Set when a ServiceL2Status was written or removed: `compare` should follow when others had time for theirs."""

    async def remember(self, failed: Iterable[ObjectKey]) -> None:
        """Find what an earlier speaker of this node said; `failed` are Services that it said it left to others."""
        self._failed_earlier = set(failed)
        for prefix, kind in (("l2", "ServiceL2Status"), ("bgp", "ServiceBGPStatus")):
            for name in await self._sink.names(kind, self._namespace):
                if is_of_node(name, prefix, self._node):
                    self._earlier.add(ObjectRef(kind, self._namespace, name))

    async def plans_changed(
        self, before: GroupPlan, after: GroupPlan, store: ObjectStore, living: Collection[NodeName] = ()
    ) -> None:
        """Tell what differs between two plans of the same Services; `living` nodes tell of themselves.

        Groups between which a Service may have moved are told of together: one by one, it would seem to go.
        """
        self._count_declined(before.declined, after.declined)
        self._log(before, after)
        await self._tell_failures(before, after, store)
        old = {(part.service, part.protocol): part for part in before.announced}
        new = {(part.service, part.protocol): part for part in after.announced}
        for key in sorted(old.keys() - new.keys(), key=lambda item: (item[0], item[1].value)):
            await self._part_changed(old[key], None)
        for key in sorted(new, key=lambda item: (item[0], item[1].value)):
            if old.get(key) != new[key]:
                await self._part_changed(old.get(key), new[key])
                if new[key].protocol is Protocol.LAYER2:
                    await self._delete_other_owners(new[key].service, store, living)

    async def write_behind(self, quiet: Callable[[], Awaitable[None]]) -> NoReturn:
        """Write what waits, in order, one Service at a time and only when `quiet` returns."""
        while True:
            old, new = await self._behind.get()
            await asyncio.sleep(0)  # files are written without a pause, and the loop has more urgent things to do
            await quiet()
            await self._write(old, new)

    async def restore(self, lost: Iterable[ObjectRef]) -> None:
        """Write our statuses again that somebody removed while they are true."""
        for ref in sorted(self._statuses.keys() & set(lost)):
            await self._sink.write(self._statuses[ref])

    async def compare(self, store: ObjectStore) -> None:
        """Write our ServiceL2Statuses again that are gone; remove those that others left of Services that have settled.

        A Service settles from one comparison to the next. What is removed is removed once: who writes its status again
        takes itself for the owner, and that is for the responders to decide.
        """
        settled, self._settling, self._begun = self._settling, self._begun, set()
        if not self._settling:
            self.unsettled.clear()
        for service in sorted(settled):
            await self._delete_other_owners(service, store, living=())
        names = await self._sink.names("ServiceL2Status", self._namespace)
        await self.restore(ref for ref in self._statuses if ref.kind == "ServiceL2Status" and ref.name not in names)

    async def forget_leftovers(self, plans: Iterable[GroupPlan]) -> None:
        """Remove status objects of this node that an earlier speaker left behind, except those that `plans` make true."""
        true = {ref_of(self._status(part)) for plan in plans for part in plan.announced}
        for ref in sorted(self._earlier - true):
            await self._sink.delete(ref)
            self._earlier.discard(ref)

    async def conflict(self, conflict: AddressConflict, services: Iterable[ObjectKey]) -> None:
        """Say on the Services of an address that somebody else claims it."""
        for service in sorted(services):
            await self._sink.record(address_conflict(service, conflict, self._node))

    def _log(self, before: GroupPlan, after: GroupPlan) -> None:
        """One line per Service and protocol that changed; the words are MetalLB's (contract 4.1, 8.1)."""
        was = {(part.service, part.protocol): part.addresses for part in before.announced}
        present = {(part.service, part.protocol) for part in after.announced}
        known = frozenset(before.declined)
        for part in after.announced:
            if was.get((part.service, part.protocol)) != part.addresses:
                ips = [str(address) for address in part.addresses]
                log.info("serviceAnnounced", service=str(part.service), protocol=part.protocol.value, ips=ips)
        for decline in after.declined:
            key = (decline.service, decline.protocol)
            if key in was and key not in present:
                tell, event = log.info, "serviceWithdrawn"
            elif decline not in known:
                tell, event = log.debug, "not announced"
            else:
                continue
            reason, detail = decline.reason.value, decline.detail
            tell(event, service=str(decline.service), protocol=decline.protocol.value, reason=reason, detail=detail)

    async def _tell_failures(self, before: GroupPlan, after: GroupPlan, store: ObjectStore) -> None:
        """Say it when this node does not announce what it was elected for."""
        known = {(decline.service, decline.reason) for decline in before.declined}
        for decline in after.declined:
            if (decline.service, decline.reason) in known:
                continue
            if decline.reason is DeclineReason.NO_INTERFACE:
                addresses = store.addresses(decline.service)
                for event in interface_missing(decline.service, addresses, self._node):
                    await self._sink.record(event)
            elif decline.reason in LEFT_TO_OTHERS and decline.service not in self._failed_earlier:
                await self._sink.record(announce_failed(decline.service, decline.detail))
            if decline.reason in LEFT_TO_OTHERS:
                self._failed_earlier.discard(decline.service)

    async def _part_changed(self, old: Announced | None, new: Announced | None) -> None:
        if old is not None:
            self._forget_metrics(old)
        if new is not None:
            self._expose(new)
        if Protocol.BGP in (part.protocol for part in (old, new) if part is not None):
            self._behind.put_nowait((old, new))
            return
        await self._write(old, new)
        self._note_owner(old, new)

    def _note_owner(self, old: Announced | None, new: Announced | None) -> None:
        if new is not None:
            self._begun.add(new.service)
        elif old is not None:
            self._begun.discard(old.service)
            self._settling.discard(old.service)
        self.unsettled.set()

    def _expose(self, part: Announced) -> None:
        for address in part.addresses:
            self._metrics.set(
                Name.ANNOUNCED,
                1,
                service=str(part.service),
                protocol=part.protocol.value,
                node=self._node,
                ip=str(address),
            )

    async def _write(self, old: Announced | None, new: Announced | None) -> None:
        """Bring the status object of one Service and protocol to what is announced now."""
        if new is not None:
            status = self._status(new)
            self._statuses[ref_of(status)] = status
            await self._sink.write(status)
            if old is None and ref_of(status) not in self._earlier:
                await self._sink.record(node_assigned(new, self._node))
            self._earlier.discard(ref_of(status))
        elif old is not None:
            ref = ref_of(self._status(old))
            self._statuses.pop(ref, None)
            await self._sink.delete(ref)

    async def _delete_other_owners(self, service: ObjectKey, store: ObjectStore, living: Collection[NodeName]) -> None:
        """The owner removes what other nodes said of the Service before (contract 4.7): a dead node cannot."""
        for key, node in store.l2_statuses_of(service).items():
            if node != self._node and node not in living:
                await self._sink.delete(ObjectRef("ServiceL2Status", *key))

    def _status(self, part: Announced) -> metallb.ServiceL2Status | metallb.ServiceBGPStatus:
        return status_of(part, self._node, self._namespace)

    def _forget_metrics(self, part: Announced) -> None:
        for address in part.addresses:
            self._metrics.forget(
                Name.ANNOUNCED,
                service=str(part.service),
                protocol=part.protocol.value,
                node=self._node,
                ip=str(address),
            )

    def _count_declined(self, before: tuple[Decline, ...], after: tuple[Decline, ...]) -> None:
        if before == after:
            return
        self._declined.subtract((part.protocol.value, part.reason.value) for part in before)
        self._declined.update((part.protocol.value, part.reason.value) for part in after)
        self._metrics.replace(Name.DECLINED, {key: count for key, count in self._declined.items() if count})
