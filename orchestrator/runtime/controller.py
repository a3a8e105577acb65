"""The controller's loop: objects in; assignments, statuses, events and metrics out.

Level-driven: an event marks Services dirty, each is converged again and only differences are written. Two phases:
every address that any status holds is adopted before one is allocated.
"""

import asyncio
import time
from collections.abc import Iterable

import msgspec
import structlog

from orchestrator.config.model import LastGood
from orchestrator.config.resolve import resolve
from orchestrator.decide.allocation import AllocationRefusal
from orchestrator.decide.annotations import ALLOCATED_FROM_POOL
from orchestrator.decide.convergence import Convergence, Outcome, Rules, adopt_all, age, converge
from orchestrator.decide.ledger import Ledger
from orchestrator.observe.http import Readiness, serve
from orchestrator.observe.metrics import CONTROLLER_METRICS, Metrics, Name
from orchestrator.resources.core import LoadBalancerStatus, Service
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.runtime.controller_conditions import ServiceConditions
from orchestrator.runtime.controller_report import ControllerReport
from orchestrator.runtime.feed import Feed, SourceBatch, Stop
from orchestrator.runtime.last_good import CONFIG_MAP_NAME, from_config_map
from orchestrator.runtime.store import Changes, ObjectStore
from orchestrator.settings import ControllerSettings, Folders
from orchestrator.sources.interface import Sink
from orchestrator.sources.manifests.folder import ManifestsSource
from orchestrator.sources.manifests.state import ManifestsSink
from orchestrator.supervise import folder_lock

log = structlog.get_logger()

UNREAD = ("ConfigurationState", "IPAddressPool", "ServiceBGPStatus")
"""States that tell the controller nothing."""
LATE = ("ServiceL2Status",)
"""States that only conditions are made of."""
RETRY_S = 1.0
"""How soon a Service whose status could not be written is tried again."""


