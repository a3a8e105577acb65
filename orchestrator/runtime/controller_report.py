"""What the controller tells the world beside Service statuses: pools, configuration, last good specs, events, metrics.

Everything is written only when it changed.
"""

import secrets as randomness
from base64 import b64encode
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

import msgspec
import structlog

from orchestrator.config.model import LastGood
from orchestrator.decide.convergence import ServiceEvent
from orchestrator.decide.ledger import Ledger, Usage
from orchestrator.decide.requests import AllocationRefusal
from orchestrator.net.addresses import IpFamily
from orchestrator.observe.metrics import POOL_METRICS, Metrics, Name
from orchestrator.resources.core import Secret
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef, Problem, Severity
from orchestrator.resources.metallb import ConfigurationState, IPAddressPool, IPAddressPoolStatus
from orchestrator.resources.secret_text import SecretText
from orchestrator.runtime.configuration_state import configuration_state
from orchestrator.runtime.last_good import to_config_map
from orchestrator.runtime.speaker_configuration import HEARTBEAT_KEY
from orchestrator.settings import ControllerSettings
from orchestrator.sources.interface import EventType, ObjectEvent, Sink

log = structlog.get_logger()

COMPONENT = "metallb-controller"


class ControllerReport:
    """Remembers what it told, so that only changes are told."""

    def __init__(self, settings: ControllerSettings, sink: Sink, metrics: Metrics) -> None:
        self._namespace = settings.namespace
        self._heartbeat_secret = settings.heartbeat_secret
        self._sink = sink
        self._metrics = metrics
        self._state: ConfigurationState | None = None
        self._pool_statuses: dict[str, IPAddressPoolStatus] = {}
        self._events: dict[ObjectKey, tuple[ServiceEvent, ...]] = {}
        self._key_written = False
        self._last_good: LastGood | None = None
        self._missing: frozenset[str] = frozenset()

    async def configuration(self, problems: Collection[Problem], observing: str = "") -> None:
        """Write the ConfigurationState and the metrics about problems; log problems that are new."""
        errors = [problem for problem in problems if problem.severity is Severity.ERROR]
        state = configuration_state(
            node=None,
            namespace=self._namespace,
            problems=errors,
            previous=self._state,
            now=now_text(),
            observing=observing,
        )
        if state != self._state:
            for problem in errors:
                log.error("configuration problem", object=str(problem.ref), field=problem.field, reason=problem.message)
            await self._sink.write(state)
        self._state = state
        self._log_missing(problems)
        self._metrics.set(Name.CONFIG_LOADED, 1)
        self._metrics.set(Name.CONFIG_STALE, 1 if errors else 0)
        kinds = Counter(problem.ref.kind for problem in problems)
        self._metrics.replace(Name.PROBLEMS, {(kind,): float(count) for kind, count in kinds.items()})

    def _log_missing(self, problems: Iterable[Problem]) -> None:
        """Say once which kinds cannot be read, and what does not work without them."""
        warnings = (problem for problem in problems if problem.severity is Severity.WARNING)
        missing = {problem.ref.kind: problem.message for problem in warnings if not problem.ref.name}
        for kind in sorted(missing.keys() - self._missing):
            log.warning("kind cannot be read", kind=kind, reason=missing[kind])
        self._missing = frozenset(missing)

    async def last_good(self, last_good: LastGood) -> None:
        """Write the last good specs."""
        if last_good != self._last_good:
            await self._sink.write(to_config_map(last_good, self._namespace))
            self._last_good = last_good

    async def heartbeat_key(self, known: Mapping[str, Secret]) -> None:
        """Make the key of the nodes' heartbeats, once, if there is none (contract 4.8: 16 random octets)."""
        if self._heartbeat_secret in known or self._key_written:
            return
        text = b64encode(randomness.token_bytes(16)).rstrip(b"=")
        secret = Secret(
            metadata=ObjectMeta(name=self._heartbeat_secret, namespace=self._namespace),
            data={HEARTBEAT_KEY: SecretText(b64encode(text).decode())},
        )
        await self._sink.write(secret)
        self._key_written = True

    async def usage(
        self, ledger: Ledger, pools: Mapping[str, IPAddressPool], pending: Iterable[AllocationRefusal]
    ) -> None:
        """Write pool statuses and the allocator's metrics (contract 2.10, 6.2)."""
        used = self.exposed(ledger)
        reasons = Counter(refusal.reason.value for refusal in pending)
        self._metrics.replace(Name.PENDING, {(reason,): float(count) for reason, count in reasons.items()})
        for name, (ipv4, ipv6) in used.items():
            status = IPAddressPoolStatus(
                assigned_ipv4=ipv4.assigned,
                assigned_ipv6=ipv6.assigned,
                available_ipv4=ipv4.available,
                available_ipv6=ipv6.available,
            )
            if name in pools and self._pool_statuses.get(name) != status:
                await self._sink.write(msgspec.structs.replace(pools[name], status=status))
                self._pool_statuses[name] = status

    async def service_events(self, key: ObjectKey, events: tuple[ServiceEvent, ...]) -> None:
        """Record the events of a pass that the previous pass did not have."""
        before = self._events.get(key, ())
        self._events[key] = events
        for event in events:
            if event not in before:
                await self._sink.record(
                    ObjectEvent(
                        ref=ObjectRef("Service", *key),
                        type=EventType(event.severity.value),
                        reason=event.reason,
                        message=event.message,
                        component=COMPONENT,
                    )
                )

    def exposed(self, ledger: Ledger) -> Mapping[str, tuple[Usage, Usage]]:
        """Set the allocator's metrics of the pools; return what they say of each family."""
        used = {name: (ledger.usage(name, IpFamily.IPV4), ledger.usage(name, IpFamily.IPV6)) for name in ledger.pools}
        self._expose(used, Counter(assignment.pool for assignment in ledger.assignments.values()))
        return used

    def forget(self, key: ObjectKey) -> None:
        """The Service is gone."""
        self._events.pop(key, None)

    def _expose(self, used: Mapping[str, tuple[Usage, Usage]], services: Mapping[str, int]) -> None:
        series: dict[Name, dict[tuple[str, ...], float]] = {name: {} for name in POOL_METRICS}
        for pool, (ipv4, ipv6) in used.items():
            values = (
                ipv4.capacity + ipv6.capacity,
                ipv4.capacity,
                ipv6.capacity,
                ipv4.assigned + ipv6.assigned,
                ipv4.assigned,
                ipv6.assigned,
                services.get(pool, 0),
            )
            for name, value in zip(POOL_METRICS, values, strict=True):
                series[name][(pool,)] = float(value)
        for name, of_pools in series.items():
            self._metrics.replace(name, of_pools)


def now_text() -> str:
    """The time as conditions have it: RFC 3339, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
