"""The ledger under every order of events: a cluster of few names and few addresses, in which everything collides.

The machine is the API server and the world. It hands objects to an Allocator as the controller does, late, twice, or
never, and writes what comes out into the statuses, or loses it. `Naive` says what is right.
"""

from collections.abc import Collection
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestrator.config.model import AddressQuota, Config, Pool, QuotaScope, Reservation
from orchestrator.decide.allocator import Allocator, Converged
from orchestrator.decide.annotations import ALLOCATED_FROM_POOL
from orchestrator.decide.convergence import Outcome, Rules
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import AllocationRequest, request_of
from orchestrator.decide.space import Tenancy
from orchestrator.net.addresses import IpAddress, IpFamily
from orchestrator.resources.core import LoadBalancerIngress, LoadBalancerStatus, Service, ServiceStatus
from orchestrator.resources.meta import ObjectKey
from tests.property.strategies_ledger import (
    ADDRESSES,
    KEYS,
    Change,
    changes,
    often,
    pools,
    quotas,
    reservations,
    seldom,
    specs,
)
from tests.support.naive_allocation import Naive, compatible
from tests.support.objects import service

TERMS = [
    Tenancy(),
    Tenancy(sharing_key="k", ports=frozenset({("TCP", 80)})),
    Tenancy(sharing_key="l", ports=frozenset({("TCP", 443)})),
]
MOST_ROUNDS = 8


