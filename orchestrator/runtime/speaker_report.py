"""What a speaker tells the world about its announcements: statuses, events, metrics; only when something changed.

ServiceL2Status and ServiceBGPStatus get names made from the Service and the node, so a lost deletion is overwritten
instead of left behind.

What is said about BGP is written behind: writing takes milliseconds a Service, and the routes shall not wait for it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from typing import NoReturn

import structlog

from orchestrator.decide.node_plan import Announced, Decline, GroupPlan, Protocol
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources import metallb
from orchestrator.resources.kinds import ref_of
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import EventType, ObjectEvent, Sink

log = structlog.get_logger()

COMPONENT = "metallb-speaker"
EMPTY = GroupPlan()


def status_name(prefix: str, service: ObjectKey, node: str) -> str:
    """Return the name of the status object of a Service on a node; `prefix` is `l2` or `bgp` (contract 1.8, 1.9)."""
    return f"{prefix}-{node}-{sha256(f'{service}@{node}'.encode()).hexdigest()[:12]}"


def is_of_node(name: str, prefix: str, node: str) -> bool:
    """Whether `status_name` made this name for a Service on the node."""
    start = f"{prefix}-{node}-"
    return name.startswith(start) and "-" not in name.removeprefix(start)


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

    async def group_changed(self, before: GroupPlan, after: GroupPlan, store: ObjectStore) -> None:
        """Tell what differs between two plans of one group."""
        self._count_declined(before.declined, after.declined)
        self._log(before, after)
        old = {(part.service, part.protocol): part for part in before.announced}
        new = {(part.service, part.protocol): part for part in after.announced}
        for key in sorted(old.keys() - new.keys(), key=lambda item: (item[0], item[1].value)):
            await self._part_changed(old[key], None, store)
        for key in sorted(new, key=lambda item: (item[0], item[1].value)):
            if old.get(key) != new[key]:
                await self._part_changed(old.get(key), new[key], store)

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

    async def forget_leftovers(self, plans: Iterable[GroupPlan]) -> None:
        """Remove status objects of this node that an earlier speaker left behind, except those that `plans` make true."""
        true = {ref_of(self._status(part)) for plan in plans for part in plan.announced}
        for prefix, kind in (("l2", "ServiceL2Status"), ("bgp", "ServiceBGPStatus")):
            for name in sorted(await self._sink.names(kind, self._namespace)):
                ref = ObjectRef(kind, self._namespace, name)
                if is_of_node(name, prefix, self._node) and ref not in true:
                    await self._sink.delete(ref)

    def _log(self, before: GroupPlan, after: GroupPlan) -> None:
        """One line per Service and protocol that changed; the words are MetalLB's (contract 4.1, 8.1)."""
        was = {(part.service, part.protocol): part.addresses for part in before.announced}
        present = {(part.service, part.protocol) for part in after.announced}
        for part in after.announced:
            if was.get((part.service, part.protocol)) != part.addresses:
                ips = [str(address) for address in part.addresses]
                log.info("serviceAnnounced", service=str(part.service), protocol=part.protocol.value, ips=ips)
        for decline in after.declined:
            key = (decline.service, decline.protocol)
            if key in was and key not in present:
                tell, event = log.info, "serviceWithdrawn"
            elif decline not in before.declined:
                tell, event = log.debug, "not announced"
            else:
                continue
            reason, detail = decline.reason.value, decline.detail
            tell(event, service=str(decline.service), protocol=decline.protocol.value, reason=reason, detail=detail)

    async def _part_changed(self, old: Announced | None, new: Announced | None, store: ObjectStore) -> None:
        if old is not None:
            self._forget_metrics(old)
        if new is not None:
            self._expose(new)
        if Protocol.BGP in (part.protocol for part in (old, new) if part is not None):
            self._behind.put_nowait((old, new))
            return
        await self._write(old, new)
        if new is not None:
            await self._delete_other_owners(new.service, store)

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
            if old is None:
                await self._sink.record(self._assigned(new))
        elif old is not None:
            ref = ref_of(self._status(old))
            self._statuses.pop(ref, None)
            await self._sink.delete(ref)

    def _assigned(self, part: Announced) -> ObjectEvent:
        return ObjectEvent(
            ref=ObjectRef("Service", part.service.namespace, part.service.name),
            type=EventType.NORMAL,
            reason="nodeAssigned",
            message=f'announcing from node "{self._node}" with protocol "{part.protocol.value}"',
            component=COMPONENT,
        )

    async def _delete_other_owners(self, service: ObjectKey, store: ObjectStore) -> None:
        """The owner removes what other nodes said of the Service before (contract 4.7): a dead node cannot."""
        for node in sorted(store.speakers.keys() - {self._node}):
            key = ObjectKey(self._namespace, status_name("l2", service, node))
            if key in store.l2_statuses:
                await self._sink.delete(ObjectRef("ServiceL2Status", *key))

    def _status(self, part: Announced) -> metallb.ServiceL2Status | metallb.ServiceBGPStatus:
        namespace, name = part.service
        labels = {
            "metallb.io/node": self._node,
            "metallb.io/service-name": name,
            "metallb.io/service-namespace": namespace,
        }
        prefix = "l2" if part.protocol is Protocol.LAYER2 else "bgp"
        metadata = ObjectMeta(
            name=status_name(prefix, part.service, self._node), namespace=self._namespace, labels=labels
        )
        if part.protocol is Protocol.LAYER2:
            interfaces = tuple(metallb.InterfaceInfo(name=each) for each in part.interfaces or ())
            return metallb.ServiceL2Status(
                metadata=metadata,
                status=metallb.ServiceL2StatusStatus(
                    node=self._node, service_name=name, service_namespace=namespace, interfaces=interfaces
                ),
            )
        return metallb.ServiceBGPStatus(
            metadata=metadata,
            status=metallb.ServiceBGPStatusStatus(
                node=self._node, service_name=name, service_namespace=namespace, peers=part.peers
            ),
        )

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
