"""The conditions of Services, kept true behind the allocation.

What concerns one Service (its address, a conflict, its owner) is looked at as soon as the loop has nothing better to do;
links and configuration concern all of them, and are left to settle first, as is what `announcements` are made of. A
condition that changes together with an address is written with it; all others are written one at a time at a bounded
rate, so that 10 000 of them delay nobody.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network

import msgspec
import structlog

from orchestrator.config.model import Config, NodeName
from orchestrator.decide.allocated import allocated
from orchestrator.decide.conditions import Observations, Subject, conditions_of, merged, observe
from orchestrator.decide.convergence import pool_removed
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import AllocationRefusal
from orchestrator.net.addresses import IpAddress, Prefix
from orchestrator.net.coverage import Coverage
from orchestrator.observe.metrics import Metrics, Name
from orchestrator.resources.core import Service
from orchestrator.resources.extensions import AddressConflict, SpeakerInterface
from orchestrator.resources.meta import Condition, ObjectKey
from orchestrator.resources.selectors import admits
from orchestrator.runtime.controller_announcements import Announcements, prefixes_in
from orchestrator.runtime.controller_report import now_text
from orchestrator.runtime.store import Changes, ObjectStore
from orchestrator.settings import Cluster, ControllerSettings
from orchestrator.sources.interface import Sink
from orchestrator.sources.kube.writer import MOST_BEHIND

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a speaker says that conditions depend on; `conflicts` and `dampened` concern single addresses."""

    interfaces: tuple[SpeakerInterface, ...]
    draining: bool
    drain: str
    node_not_ready: bool
    conflicts: tuple[AddressConflict, ...]
    dampened: tuple[str, ...]


Told = Mapping[NodeName, Word]


