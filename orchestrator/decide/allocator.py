"""Allocator: one ledger, and the rounds in which Services are converged until nothing more can be given.

Level-driven: a round takes keys of Services that may have changed, and yields a step for each as it is decided, so that
whoever writes them may pause between two. Whoever has addresses comes before who has none, and the older before the
younger. When something became free, or may be shared now, those that wait are converged again in the same round.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.config.model import Config
from orchestrator.decide.convergence import Convergence, Outcome, Rules, adopt_all, age, converge
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import AllocationRefusal, tenancy_of
from orchestrator.resources.core import Service
from orchestrator.resources.meta import ObjectKey

Services = Mapping[ObjectKey, Service]


@dataclass(frozen=True, slots=True, kw_only=True)
class Converged:
    """What a Service should be now."""

    service: Service
    result: Convergence


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A Service is no more, and `assignment` is what it held; with `made_again` another one has its name."""

    service: ObjectKey
    assignment: Assignment | None
    made_again: bool = False


class Allocator:
    """What is decided while one ledger lasts: it starts with `configure` and `adopt`."""

    def __init__(self, ledger: Ledger, rules: Rules) -> None:
        self._ledger = ledger
        self._rules = rules
        self._uids: dict[ObjectKey, str] = {}
        self._pending: dict[ObjectKey, AllocationRefusal] = {}
        self._incomplete: set[ObjectKey] = set()
        self._freed = False
        self._shareable: set[tuple[str, str]] = set()

    @property
    def pending(self) -> Mapping[ObjectKey, AllocationRefusal]:
        """Services without an address, and why; a view that follows changes."""
        return MappingProxyType(self._pending)

    def configure(self, config: Config) -> None:
        """Use this configuration; all Services are to be converged in the next round."""
        self._ledger.set_pools(config.pools)
        self._ledger.set_reservations(config.reservations)
        self._ledger.set_quotas(config.quotas)

    def adopt(self, services: Iterable[Service]) -> tuple[ObjectKey, ...]:
        """Hold what statuses say; return whose addresses are held."""
        return adopt_all(services, self._ledger, self._rules)

    def pass_time(self, now: float) -> None:
        """It is `now`, in seconds since 1970; the next round asks those that wait for what is kept no longer."""
        self._freed |= self._ledger.pass_time(now)

    def expire(self, orphans: Iterable[ObjectKey]) -> None:
        """Release what Services hold of pools that are gone; they are to be converged in the next round."""
        for key in orphans:
            self._freed |= self._ledger.release(key) is not None

    def round(self, services: Services, dirty: Collection[ObjectKey]) -> Iterator[Converged | Gone]:
        """Converge the dirty Services, then those that wait as long as that may help them.

        `services` may change between two steps. Whoever stops before the end must start a new Allocator.
        """
        yield from self._succeeded(services, dirty)
        batch = {*dirty, *self._may_fit_now(services)}
        while batch:
            for key in sorted(batch, key=lambda each: self._order(services, each)):
                yield self._step(services, key)
            batch = self._may_fit_now(services)

    def _succeeded(self, services: Services, keys: Iterable[ObjectKey]) -> Iterator[Gone]:
        """Services that were deleted and made again, unseen: what the name held is not the new one's."""
        for key in sorted(keys):
            service = services.get(key)
            if service is not None and self._uids.setdefault(key, service.metadata.uid) != service.metadata.uid:
                assignment = self._let_go(key)
                self._uids[key] = service.metadata.uid
                yield Gone(service=key, assignment=assignment, made_again=True)

    def _order(self, services: Services, key: ObjectKey) -> tuple[bool, bool, tuple[bool, str, ObjectKey]]:
        service = services.get(key)
        if service is None:
            return (False, False, (False, "", key))
        return (True, self._ledger.assignment(key) is None, age(service))

    def _step(self, services: Services, key: ObjectKey) -> Converged | Gone:
        service = services.get(key)
        if service is None:
            return Gone(service=key, assignment=self._let_go(key))
        before = self._ledger.assignment(key)
        result = converge(service, self._ledger, self._rules)
        self._freed |= result.freed
        after = self._ledger.assignment(key)
        if after is not None and after != before and after.tenancy.sharing_key:
            self._shareable.add(after.tenancy.terms)
        self._note(key, result)
        return Converged(service=service, result=result)

    def _note(self, key: ObjectKey, result: Convergence) -> None:
        if result.outcome is Outcome.REFUSED and result.refusal is not None:
            self._pending[key] = result.refusal
        else:
            self._pending.pop(key, None)
        if result.incomplete:
            self._incomplete.add(key)
        else:
            self._incomplete.discard(key)

    def _let_go(self, key: ObjectKey) -> Assignment | None:
        self._uids.pop(key, None)
        self._pending.pop(key, None)
        self._incomplete.discard(key)
        assignment = self._ledger.release(key)
        self._freed |= assignment is not None
        return assignment

    def _may_fit_now(self, services: Services) -> set[ObjectKey]:
        """Those that wait, and to whom it matters what has changed since they were asked last."""
        waiting = self._pending.keys() | self._incomplete
        freed, shareable = self._freed, self._shareable
        self._freed, self._shareable = False, set()
        if freed:
            return set(waiting)
        asked = {key: services[key] for key in waiting if key in services} if shareable else {}
        return {key for key, service in asked.items() if tenancy_of(service).terms in shareable}