class LedgerMachine(RuleBasedStateMachine):
    """`cluster` is what the API server has, `seen` what the controller was told of it."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster: dict[ObjectKey, Service] = {}
        self.seen: dict[ObjectKey, Service] = {}
        self.dirty: set[ObjectKey] = set()
        self.config = Config()
        self.now = 1000.0
        self.born = 0
        self.cool_down_s = self.sticky_s = 0.0
        self.ledger = Ledger()
        self.allocator = Allocator(self.ledger, Rules())

    @initialize(
        times=st.sampled_from([(0.0, 0.0), (60.0, 0.0), (60.0, 30.0), (60.0, 300.0)]),
        configured=st.tuples(pools("p"), pools("q"), reservations("s"), quotas("u")),
        limited=seldom,
        wanted=st.dictionaries(st.sampled_from(KEYS), specs(), min_size=3),
    )
    def begin(
        self,
        times: tuple[float, float],
        configured: tuple[Pool, Pool, Reservation, AddressQuota],
        limited: bool,
        wanted: dict[ObjectKey, dict[str, Any]],
    ) -> None:
        for name, spec in wanted.items():
            self._create(name, spec)
        p, q, s, u = configured
        self.cool_down_s, self.sticky_s = times
        self.config = Config(pools={"p": p, "q": q}, reservations={"s": s}, quotas={"u": u} if limited else {})
        self._start()

    def _start(self) -> None:
        """As a controller does that begins to lead."""
        remembered = self.ledger.releases
        self.ledger = Ledger(self.cool_down_s, self.sticky_s)
        self.allocator = Allocator(self.ledger, Rules())
        self.seen = dict(self.cluster)
        self.allocator.pass_time(self.now)
        self.allocator.configure(self.config)
        self.allocator.adopt(self.seen.values())
        self.ledger.remember(remembered)
        self.dirty = set(self.seen)

    # Users ------------------------------------------------------------------------------------------------------------

    @rule(wanted=st.dictionaries(st.sampled_from(KEYS), specs(), min_size=1, max_size=3), told=often)
    def create_or_change(self, wanted: dict[ObjectKey, dict[str, Any]], told: bool) -> None:
        for name, spec in wanted.items():
            self._create(name, spec)
        self._tell(wanted, told)

    def _create(self, name: ObjectKey, spec: dict[str, Any]) -> None:
        """Deleted and made again unseen if it changes its class, which Kubernetes would not let it."""
        before = self.cluster.get(name)
        new = service(name.name, name.namespace, **spec)
        if before is None or before.spec.load_balancer_class != new.spec.load_balancer_class:
            self.born += 1
            created = f"2026-01-01T00:00:{self.born % 60:02}Z"
            self._put(new, uid=str(self.born), creation_timestamp=created)
            return
        written = {at: text for at, text in before.metadata.annotations.items() if at == ALLOCATED_FROM_POOL}
        new = msgspec.structs.replace(new, status=before.status)
        self._put(
            new,
            uid=before.metadata.uid,
            creation_timestamp=before.metadata.creation_timestamp,
            annotations={**new.metadata.annotations, **written},
        )

    def _put(self, target: Service, **metadata: Any) -> None:
        target = msgspec.structs.replace(target, metadata=msgspec.structs.replace(target.metadata, **metadata))
        self.cluster[target.metadata.key] = target

    @rule(name=st.sampled_from(KEYS), told=often)
    def delete(self, name: ObjectKey, told: bool) -> None:
        self.cluster.pop(name, None)
        self._tell([name], told)

    def _tell(self, names: Collection[ObjectKey], told: bool) -> None:
        if told:
            for name in names:
                self.event_arrives(name)
            self._round(())

    @rule(name=st.sampled_from(KEYS), texts=st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True))
    def somebody_else_writes_a_status(self, name: ObjectKey, texts: list[str]) -> None:
        """Another class' controller, or a person's edit of what is ours."""
        if name in self.cluster:
            self._write(self.cluster[name], tuple(LoadBalancerIngress(ip=text) for text in texts), None)

    def _write(self, target: Service, ingress: tuple[LoadBalancerIngress, ...], allocated_from: str | None) -> None:
        annotations = {at: text for at, text in target.metadata.annotations.items() if at != ALLOCATED_FROM_POOL}
        if allocated_from is not None:
            annotations[ALLOCATED_FROM_POOL] = allocated_from
        status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=ingress))
        self._put(msgspec.structs.replace(target, status=status), annotations=annotations)

    # Configuration ------------------------------------------------------------------------------------------------------

    @rule(change=changes)
    def change_configuration(self, change: Change) -> None:
        kind, name, part = change
        others = {each: value for each, value in getattr(self.config, kind).items() if each != name}
        self._configure(**{kind: others if part is None else {**others, name: part}})

    def _configure(self, **fields: Any) -> None:
        self.config = replace(self.config, **fields)
        self.allocator.configure(self.config)
        self._round(self.seen.keys())

    # Time and failure ---------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1.0, 29.0, 61.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.allocator.pass_time(self.now)

    @rule()
    def removed_pools_are_held_long_enough(self) -> None:
        orphans = self.ledger.orphans
        self.allocator.expire(orphans)
        self._round(orphans)

    @rule()
    def another_leads(self) -> None:
        self._start()
        self._round(())

    @rule(name=st.sampled_from(KEYS))
    def event_arrives(self, name: ObjectKey) -> None:
        """Once more, if nothing has changed."""
        self.dirty.add(name)
        if name in self.cluster:
            self.seen[name] = self.cluster[name]
        else:
            self.seen.pop(name, None)

    @rule(names=st.sets(st.sampled_from(KEYS)), lost=seldom)
    def round_of(self, names: set[ObjectKey], lost: bool) -> None:
        """Of Services as they were seen last; what comes out may be lost, and is tried again."""
        self._round(names, lost=lost)

    @rule()
    def everything_settles(self) -> None:
        for _ in range(MOST_ROUNDS):
            for name in KEYS:
                self.event_arrives(name)
            if not self._round(()):
                break
        else:
            raise AssertionError("it never comes to rest")
        self._reasons_are_true()
        self._index_is_right()
        for name, assignment in self.ledger.assignments.items():
            if not assignment.tenancy.foreign:
                status = self.cluster[name].status.load_balancer.ingress
                assert [entry.ip for entry in status] == [str(address) for address in assignment.addresses]

    # What the controller does -------------------------------------------------------------------------------------------

    def _round(self, names: Collection[ObjectKey], *, lost: bool = False) -> int:
        """Return how many statuses were written."""
        dirty, self.dirty = {*names, *self.dirty}, set()
        written = 0
        before = self._naive()
        remembered = self._remembered()
        for step in self.allocator.round(self.seen, dirty):
            after = self._naive()
            if isinstance(step, Converged):
                self._step_is_right(step, before, after, remembered)
                written += self._carry_out(step, lost=lost)
            before, remembered = after, self._remembered()
        self._nothing_that_fits_waits()
        return written

    def _carry_out(self, step: Converged, *, lost: bool) -> bool:
        name = step.service.metadata.key
        if not step.result.differs_from(step.service):
            return False
        present = self.cluster.get(name)
        if lost:
            self.dirty.add(name)
        elif present is not None and present.metadata.uid == step.service.metadata.uid:
            self._write(present, step.result.ingress or (), step.result.pool)
        return True

    # What is right --------------------------------------------------------------------------------------------------------

    def _naive(self) -> Naive:
        kept = {each.address: self.ledger.kept_for(each.address) for each in self.ledger.releases}
        return Naive(config=self.config, assignments=dict(self.ledger.assignments), kept=kept)

    def _remembered(self) -> set[tuple[IpAddress, ObjectKey]]:
        return {(each.address, each.service) for each in self.ledger.releases}

    def _step_is_right(
        self, step: Converged, before: Naive, after: Naive, remembered: set[tuple[IpAddress, ObjectKey]]
    ) -> None:
        name, request = step.service.metadata.key, request_of(step.service)
        if step.result.outcome in (Outcome.NOT_OURS, Outcome.CLEARED):
            return
        had, has = before.assignments.get(name), after.assignments.get(name)
        if isinstance(request, AllocationRequest) and had is not None and not had.tenancy.foreign:
            kept = before.may_keep(request, had) or not self.config.pools
            assert not kept or (has is not None and has.addresses[: len(had.addresses)] == had.addresses)
        if has is None or not isinstance(request, AllocationRequest):
            return
        of_status = {entry.ip for entry in step.service.status.load_balancer.ingress}
        gained = [
            each for each in has.addresses if str(each) not in of_status and (had is None or each not in had.addresses)
        ]
        for address in gained:
            self._gain_is_right(request, address, before.without(name), remembered)

    def _gain_is_right(
        self,
        request: AllocationRequest,
        address: IpAddress,
        before: Naive,
        remembered: set[tuple[IpAddress, ObjectKey]],
    ) -> None:
        target = before.pool_of(address)
        assert target is not None
        asked = replace(request, addresses=(*request.addresses, address))
        assert before.may_take(asked, target, address), (request, address)
        resting = {each for each, _ in remembered}
        own = (address, request.service) in remembered or before.reservation_of(address) is not None
        if own or address not in resting or before.users(address) or request.addresses or len(request.families) > 1:
            return
        fresh = [
            each
            for pool in self.config.pools.values()
            for each in before.addresses(pool, request.families[0])
            if each not in resting and before.may_take(request, pool, each)
        ]
        assert not fresh, f"{address} rests, {fresh} do not"

    def _nothing_that_fits_waits(self) -> None:
        now = self._naive()
        for name, refusal in self.allocator.pending.items():
            request = request_of(self.seen[name])
            if isinstance(request, AllocationRequest):
                assert not now.can_be_served(request), (name, refusal)

    def _reasons_are_true(self) -> None:
        now = self._naive()
        for name, refusal in self.allocator.pending.items():
            request = request_of(self.seen[name])
            if isinstance(request, AllocationRequest):
                assert now.explains(request, refusal.reason), (name, refusal)
        ours = {name for name, each in self.seen.items() if each.spec.load_balancer_class is None}
        waiting = {
            name for name in ours if self.seen[name].spec.type == "LoadBalancer"
        } - self.ledger.assignments.keys()
        assert waiting == {name for name in self.allocator.pending if name not in self.ledger.assignments}

    def _index_is_right(self) -> None:
        """A ledger that is told everything at once answers as this one does."""
        fresh = Ledger(self.cool_down_s, self.sticky_s)
        fresh.pass_time(self.now)
        Allocator(fresh, Rules()).configure(self.config)
        for assignment in self.ledger.assignments.values():
            fresh.hold(assignment)
        fresh.remember(self.ledger.releases)
        for name, family in product(self.config.pools, IpFamily):
            mine, other = self.ledger.space(name, family), fresh.space(name, family)
            assert mine.used == other.used
            for tenancy, within in product(TERMS, (None, mine.everything)):
                assert mine.lowest(tenancy, within) == other.lowest(tenancy, within)
                assert list(mine.shareable(tenancy, within)) == list(other.shareable(tenancy, within))
            assert (mine.longest_rested() is None) == (other.longest_rested() is None)

    @invariant()
    def no_address_has_two_incompatible_users(self) -> None:
        by_address: dict[IpAddress, list[Assignment]] = {}
        for assignment in self.ledger.assignments.values():
            for address in assignment.addresses if not assignment.tenancy.foreign else ():
                by_address.setdefault(address, []).append(assignment)
        for sharing in by_address.values():
            assert all(compatible(one.tenancy, other.tenancy) for one, other in combinations(sharing, 2))

    @invariant()
    def quotas_count_what_is_held(self) -> None:
        now = self._naive()
        for name, quota in self.config.quotas.items():
            used = self.ledger.quotas.usage(name)
            for namespace in ("default", "other") if quota.scope is QuotaScope.NAMESPACE else ():
                if quota.namespaces is None or namespace in quota.namespaces:
                    for family in IpFamily:
                        counted = len(now.counted(quota, namespace, family))
                        assert used.namespaces.get(namespace, {}).get(family, 0) == counted


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    deadline=None,
    max_examples=60,
    stateful_step_count=40,
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
        Phase.shrink,
    ],  # to explain, every line is traced: 10 times slower
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