class ServiceConditions:
    """Which Services have to be looked at, and what is written. `settled` tells how each Service is now."""

    def __init__(
        self, settings: ControllerSettings, sink: Sink, store: ObjectStore, ledger: Ledger, metrics: Metrics
    ) -> None:
        most_told = MOST_BEHIND if isinstance(settings.origin, Cluster) else None
        self._announcements = Announcements(store, ledger, settings.classes, most_told)
        self._refusals: dict[ObjectKey, AllocationRefusal] = {}
        self._sink = sink
        self._store = store
        self._ledger = ledger
        self._metrics = metrics
        self._config = Config()
        self._told: Told = {}
        self._observations = observe(())
        self._services: dict[ObjectKey, Service] = {}
        self._waiting: dict[ObjectKey, None] = {}
        self._all_due: float | None = None
        self._next_write = 0.0

    # What happened ------------------------------------------------------------------------------------------------

    def changed(self, changes: Changes, now: float) -> None:
        """Take in what the store was told; `now` is monotonic."""
        if changes.speakers:
            self.speakers_changed(now)
        for key in changes.told:
            self._look_at(key)
        self._announcements.told(changes.told & self._services.keys(), now)
        self._announcements.look_at(changes.endpoints & self._services.keys(), now)

    def speakers_changed(self, now: float) -> None:
        """Take in what the SpeakerStates in the store say; `now` is monotonic."""
        told = {
            node: Word(
                interfaces=state.spec.interfaces,
                draining=state.spec.draining,
                drain=state.spec.drain.stage,
                node_not_ready=state.spec.node_not_ready,
                conflicts=state.spec.conflicts,
                dampened=state.spec.dampened,
            )
            for node, state in self._store.speakers.items()
        }
        if told == self._told:
            return
        before_told, self._told = self._told, told
        self._announcements.speakers_changed()
        before, self._observations = self._observations, observe(self._store.speakers.values())
        for address in _changed_conflicts(before, self._observations):
            for key in self._ledger.users(address):
                self._look_at(key)
                self._announcements.look_at([key], now)
        self._announcements.look_at(self._within(_changed_prefixes(before_told, told)), now)
        if _without_addresses(before_told) != _without_addresses(told):
            self._look_at_all(now)

    def _within(self, prefixes: Collection[Prefix]) -> list[ObjectKey]:
        """The Services that have an address in one of the prefixes."""
        if not prefixes:
            return []
        covered = Coverage(prefixes)
        held = ((key, assignment.addresses) for key, assignment in self._ledger.assignments.items())
        return [key for key, addresses in held if any(covered.overlaps(ip_network(each)) for each in addresses)]

    def configured(self, config: Config, now: float) -> None:
        """Use this configuration from now on."""
        before, self._config = self._config, config
        if _relevant(before) != _relevant(config):
            self._announcements.configured(config)
            self._look_at_all(now)

    def decided(self, key: ObjectKey, refusal: AllocationRefusal | None) -> None:
        """What is to be said of the Service's address; None: it has what it asks for."""
        if refusal is None:
            self._refusals.pop(key, None)
        else:
            self._refusals[key] = refusal

    def settled(self, service: Service, now: float) -> None:
        """The Service with the status that it has, or will have once our write has come back."""
        key = service.metadata.key
        self._services[key] = service
        self._waiting[key] = None
        self._announcements.look_at([key], now)

    def forget(self, key: ObjectKey) -> None:
        """The Service is gone, or not ours."""
        self._services.pop(key, None)
        self._waiting.pop(key, None)
        self._refusals.pop(key, None)
        self._announcements.forget(key)

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
        """All of ours; none of a Service that is no LoadBalancer any more."""
        if service.spec.type != "LoadBalancer":
            return ()
        key = service.metadata.key
        assignment = self._ledger.assignment(key)
        addresses = [entry.ip for entry in service.status.load_balancer.ingress if entry.ip]
        pool = assignment.pool if assignment is not None else ""
        always = (allocated(addresses, pool, self._refusals.get(key)), self._announcements.said(service))
        found = tuple(condition for condition in always if condition is not None)
        return found if assignment is None else (*found, *self._sometimes(service, assignment))

    def _sometimes(self, service: Service, assignment: Assignment) -> tuple[Condition, ...]:
        key = service.metadata.key
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
        times = [at for at in (self._all_due, self._announcements.next_at()) if at is not None]
        if self._waiting:
            times.append(self._next_write)
        return max(min(times) - now, IDLE_S) if times else None

    async def work(self, now: float) -> None:
        """Look at Services for a moment, and write the first status that changes."""
        if self._all_due is not None and self._all_due <= now:
            self._all_due = None
            self._waiting.update(dict.fromkeys(self._services))
            self._announcements.look_at_all(self._services, now)
        if now < self._next_write:
            return
        while time.monotonic() < now + SLICE_S and (service := self._next(now)) is not None:
            changed = self.completed(service)
            if changed is not service:
                await self._write(changed, now)
                return

    def _next(self, now: float) -> Service | None:
        """Take a Service that has to be looked at."""
        if self._waiting:
            key = next(iter(self._waiting))
            del self._waiting[key]
            return self._services[key]
        while (ripe := self._announcements.ripe(now)) is not None:
            service = self._services.get(ripe)
            if service is not None:
                self._announcements.renew(service, self._services)
                return service
        return None

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


def _without_addresses(told: Told) -> Mapping[NodeName, Word]:
    return {node: replace(word, conflicts=(), dampened=()) for node, word in told.items()}


def _changed_prefixes(before: Told, after: Told) -> frozenset[Prefix]:
    """The prefixes that some speaker has begun to keep back, or has released."""
    now, then = ({(node, each) for node, word in told.items() for each in word.dampened} for told in (after, before))
    return prefixes_in(text for _, text in now ^ then)


def _relevant(config: Config) -> tuple[object, ...]:
    advertisements = {name: (pool.l2_advertisements, pool.bgp_advertisements) for name, pool in config.pools.items()}
    return advertisements, config.nodes, config.peers, config.locked_peers
