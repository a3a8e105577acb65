"""The controller's pure parts over the objects of a case, in the order of its process: parse, resolve, adopt, converge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from orchestrator.config.model import Config, LastGood
from orchestrator.config.resolve import resolve
from orchestrator.decide.allocator import Allocator, Converged
from orchestrator.decide.annotations import ALLOCATED_FROM_POOL
from orchestrator.decide.convergence import Convergence, Rules, ServiceEvent, converge
from orchestrator.decide.ledger import Ledger
from orchestrator.decide.requests import AllocationRefusal
from orchestrator.net.addresses import IpFamily
from orchestrator.resources.classes import ServedClasses
from orchestrator.resources.core import LoadBalancerStatus, Service, ServiceStatus
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import ObjectKey, ObjectRef, Problem
from orchestrator.resources.parse import ParsedObject, Refused, parse_object
from orchestrator.resources.snapshot import snapshot_of
from orchestrator.runtime.configuration_state import configuration_state
from tests.support.case_files import Place, Raw, Step
from tests.support.objects import NAMESPACE


@dataclass(slots=True, kw_only=True)
class Seen:
    """What a step led to."""

    problems: tuple[Problem, ...]
    config: Config
    services: Mapping[ObjectKey, Service] = field(default_factory=dict)
    refusals: dict[ObjectKey, AllocationRefusal] = field(default_factory=dict)
    events: dict[ObjectKey, tuple[ServiceEvent, ...]] = field(default_factory=dict)
    written: set[ObjectKey] = field(default_factory=set)
    unsettled: list[str] = field(default_factory=list)
    usage: dict[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """What ConfigurationState says."""
        state = configuration_state(node="n1", namespace=NAMESPACE, problems=self.problems, previous=None, now="")
        return state.status.error_summary


class World:
    """The objects of a case, and what its controller remembers from step to step."""

    def __init__(self, classes: Raw, released: Raw) -> None:
        self._cool_down_s, self._sticky_s = released.get("coolDown", 0), released.get("sticky", 0)
        self._now = 1.8e9
        names = frozenset(classes.get("names", ()))
        self._rules = Rules(classes=ServedClasses(names=names, classless=classes.get("classless", not names)))
        self._raw: dict[Place, Raw] = {}
        self._statuses: dict[ObjectKey, tuple[ServiceStatus, str | None]] = {}
        self._last_good: LastGood = {}
        self._ledger = Ledger()
        self._allocator: Allocator | None = None

    def take(self, step: Step) -> Seen:
        """Apply the changes of a step, and do what the controller does."""
        self._change(step.given)
        self._now += step.seconds
        if step.restarted:
            self._allocator = None
        outcomes = [parse_object(raw, NAMESPACE) for raw in self._raw.values()]
        objects: list[KubeObject] = [outcome.obj for outcome in outcomes if isinstance(outcome, ParsedObject)]
        refused: dict[ObjectRef, tuple[Problem, ...]] = {
            outcome.ref: outcome.problems for outcome in outcomes if isinstance(outcome, Refused)
        }
        told = [problem for outcome in outcomes if isinstance(outcome, ParsedObject) for problem in outcome.problems]
        snapshot = snapshot_of(objects, refused, NAMESPACE, incomplete=step.incomplete)
        resolved = resolve(snapshot, self._last_good)
        self._last_good = {**self._last_good, **resolved.last_good}
        seen = Seen(problems=(*told, *resolved.problems), config=resolved.config)
        services = {obj.metadata.key: self._with_status(obj) for obj in objects if isinstance(obj, Service)}
        if services or "pools" in step.then or self._allocator is not None:
            self._allocate(services, resolved.config, seen, expired=step.expired)
        return seen

    def _change(self, given: Mapping[Place, Raw | None]) -> None:
        for place, raw in given.items():
            if raw is None:
                self._raw.pop(place, None)
            else:
                self._raw[place] = raw
            if place[0] == "services" and (raw is None or "status" in raw):
                namespace, _, name = place[1].rpartition("/")
                self._statuses.pop(ObjectKey(namespace or "default", name), None)

    def _with_status(self, service: Service) -> Service:
        status, pool = self._statuses.get(service.metadata.key, (service.status, None))
        annotations = service.metadata.annotations | ({ALLOCATED_FROM_POOL: pool} if pool is not None else {})
        metadata = msgspec.structs.replace(service.metadata, annotations=annotations)
        return msgspec.structs.replace(service, metadata=metadata, status=status)

    def _allocate(self, services: dict[ObjectKey, Service], config: Config, seen: Seen, *, expired: bool) -> None:
        first = self._allocator is None
        if self._allocator is None:
            self._ledger = Ledger(self._cool_down_s, self._sticky_s)
            self._allocator = Allocator(self._ledger, self._rules)
        self._allocator.pass_time(self._now)
        self._allocator.configure(config)
        if first:
            self._allocator.adopt(services.values())
        if expired:
            self._allocator.expire(self._ledger.orphans)
        for step in self._allocator.round(services, services.keys() | self._ledger.assignments.keys()):
            if isinstance(step, Converged):
                self._note(step.service.metadata.key, step.result, services, seen)
        seen.services = services
        seen.unsettled = [
            f"a second pass would write {key} again: {[entry.ip for entry in result.ingress or ()]}"
            for key, service in services.items()
            if (result := converge(service, self._ledger, self._rules)).differs_from(service)
        ]
        families = (("assignedIPv4", IpFamily.IPV4), ("assignedIPv6", IpFamily.IPV6))
        for name in self._ledger.pools:
            used = {word: self._ledger.usage(name, family) for word, family in families}
            seen.usage[name] = {word: use.assigned for word, use in used.items()} | {
                word.replace("assigned", "available"): use.available for word, use in used.items()
            }

    def _note(self, key: ObjectKey, result: Convergence, services: dict[ObjectKey, Service], seen: Seen) -> None:
        seen.refusals.pop(key, None)
        if result.refusal is not None:
            seen.refusals[key] = result.refusal
        seen.events[key] = tuple(dict.fromkeys((*seen.events.get(key, ()), *result.events)))
        if result.differs_from(services[key]):
            seen.written.add(key)
            services[key] = self._written(services[key], result)

    def _written(self, service: Service, result: Convergence) -> Service:
        status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=result.ingress or ()))
        self._statuses[service.metadata.key] = (status, result.pool)
        others = {key: value for key, value in service.metadata.annotations.items() if key != ALLOCATED_FROM_POOL}
        plain = msgspec.structs.replace(service, metadata=msgspec.structs.replace(service.metadata, annotations=others))
        return self._with_status(plain)
