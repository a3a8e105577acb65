"""What one leader decides and has told: it begins with every address that any status holds, and ends with the leadership.

Level-driven: an event marks Services dirty, each is converged again and only differences are written. What is decided
outlives no term, because somebody else may have decided meanwhile: the ledger, what was told, what waits.
"""

import asyncio
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec
import structlog

from orchestrator.config.model import LastGood, Resolved
from orchestrator.config.resolve import resolve
from orchestrator.decide.allocator import Allocator, Converged, Gone
from orchestrator.decide.annotations import ALLOCATED_FROM_POOL
from orchestrator.decide.convergence import Convergence, Outcome, Rules
from orchestrator.decide.ledger import Ledger
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.core import LoadBalancerStatus, Service
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.runtime.acceptance import Acceptance
from orchestrator.runtime.controller_conditions import ServiceConditions
from orchestrator.runtime.controller_report import ControllerReport
from orchestrator.runtime.controller_usage import UsageReport
from orchestrator.runtime.last_good import from_config_map
from orchestrator.runtime.released import ReleasedRecord, ref_in
from orchestrator.runtime.store import Changes, ObjectStore
from orchestrator.settings import ControllerSettings, Folders
from orchestrator.sources.interface import Sink

log = structlog.get_logger()

AT_A_TIME = 50
"""Services take 0.1 ms each: so many at once keep neither the Lease nor what has been decided from being written."""
USAGE_INTERVAL_S = 0.2
"""How often the use of pools is told: it counts all assignments, and a burst of Services changes it with each."""
REST_INTERVAL_S = 10.0
"""How often it is told how many addresses still rest: time alone ends that."""
RETRY_S = 1.0
"""How soon a Service whose status could not be written is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """Where a controller's findings go; nothing is decided while `may_write` denies it."""

    sink: Sink
    metrics: Metrics
    may_write: Callable[[], bool]


