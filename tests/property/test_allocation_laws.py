"""Laws of the ledger: nobody shares what may not be shared, nothing moves, a refusal means that nothing fits."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.model import Pool
from orchestrator.decide.allocation import allocate
from orchestrator.decide.convergence import Rules, converge
from orchestrator.decide.intervals import Intervals
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import AllocationRefusal, AllocationRequest, request_of
from orchestrator.decide.sharing import sharing_refusal
from orchestrator.decide.space import is_buggy
from orchestrator.net.addresses import IpAddress, IpFamily
from orchestrator.resources.core import Service
from tests.property import strategies_decide as some

RULES = Rules()


def ledger_of(pools: Mapping[str, Pool], services: Sequence[Service]) -> Ledger:
    ledger = Ledger()
    ledger.set_pools(pools)
    for service in services:
        converge(service, ledger, RULES)
    return ledger


def usable(pool: Pool, family: IpFamily) -> Iterator[IpAddress]:
    for part in pool.ranges:
        if part.family is family:
            for number in range(part.size):
                address = part.first + number
                if not (pool.avoid_buggy_ips and is_buggy(address)):
                    yield address


@some.patiently
@given(some.pools(), st.lists(some.services(), max_size=12))
def test_no_address_has_two_incompatible_users(pools: dict[str, Pool], services: list[Service]) -> None:
    users = defaultdict(list)
    for assignment in ledger_of(pools, services).assignments.values():
        for address in assignment.addresses:
            users[address].append(assignment.tenancy)
    for sharing in users.values():
        for one, other in combinations(sharing, 2):
            assert one.sharing_key
            assert one.terms == other.terms
            assert not one.ports & other.ports


@some.patiently
@given(some.pools(), st.lists(some.services(), max_size=8), some.services("new"))
def test_the_lowest_address_that_fits_is_found(pools: dict[str, Pool], services: list[Service], new: Service) -> None:
    ledger = ledger_of(pools, services)
    request = request_of(new)
    assert isinstance(request, AllocationRequest)
    for pool in pools.values():
        for family in IpFamily:
            fitting = (
                address
                for address in usable(pool, family)
                if sharing_refusal(request.service, request.tenancy, address, ledger) is None
            )
            assert ledger.lowest(pool.name, family, request.tenancy) == next(fitting, None)


@some.patiently
@given(some.pools(), st.lists(some.services(), max_size=8), some.services("new"))
def test_refused_only_when_nothing_fits(pools: dict[str, Pool], services: list[Service], new: Service) -> None:
    ledger = ledger_of(pools, services)
    request = request_of(new)
    assert isinstance(request, AllocationRequest)
    result = allocate(request, ledger)
    if isinstance(result, Assignment):
        assert all(
            sharing_refusal(request.service, request.tenancy, address, ledger) is None for address in result.addresses
        )
    elif not request.addresses and not request.pool:
        assert not any(
            all(ledger.lowest(name, family, request.tenancy) for family in request.families)
            for name, pool in pools.items()
            if pool.auto_assign
        )


@some.patiently
@given(some.pools(), st.lists(some.services(), max_size=8))
def test_equal_events_give_equal_assignments(pools: dict[str, Pool], services: list[Service]) -> None:
    backwards = dict(reversed(pools.items()))
    assert ledger_of(pools, services).assignments == ledger_of(backwards, services).assignments


@some.patiently
@given(some.pools(), st.lists(some.services(), max_size=8, unique_by=lambda one: one.metadata.key), some.pools())
def test_held_addresses_stay_while_they_are_allowed(
    pools: dict[str, Pool], services: list[Service], added: dict[str, Pool]
) -> None:
    ledger = ledger_of(pools, services)
    before = dict(ledger.assignments)
    ledger.set_pools({**pools, **{name: pool for name, pool in added.items() if _apart(pool, pools)}})
    for service in services:
        converge(service, ledger, RULES)
    for key, assignment in before.items():
        now = ledger.assignment(key)
        assert now is not None
        assert now.addresses[: len(assignment.addresses)] == assignment.addresses


def _apart(pool: Pool, pools: Mapping[str, Pool]) -> bool:
    """Only pools that overlap with none are ever given to the ledger."""
    others = [part for other in pools.values() for part in other.ranges]
    return pool.name not in pools and not any(one.overlaps(other) for one in pool.ranges for other in others)


@some.patiently
@given(some.pools(), st.lists(some.services(), max_size=10), st.lists(some.keys), some.pools())
def test_rebuilt_ledger_equals_the_one_that_was_changed_in_place(
    pools: dict[str, Pool], services: list[Service], released: list[object], others: dict[str, Pool]
) -> None:
    ledger = ledger_of(pools, services)
    for key in list(ledger.assignments):
        if key in released:
            ledger.release(key)
    ledger.set_pools(others)
    ledger.set_pools(pools)
    fresh = Ledger()
    fresh.set_pools(pools)
    for assignment in ledger.assignments.values():
        fresh.hold(assignment)
    for name in pools:
        for family in IpFamily:
            assert ledger.usage(name, family) == fresh.usage(name, family)
            for service in services:
                request = request_of(service)
                assert not isinstance(request, AllocationRefusal)
                assert ledger.lowest(name, family, request.tenancy) == fresh.lowest(name, family, request.tenancy)


@some.patiently
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12))), st.integers(0, 13))
def test_intervals_equal_a_set(steps: list[tuple[bool, int]], start: int) -> None:
    intervals, reference = Intervals(), set[int]()
    for adds, number in steps:
        if adds:
            intervals.add(number)
            reference.add(number)
        else:
            intervals.discard(number)
            reference.discard(number)
    assert all((number in intervals) == (number in reference) for number in range(14))
    assert intervals.next_absent(start) == next(number for number in range(start, 15) if number not in reference)
