from typing import Any

import pytest

from orchestrator.config.claims import Claims, Knowledge
from orchestrator.config.model import LastGood, ServiceAllocation
from orchestrator.config.pools import Draft, claims_of, settle
from orchestrator.resources.core import Namespace
from orchestrator.resources.meta import ObjectMeta
from orchestrator.resources.metallb import IPAddressPool
from orchestrator.resources.metallb import ServiceAllocation as AllocationSpec
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import labeled, named, pool_object

OLD, YOUNG = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def claims(*pools: IPAddressPool, last_good: LastGood | None = None) -> Claims[Draft]:
    namespaces = {name: Namespace(metadata=ObjectMeta(name=name, labels={"team": name})) for name in ("red", "blue")}
    return claims_of(Knowledge(ClusterSnapshot(pools=named(*pools), namespaces=namespaces), last_good or {}))


def test_ranges_stay_in_the_order_of_the_spec() -> None:
    draft = claims(pool_object("p", "10.0.1.7/24", "10.0.0.1 - 10.0.0.3", "2001:db8::/64")).served[0].variants[0]
    assert [str(part) for part in draft.pool.ranges] == [
        "10.0.1.0-10.0.1.255",
        "10.0.0.1-10.0.0.3",
        "2001:db8::-2001:db8::ffff:ffff:ffff:ffff",
    ]


@pytest.mark.parametrize(
    ("addresses", "field", "message"),
    [
        ((), "spec.addresses", "pool has no prefixes defined"),
        (("10.0.0.1",), "spec.addresses[0]", 'invalid CIDR "10.0.0.1" in pool "p"'),
        (("10.0.0.0/24", "10.0.1.9-10.0.1.1"), "spec.addresses[1]", 'invalid IP range "10.0.1.9-10.0.1.1" in pool "p"'),
        (("10.0.0.1-2001:db8::1",), "spec.addresses[0]", "invalid IP range"),
        (
            ("10.0.0.0/24", "10.0.0.8/30"),
            "spec.addresses[1]",
            'CIDR "10.0.0.8/30" in pool "p" overlaps with already defined CIDR "10.0.0.0/24"',
        ),
    ],
)
def test_bad_addresses_are_refused_with_their_place(addresses: tuple[str, ...], field: str, message: str) -> None:
    found = claims(pool_object("p", *addresses))
    assert not found.served
    assert [problem.field for problem in found.problems] == [field]
    assert found.problems[0].message.startswith(message)


@pytest.mark.parametrize(
    ("spec", "namespaces"),
    [
        ({}, None),
        ({"namespaces": ("green",)}, {"green"}),
        ({"namespaces": ("green",), "namespace_selectors": (labeled(team="red"),)}, {"green", "red"}),
        ({"namespace_selectors": (labeled(team="none"),)}, frozenset()),
    ],
)
def test_namespaces_are_names_and_selected_ones(spec: dict[str, Any], namespaces: object) -> None:
    draft = claims(pool_object("p", "10.0.0.0/24", service_allocation=AllocationSpec(priority=3, **spec)))
    allocation = draft.served[0].variants[0].pool.service_allocation
    assert isinstance(allocation, ServiceAllocation)
    assert (allocation.priority, allocation.namespaces) == (3, namespaces)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"namespaces": ("a", "a")}, "spec.serviceAllocation.namespaces"),
        ({"priority": -1}, "spec.serviceAllocation.priority"),
        (
            {"service_selectors": (labeled(a="b"), labeled(a="b"))},
            "spec.serviceAllocation.serviceSelectors[1]",
        ),
    ],
)
def test_bad_service_allocation_is_refused(spec: dict[str, Any], field: str) -> None:
    found = claims(pool_object("p", "10.0.0.0/24", service_allocation=AllocationSpec(**spec)))
    assert [problem.field for problem in found.problems] == [field]
    assert not found.served


def test_younger_of_two_overlapping_pools_is_left_out() -> None:
    kept, problems, _ = settle(
        claims(pool_object("a", "10.0.0.0/24", created=YOUNG), pool_object("b", "10.0.0.128/25", created=OLD))
    )
    assert list(kept) == ["b"]
    assert [(problem.ref.name, problem.field) for problem in problems] == [("a", "spec.addresses[0]")]
    assert problems[0].message.startswith(
        'CIDR "10.0.0.0/24" in pool "a" overlaps with already defined CIDR "10.0.0.128/25" of pool "b"'
    )


def test_pool_grown_into_another_keeps_its_last_good_ranges() -> None:
    other = pool_object("b", "10.0.1.0/24")
    _, _, memory = settle(claims(pool_object("a", "10.0.0.0/24"), other))
    kept, problems, after = settle(claims(pool_object("a", "10.0.0.0/23"), other, last_good=memory))
    assert [str(part) for part in kept["a"].pool.ranges] == ["10.0.0.0-10.0.0.255"]
    assert [problem.ref.name for problem in problems] == ["a"]
    assert after == memory


def test_pool_that_shrank_remembers_what_it_had() -> None:
    _, _, memory = settle(claims(pool_object("a", "10.0.0.0/24", "10.0.1.0/24")))
    kept, problems, _ = settle(claims(pool_object("a", "10.0.0.0/24"), last_good=memory))
    assert [str(part) for part in kept["a"].pool.ranges] == ["10.0.0.0-10.0.0.255"]
    assert [str(part) for part in kept["a"].pool.former_ranges] == ["10.0.1.0-10.0.1.255"]
    assert not problems


def test_neighboring_pools_do_not_overlap() -> None:
    kept, problems, _ = settle(claims(pool_object("a", "10.0.0.0/25"), pool_object("b", "10.0.0.128/25")))
    assert len(kept) == 2
    assert not problems


def test_pool_drains_with_the_spec_that_says_so() -> None:
    calm, draining = pool_object("a", "10.0.0.0/24"), pool_object("a", "10.0.0.0/24", draining=True)
    kept, _, memory = settle(claims(draining))
    assert kept["a"].pool.draining
    assert not settle(claims(calm, last_good=memory))[0]["a"].pool.draining


def test_broken_pool_drains_if_its_last_good_spec_said_so() -> None:
    _, _, memory = settle(claims(pool_object("a", "10.0.0.0/24", draining=True)))
    kept, _, _ = settle(claims(pool_object("a", "nonsense"), last_good=memory))
    assert kept["a"].pool.draining
    _, _, memory = settle(claims(pool_object("a", "10.0.0.0/24")))
    kept, _, _ = settle(claims(pool_object("a", "nonsense", draining=True), last_good=memory))
    assert not kept["a"].pool.draining


def test_draining_costs_a_pool_nothing_though_an_older_one_wants_its_ranges() -> None:
    _, _, memory = settle(claims(pool_object("a", "10.0.0.0/24", created=YOUNG)))
    older = pool_object("b", "10.0.0.0/16", created=OLD)
    kept, _, _ = settle(claims(pool_object("a", "10.0.0.0/24", created=YOUNG, draining=True), older, last_good=memory))
    assert list(kept) == ["a"]
    assert kept["a"].pool.draining