class Controller:
    """One controller over one source and one sink."""

    def __init__(self, settings: ControllerSettings, sink: Sink, metrics: Metrics, readiness: Readiness) -> None:
        self.feed = Feed()
        self._settings = settings
        self._rules = Rules(load_balancer_class=settings.load_balancer_class)
        self._sink = sink
        self._metrics = metrics
        self._readiness = readiness
        self._report = ControllerReport(settings.namespace, sink, metrics)
        self._store = ObjectStore(settings.namespace, CONFIG_MAP_NAME)
        self._ledger = Ledger()
        self._conditions = ServiceConditions(sink, self._store, self._ledger, metrics)
        self._last_good: LastGood | None = None
        self._usable: LastGood = {}
        self._pending: dict[ObjectKey, AllocationRefusal] = {}
        self._failed: set[ObjectKey] = set()
        self._retry_at = 0.0
        self._orphan_deadlines: dict[ObjectKey, float] = {}

    async def loop(self) -> None:
        """Handle batches until told to stop."""
        while True:
            batch = await self.feed.batch(self._patience())
            if any(isinstance(item, Stop) for item in batch):
                return
            started = time.monotonic()
            events = [event for item in batch if isinstance(item, SourceBatch) for event in item.events]
            self._conditions.owners_changed(events)
            changes = self._store.apply(events)
            if not self._store.synced:
                continue
            if changes.speakers:
                self._conditions.speakers_changed(started)
            if self._concerns_addresses(changes, started):
                await self._cycle(changes, started)
            await self._conditions.work(started)

    def _concerns_addresses(self, changes: Changes, now: float) -> bool:
        """Whether there is more to do than to look at conditions."""
        due = self._deadline()
        first = self._last_good is None
        return bool(first or changes.services or changes.configuration or (due is not None and due <= now))

    async def _cycle(self, changes: Changes, started: float) -> None:
        first = self._last_good is None
        dirty = changes.services | self._failed | self._expired_orphans(started)
        if changes.configuration or first:
            await self._reconfigure()
            dirty |= self._store.services.keys()
        if first:
            adopted = adopt_all(self._store.services.values(), self._ledger, self._rules)
            log.info("adopted addresses", services=len(adopted))
        freed = await self._converge_all(dirty)
        if freed or changes.configuration:
            await self._converge_all(self._pending.keys() - dirty)
        self._watch_orphans(started)
        await self._keep_last_good()
        await self._report.usage(self._ledger, self._store.snapshot().pools, self._pending.values())
        self._metrics.add(Name.UPDATES)
        self._readiness.met("first list")
        if dirty:
            duration_ms = round((time.monotonic() - started) * 1000, 2)
            log.info("converged", services=len(dirty), pending=len(self._pending), duration_ms=duration_ms)

    async def _reconfigure(self) -> None:
        """Resolve the configuration again and give the ledger its pools."""
        last_good = from_config_map(self._store.last_good) if self._last_good is None else self._last_good
        snapshot = self._store.snapshot()
        resolved = resolve(snapshot, last_good)
        self._ledger.set_pools(resolved.config.pools)
        self._conditions.configured(resolved.config, time.monotonic())
        await self._report.configuration((*self._store.problems(), *resolved.problems))
        await self._report.heartbeat_key(snapshot.secrets)
        self._last_good = {**last_good, **resolved.last_good}
        self._usable = resolved.last_good

    async def _keep_last_good(self) -> None:
        """Publish the specs that are usable now, and those of removed pools while their addresses are held."""
        assert self._last_good is not None
        self._last_good = {**self._needed_by_orphans(self._last_good), **self._usable}
        await self._report.last_good(self._last_good)

    def _needed_by_orphans(self, last_good: LastGood) -> LastGood:
        """Specs of removed pools whose addresses are still held: speakers go on announcing these."""
        held = (self._ledger.assignment(key) for key in self._ledger.orphans)
        names = {assignment.pool for assignment in held if assignment is not None}
        return {ref: spec for ref, spec in last_good.items() if ref.kind == "IPAddressPool" and ref.name in names}

    async def _converge_all(self, keys: Iterable[ObjectKey]) -> bool:
        """Converge Services: those that are gone first, then those with addresses, then the older ones."""
        freed = False
        for key in sorted(keys, key=self._order):
            freed |= await self._converge(key)
        return freed

    def _order(self, key: ObjectKey) -> tuple[bool, bool, tuple[bool, str, ObjectKey]]:
        service = self._store.services.get(key)
        if service is None:
            return (False, False, (False, "", key))
        return (True, self._ledger.assignment(key) is None, age(service))

    async def _converge(self, key: ObjectKey) -> bool:
        """Bring one Service to what it should be; whether addresses became free."""
        self._failed.discard(key)
        try:
            service = self._store.services.get(key)
            if service is None:
                return await self._forget(key)
            result = converge(service, self._ledger, self._rules)
            await self._write(service, result)
        except OSError as error:
            self._failed.add(key)
            self._retry_at = time.monotonic() + RETRY_S
            self._metrics.add(Name.UPDATE_ERRORS)
            log.error("status not written", service=str(key), reason=error.strerror)
            return False
        return result.freed

    async def _forget(self, key: ObjectKey) -> bool:
        """The Service is gone, or was never there: an EndpointSlice may name what does not exist."""
        self._pending.pop(key, None)
        self._report.forget(key)
        self._conditions.forget(key)
        assignment = self._ledger.release(key)
        await self._sink.delete(ObjectRef("Service", *key))
        if assignment is not None:
            log.info("serviceDeleted", service=str(key), ips=[str(address) for address in assignment.addresses])
        return assignment is not None

    async def _write(self, service: Service, result: Convergence) -> None:
        key = service.metadata.key
        if result.outcome is Outcome.REFUSED and result.refusal is not None:
            self._pending[key] = result.refusal
        else:
            self._pending.pop(key, None)
        if result.differs_from(service) and result.ingress is not None:
            status = msgspec.structs.replace(service.status, load_balancer=LoadBalancerStatus(ingress=result.ingress))
            service = self._conditions.completed(msgspec.structs.replace(service, status=status))
            await self._sink.write_service_status(key, service.status, {ALLOCATED_FROM_POOL: result.pool})
            log.info("status written", service=str(key), ips=[entry.ip for entry in result.ingress], pool=result.pool)
        if result.outcome is Outcome.NOT_OURS:
            self._conditions.forget(key)
        else:
            self._conditions.settled(service)
        await self._report.service_events(key, result.events)

    def _expired_orphans(self, now: float) -> set[ObjectKey]:
        """Release what has been held long enough for pools that are gone; return these Services."""
        expired = {key for key, deadline in self._orphan_deadlines.items() if deadline <= now}
        for key in expired:
            self._ledger.release(key)
            log.warning("addresses of a removed pool released", service=str(key), reason="PoolRemoved")
        return expired

    def _watch_orphans(self, now: float) -> None:
        deadline = now + self._settings.removed_pool_hold_s
        self._orphan_deadlines = {key: self._orphan_deadlines.get(key, deadline) for key in self._ledger.orphans}

    def _deadline(self) -> float | None:
        """When addresses need something without an event, monotonic; None: never."""
        return min([*self._orphan_deadlines.values(), *([self._retry_at] if self._failed else [])], default=None)

    def _patience(self) -> float | None:
        """Seconds until something has to be done without an event; None: nothing has."""
        now = time.monotonic()
        deadline = self._deadline()
        waits = [max(deadline - now, 0.0)] if deadline is not None else []
        behind = self._conditions.patience(now)
        return min([*waits, *([behind] if behind is not None else [])], default=None)


async def run(settings: ControllerSettings) -> int:
    """Run a controller over a folder of manifests until SIGTERM; returns the exit status."""
    metrics = Metrics(CONTROLLER_METRICS)
    readiness = Readiness("first list")
    folders = settings.origin
    assert isinstance(folders, Folders)
    readiness.unmet("first list", f"reading {folders.source}")
    for port in (settings.metrics_port, settings.health_port):
        if port:
            serve("0.0.0.0", port, metrics, readiness)
    controller = Controller(settings, ManifestsSink(folders.state), metrics, readiness)
    source = ManifestsSource(folders.source, folders.state, settings.namespace, unread=UNREAD, late=LATE)
    folders.state.mkdir(parents=True, exist_ok=True)
    with folder_lock.hold(folders.state, "controller"):
        controller.feed.stop_on_signals()
        log.info("controller started", source=str(folders.source), state=str(folders.state))
        async with asyncio.TaskGroup() as tasks:
            pump = tasks.create_task(controller.feed.pump(source))
            await controller.loop()
            pump.cancel()
    log.info("controller stopped")
    return 0