class Term:
    """One leadership over one store."""

    def __init__(self, settings: ControllerSettings, store: ObjectStore, outlets: Outlets) -> None:
        self._settings = settings
        self._store = store
        self._sink = outlets.sink
        self._metrics = outlets.metrics
        self._may_write = outlets.may_write
        self._report = ControllerReport(settings, outlets.sink, outlets.metrics)
        self._usage = UsageReport(outlets.sink, outlets.metrics)
        self._released = ReleasedRecord(outlets.sink, settings.namespace)
        self._ledger = Ledger(cool_down_s=settings.cool_down_s, sticky_s=settings.sticky_s)
        self._allocator = Allocator(self._ledger, Rules(classes=settings.classes))
        self._conditions = ServiceConditions(settings, outlets.sink, store, self._ledger, outlets.metrics)
        self._acceptance = Acceptance(outlets.sink, store, outlets.metrics)
        self._last_good: LastGood | None = None
        self._before: LastGood = {}
        self._usable: LastGood = {}
        self._failed: set[ObjectKey] = set()
        self._retry_at = 0.0
        self._usage_told_at = -math.inf
        self._usage_due: float | None = None
        self._rest_due: float | None = None
        self._orphan_deadlines: dict[ObjectKey, float] = {}

    async def work(self, changes: Changes, started: float) -> None:
        """Do what follows from the changes; the first call adopts, and looks at everything. `started` is monotonic."""
        if self._last_good is None:
            self._conditions.speakers_changed(started)
        self._conditions.changed(changes, started)
        self._acceptance.changed(changes, started)
        if self._concerns_addresses(changes, started):
            await self._cycle(changes, started)
        await self._tell_usage(started)
        await self._released.work(self._ledger, started)
        await self._conditions.work(started)
        await self._acceptance.work(started)

    async def observe(self, reason: str) -> None:
        """Say what we think of the configuration and the addresses in use; a term that observes does nothing else."""
        resolved = self._resolved()
        await self._report.configuration((*self._store.problems(), *resolved.problems), observing=reason)
        self._allocator.adopt(self._store.services.values())
        self._report.exposed(self._ledger)

    def _concerns_addresses(self, changes: Changes, now: float) -> bool:
        """Whether there is more to do than to look at conditions."""
        due = self._deadline()
        first = self._last_good is None
        return bool(first or changes.services or changes.configuration or (due is not None and due <= now))

    async def _cycle(self, changes: Changes, started: float) -> None:
        self._allocator.pass_time(time.time())
        first = self._last_good is None
        dirty = changes.services | self._failed | self._expired_orphans(started)
        if changes.configuration or first:
            await self._reconfigure()
            dirty |= self._store.services.keys()
        if first:
            self._ledger.remember(self._released.read(self._store.config_maps.get(ref_in(self._settings.namespace))))
            adopted = self._allocator.adopt(self._store.services.values())
            log.info("adopted addresses", services=len(adopted))
        await self._converge_all(dirty)
        self._watch_orphans(started)
        await self._keep_last_good()
        self._usage_due = max(self._usage_told_at + USAGE_INTERVAL_S, started)
        self._released.changed()
        self._metrics.add(Name.UPDATES)
        if dirty:
            duration_ms = round((time.monotonic() - started) * 1000, 2)
            log.info("converged", services=len(dirty), pending=len(self._allocator.pending), duration_ms=duration_ms)

    async def _tell_usage(self, now: float) -> None:
        if self._usage_due is None or now < self._usage_due:
            return
        snapshot = self._store.snapshot()
        await self._report.usage(self._ledger, snapshot.pools, self._allocator.pending.values())
        await self._usage.tell(self._ledger, snapshot)
        self._usage_told_at, self._usage_due = now, None
        self._rest_due = now + REST_INTERVAL_S if self._ledger.releases else None

    # Configuration --------------------------------------------------------------------------------------------------

    def _resolved(self) -> Resolved:
        """Resolve the configuration again and give the ledger its pools."""
        last_good = from_config_map(self._store.last_good) if self._last_good is None else self._last_good
        resolved = resolve(self._store.snapshot(), last_good)
        self._allocator.configure(resolved.config)
        self._last_good = {**last_good, **resolved.last_good}
        self._before, self._usable = last_good, resolved.last_good
        return resolved

    async def _reconfigure(self) -> None:
        resolved = self._resolved()
        self._conditions.configured(resolved.config, time.monotonic())
        self._acceptance.configured(resolved, time.monotonic())
        await self._report.configuration((*self._store.problems(), *resolved.problems))
        await self._report.heartbeat_key(self._store.snapshot().secrets)

    async def _keep_last_good(self) -> None:
        """Publish the specs that are usable now, and earlier ones of pools whose addresses are held for a while."""
        self._last_good = {**self._usable, **self._needed_by_orphans(self._before)}
        await self._report.last_good(self._last_good)

    def _needed_by_orphans(self, last_good: LastGood) -> LastGood:
        """Specs of pools whose addresses outlive their place in it: speakers go on announcing these."""
        held = (self._ledger.assignment(key) for key in self._ledger.orphans)
        names = {assignment.pool for assignment in held if assignment is not None}
        return {ref: spec for ref, spec in last_good.items() if ref.kind == "IPAddressPool" and ref.name in names}

    # Services -------------------------------------------------------------------------------------------------------

    async def _converge_all(self, dirty: Collection[ObjectKey]) -> None:
        for number, step in enumerate(self._allocator.round(self._store.services, dirty)):
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
            if not self._may_write():
                break  # the term is over, whoever has not said so yet
            await self._carry_out(step)

    async def _carry_out(self, step: Converged | Gone) -> None:
        key = step.service if isinstance(step, Gone) else step.service.metadata.key
        self._failed.discard(key)
        try:
            if isinstance(step, Gone):
                await self._forget(step)
            else:
                await self._write(step.service, step.result)
        except OSError as error:
            self._failed.add(key)
            self._retry_at = time.monotonic() + RETRY_S
            self._metrics.add(Name.UPDATE_ERRORS)
            log.error("status not written", service=str(key), reason=error.strerror)

    async def _forget(self, gone: Gone) -> None:
        """The Service is gone, or was never there: an EndpointSlice may name what does not exist."""
        self._report.forget(gone.service)
        self._conditions.forget(gone.service)
        foreign = gone.assignment is not None and gone.assignment.tenancy.foreign
        if gone.assignment is not None and not foreign:
            ips = [str(address) for address in gone.assignment.addresses]
            log.info("serviceDeleted", service=str(gone.service), ips=ips)
        ours = not foreign or isinstance(self._settings.origin, Folders)  # a state folder is, whatever it says
        if ours and not gone.made_again:
            await self._sink.delete(ObjectRef("Service", *gone.service))

    async def _write(self, service: Service, result: Convergence) -> None:
        key = service.metadata.key
        self._conditions.decided(key, result.refusal)
        if result.differs_from(service) and result.ingress is not None:
            status = msgspec.structs.replace(service.status, load_balancer=LoadBalancerStatus(ingress=result.ingress))
            service = self._conditions.completed(msgspec.structs.replace(service, status=status))
            await self._sink.write_service_status(key, service.status, {ALLOCATED_FROM_POOL: result.pool})
            log.info("status written", service=str(key), ips=[entry.ip for entry in result.ingress], pool=result.pool)
        if result.outcome is Outcome.NOT_OURS:
            self._conditions.forget(key)
        else:
            self._conditions.settled(service, time.monotonic())
        await self._report.service_events(key, result.events)

    # Time -----------------------------------------------------------------------------------------------------------

    def _expired_orphans(self, now: float) -> set[ObjectKey]:
        """Release what has been held long enough for pools that are gone; return these Services."""
        expired = {key for key, deadline in self._orphan_deadlines.items() if deadline <= now}
        self._allocator.expire(expired)
        for key in expired:
            log.warning("addresses of a removed pool released", service=str(key), reason="PoolRemoved")
        return expired

    def _watch_orphans(self, now: float) -> None:
        hold_s = self._settings.removed_pool_hold_s
        deadline = now + hold_s
        for key in self._ledger.orphans:
            if key not in self._orphan_deadlines:
                log.warning("addresses of a removed pool held", service=str(key), reason="PoolRemoved", seconds=hold_s)
        self._orphan_deadlines = {key: self._orphan_deadlines.get(key, deadline) for key in self._ledger.orphans}

    def _deadline(self) -> float | None:
        """When addresses need something without an event, monotonic; None: never."""
        deadlines = [*self._orphan_deadlines.values(), *([self._retry_at] if self._failed else [])]
        if (kept_until := self._ledger.next_change) is not None:
            deadlines.append(kept_until - time.time() + time.monotonic())
        if self._rest_due is not None:
            deadlines.append(self._rest_due)
        return min(deadlines, default=None)

    def patience(self, now: float) -> float | None:
        """Seconds until something has to be done without an event; None: nothing has."""
        waits = [max(due - now, 0.0) for due in (self._deadline(), self._usage_due) if due is not None]
        behind = (self._conditions.patience(now), self._acceptance.patience(now), self._released.patience(now))
        return min([*waits, *(each for each in behind if each is not None)], default=None)

    async def finish(self) -> None:
        """Write what the next leader is to know; this one ends in good order."""
        await self._released.write(self._ledger, time.monotonic())
