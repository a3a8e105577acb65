"""The conditions of Services, kept true behind the allocation.

What concerns one Service (its address, a conflict, its owner) is looked at as soon as the loop has nothing better to do;
links and configuration concern all of them, and are left to settle first. A condition that changes together with an
address is written with it; all others are written one at a time at a bounded rate, so that 10 000 of them delay nobody.
"""

import time
from collections.abc import Iterable, Mapping

import msgspec
import structlog

from orchestrator.config.model import Config, NodeFacts, NodeName
from orchestrator.decide.conditions import Observations, Subject, conditions_of, merged, observe
from orchestrator.decide.convergence import pool_removed
from orchestrator.decide.ledger import Ledger
from orchestrator.net.addresses import IpAddress
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.core import Service
from orchestrator.resources.meta import Condition, ObjectKey
from orchestrator.resources.metallb import ServiceL2Status
from orchestrator.resources.selectors import admits
from orchestrator.runtime.controller_report import now_text
from orchestrator.runtime.store import ObjectStore, subject_of
from orchestrator.sources.interface import Removed, Sink, SourceEvent, Upserted

log = structlog.get_logger()

SETTLE_S = 1.0
"""How long links are left to settle: the speakers of a cluster start, and a switch takes its ports away, together."""
SLICE_S = 0.002
"""How long Services are looked at in one go."""
WRITE_INTERVAL_S = 0.02
"""A write comes back as an event: at 10 000 Services the two take about 6 ms."""
RETRY_S = 1.0
IDLE_S = 0.001
"""How long the loop waits for something better to do."""


class ServiceConditions:
    """Which Services have to be looked at, and what is written. `settled` tells how each Service is now."""

    def __init__(self, sink: Sink, store: ObjectStore, ledger: Ledger, metrics: Metrics) -> None:
        self._sink = sink
        self._store = store
        self._ledger = ledger
        self._metrics = metrics
        self._config = Config()
        self._told: Mapping[NodeName, object] = {}
        self._observations = observe(())
        self._services: dict[ObjectKey, Service] = {}
        self._waiting: dict[ObjectKey, None] = {}
        self._all_due: float | None = None
        self._next_write = 0.0

    # What happened ------------------------------------------------------------------------------------------------

    def owners_changed(self, events: Iterable[SourceEvent]) -> None:
        """Take in which ServiceL2Status objects come and go; the store is told afterwards."""
        for event in events:
            match event:
                case Upserted(ServiceL2Status() as status):
                    self._owner_changes(status.metadata.key)
                    self._look_at(subject_of(status))
                case Removed(ref) if ref.kind == "ServiceL2Status":
                    self._owner_changes(ref.key)
                case _:
                    pass

    def _owner_changes(self, key: ObjectKey) -> None:
        before = self._store.l2_statuses.get(key)
        if before is not None:
            self._look_at(subject_of(before))

    def speakers_changed(self, now: float) -> None:
        """Take in what the SpeakerStates in the store say; `now` is monotonic."""
        told = {node: (state.spec.interfaces, state.spec.conflicts) for node, state in self._store.speakers.items()}
        if told == self._told:
            return
        self._told = told
        before, self._observations = self._observations, observe(self._store.speakers.values())
        for address in _changed_conflicts(before, self._observations):
            for key in self._ledger.users(address):
                self._look_at(key)
        if (before.nodes, before.legs) != (self._observations.nodes, self._observations.legs):
            self._look_at_all(now)

    def configured(self, config: Config, now: float) -> None:
        """Use this configuration from now on."""
        before, self._config = self._config, config
        if _relevant(before) != _relevant(config):
            self._look_at_all(now)

    def settled(self, service: Service) -> None:
        """The Service with the status that it has, or will have once our write has come back."""
        key = service.metadata.key
        self._services[key] = service
        self._waiting[key] = None

    def forget(self, key: ObjectKey) -> None:
        """The Service is gone, or not ours."""
        self._services.pop(key, None)
        self._waiting.pop(key, None)

    def _look_at(self, key: ObjectKey) -> None:
        if key in self._services:
            self._waiting[key] = None

    def _look_at_all(self, now: float) -> None:
        self._all_due = now + SETTLE_S if self._all_due is None else self._all_due

    # What is said -------------------------------------------------------------------------------------------------

    def completed(self, service: Service) -> Service:
        """Return the Service with the conditions that it should have now."""
        held = service.status.conditions
        conditions = merged(held, self._conditions(service), now_text())
        if conditions == held:
            return service
        return msgspec.structs.replace(service, status=msgspec.structs.replace(service.status, conditions=conditions))

    def _conditions(self, service: Service) -> tuple[Condition, ...]:
        key = service.metadata.key
        assignment = self._ledger.assignment(key)
        if assignment is None:
            return ()
        pool = self._config.pools.get(assignment.pool)
        advertisements = pool.l2_advertisements if pool is not None else ()
        subject = Subject(
            addresses=assignment.addresses,
            advertisements=tuple(
                each for each in advertisements if admits(each.service_selectors, service.metadata.labels)
            ),
            owners=frozenset(self._store.l2_statuses_of(key).values()),
            pool_removed=pool_removed(assignment).message if self._ledger.is_orphan(key) else "",
        )
        return conditions_of(subject, self._observations, self._config.nodes)

    def patience(self, now: float) -> float | None:
        """Seconds until `work` has something to do; None: nothing is waiting."""
        if self._waiting:
            return max(self._next_write - now, IDLE_S)
        return None if self._all_due is None else max(self._all_due - now, IDLE_S)

    async def work(self, now: float) -> None:
        """Look at Services for a moment, and write the first status that changes."""
        if self._all_due is not None and self._all_due <= now:
            self._all_due = None
            self._waiting.update(dict.fromkeys(self._services))
        if now < self._next_write:
            return
        while self._waiting and time.monotonic() < now + SLICE_S:
            key = next(iter(self._waiting))
            del self._waiting[key]
            service = self._services[key]
            changed = self.completed(service)
            if changed is not service:
                await self._write(changed, now)
                return

    async def _write(self, service: Service, now: float) -> None:
        key = service.metadata.key
        self._next_write = now + WRITE_INTERVAL_S
        try:
            await self._sink.write_service_status(key, service.status, {})
        except OSError as error:
            self._waiting[key] = None
            self._next_write = now + RETRY_S
            self._metrics.add(Name.UPDATE_ERRORS)
            log.error("conditions not written", service=str(key), reason=error.strerror)
            return
        self._services[key] = service
        said = {condition.type: condition.reason for condition in self._conditions(service)}
        log.info("conditions written", service=str(key), reasons=said)


def _changed_conflicts(before: Observations, after: Observations) -> list[IpAddress]:
    addresses = before.conflicts.keys() | after.conflicts.keys()
    return [address for address in addresses if before.conflicts.get(address) != after.conflicts.get(address)]


def _relevant(config: Config) -> tuple[Mapping[str, object], Mapping[NodeName, NodeFacts]]:
    return {name: pool.l2_advertisements for name, pool in config.pools.items()}, config.nodes
