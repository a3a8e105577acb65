from typing import Any

import pytest

from orchestrator.config.model import AddressQuota, ServiceAllocation
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import AllocationRefusal, RefusalReason
from orchestrator.net.addresses import IpFamily
from orchestrator.resources.core import Service
from tests.support.allocating import (
    addresses,
    dual,
    give,
    ledger,
    reason,
    refused,
    reservation,
    reserve,
    sharing,
)
from tests.support.objects import key, labeled, pool, ref, service

V4, V6 = IpFamily.IPV4, IpFamily.IPV6


# Requested addresses --------------------------------------------------------------------------------------------------


def test_requested_address_is_given_even_without_auto_assign() -> None:
    target = ledger(pool("p", "10.0.0.0/24", auto_assign=False))
    assert addresses(give(target, service(load_balancer_ip="10.0.0.7"))) == ["10.0.0.7"]


def test_requested_pair_keeps_its_order() -> None:
    target = ledger(pool("p", "10.0.0.0/24", "2001:db8::/120"))
    wanted = dual("RequireDualStack", annotations={"metallb.io/loadBalancerIPs": "2001:db8::5, 10.0.0.5"})
    assert addresses(give(target, wanted)) == ["2001:db8::5", "10.0.0.5"]


@pytest.mark.parametrize(
    ("fields", "expected", "message"),
    [
        ({"load_balancer_ip": "10.9.0.1"}, RefusalReason.ADDRESS_NOT_IN_POOLS, '["10.9.0.1"] is not allowed in config'),
        (
            {"load_balancer_ip": "2001:db8::1"},
            RefusalReason.FAMILY_MISMATCH,
            'requested loadBalancer IP(s) ["2001:db8::1"] does not match the ipFamily of the service',
        ),
        (
            {"load_balancer_ip": "10.0.0.1", "annotations": {"metallb.io/address-pool": "q"}},
            RefusalReason.OTHER_POOL,
            'requested loadBalancer IP(s) ["10.0.0.1"] is not compatible with requested address pool q',
        ),
        ({"annotations": {"metallb.io/address-pool": "x"}}, RefusalReason.UNKNOWN_POOL, 'unknown pool "x"'),
        (
            {"load_balancer_ip": "10.1.0.1"},
            RefusalReason.POOL_NOT_FOR_SERVICE,
            "pool q not compatible for ip assignment",
        ),
    ],
)
def test_request_that_the_pools_cannot_meet_is_refused(
    fields: dict[str, Any], expected: RefusalReason, message: str
) -> None:
    closed = ServiceAllocation(namespaces=frozenset({"other"}))
    target = ledger(pool("p", "10.0.0.0/24", "2001:db8::/120"), pool("q", "10.1.0.0/24", service_allocation=closed))
    result = give(target, service(**fields))
    assert reason(result) is expected
    assert isinstance(result, AllocationRefusal)
    assert result.message.startswith(message)
    assert "; " in result.message


# Pools ----------------------------------------------------------------------------------------------------------------


def test_named_pool_ignores_auto_assign() -> None:
    target = ledger(pool("p", "10.0.0.0/24"), pool("q", "10.1.0.0/24", auto_assign=False))
    assert addresses(give(target, service(annotations={"metallb.io/address-pool": "q"}))) == ["10.1.0.0"]


@pytest.mark.parametrize(
    ("policy", "ranges", "expected"),
    [
        ("PreferDualStack", ("10.0.0.0/30", "2001:db8::/126"), ["10.0.0.0", "2001:db8::"]),
        ("PreferDualStack", ("2001:db8::/126",), ["2001:db8::"]),
        ("RequireDualStack", ("2001:db8::/126",), None),
        ("SingleStack", ("2001:db8::/126",), None),
    ],
)
def test_named_pool_gives_what_the_policy_admits(policy: str, ranges: tuple[str, ...], expected: object) -> None:
    result = give(ledger(pool("p", *ranges)), dual(policy, annotations={"metallb.io/address-pool": "p"}))
    if expected is None:
        assert reason(result) is RefusalReason.NO_AVAILABLE_ADDRESSES
    else:
        assert addresses(result) == expected


def test_pinned_pools_go_by_priority_with_0_last_and_before_all_others() -> None:
    everybody = [
        pool("a", "10.0.0.0/32"),
        pool("b", "10.0.1.0/32", service_allocation=ServiceAllocation(priority=0)),
        pool("c", "10.0.2.0/32", service_allocation=ServiceAllocation(priority=20)),
        pool("d", "10.0.3.0/32", service_allocation=ServiceAllocation(priority=10)),
        pool("e", "10.0.4.0/32", auto_assign=False),
    ]
    target = ledger(*everybody)
    given = [addresses(give(target, service(f"s{index}")))[0] for index in range(4)]
    assert given == ["10.0.3.0", "10.0.2.0", "10.0.1.0", "10.0.0.0"]
    assert reason(give(target, service("late"))) is RefusalReason.NO_AVAILABLE_ADDRESSES


def test_pools_of_equal_rank_go_by_name() -> None:
    target = ledger(pool("b", "10.0.0.0/24"), pool("a", "10.1.0.0/24"))
    assert addresses(give(target, service())) == ["10.1.0.0"]


@pytest.mark.parametrize(
    ("allocation", "fits"),
    [
        (ServiceAllocation(), True),
        (ServiceAllocation(namespaces=frozenset({"default"})), True),
        (ServiceAllocation(namespaces=frozenset()), False),
        (ServiceAllocation(service_selectors=(labeled(app="x"), labeled(app="web"))), True),
        (ServiceAllocation(service_selectors=(labeled(app="x"),)), False),
        (ServiceAllocation(namespaces=frozenset({"other"}), service_selectors=(labeled(app="web"),)), False),
    ],
)
def test_service_allocation_needs_namespace_and_labels(allocation: ServiceAllocation, fits: bool) -> None:
    target = ledger(pool("p", "10.0.0.0/24", service_allocation=allocation))
    assert isinstance(give(target, service(labels={"app": "web"})), Assignment) is fits


def test_dual_stack_comes_from_one_pool() -> None:
    target = ledger(pool("a", "10.0.0.0/24"), pool("b", "10.1.0.0/24", "2001:db8::/120"))
    assert addresses(give(target, dual("RequireDualStack"))) == ["10.1.0.0", "2001:db8::"]


@pytest.mark.parametrize(("primary", "expected"), [("IPv4", "10.0.0.0"), ("IPv6", "2001:db8::")])
def test_prefer_dual_stack_falls_back_to_the_primary_family(primary: str, expected: str) -> None:
    target = ledger(pool("a", "10.0.0.0/24"), pool("b", "2001:db8::/120"))
    assert addresses(give(target, dual("PreferDualStack", ip_families=(primary,)))) == [expected]


# Sharing --------------------------------------------------------------------------------------------------------------


def test_shared_key_with_other_port_gets_the_same_address() -> None:
    target = ledger(pool("p", "10.0.0.0/24"))
    assert addresses(give(target, sharing("a", 80))) == addresses(give(target, sharing("b", 443)))


def test_shared_key_with_same_port_gets_another_address() -> None:
    target = ledger(pool("p", "10.0.0.0/24"))
    give(target, sharing("a", 80))
    assert addresses(give(target, sharing("b", 80))) == ["10.0.0.1"]


def test_shared_key_with_same_port_is_refused_on_a_requested_address() -> None:
    target = ledger(pool("p", "10.0.0.0/24"))
    give(target, sharing("a", 80))
    result = give(target, sharing("b", 80, load_balancer_ip="10.0.0.0"))
    assert reason(result) is RefusalReason.PORT_IN_USE
    assert isinstance(result, AllocationRefusal)
    assert result.message.startswith('port TCP/80 is already in use on "10.0.0.0"')


@pytest.mark.parametrize(
    "other",
    [
        sharing("b", 443, key="other"),
        service("b", ports=(443,)),
        sharing("b", 443, external_traffic_policy="Local", selector={"app": "b"}),
    ],
)
def test_other_terms_are_refused_on_a_shared_address(other: Service) -> None:
    target = ledger(pool("p", "10.0.0.0/32"))
    give(target, sharing("a", 80))
    assert reason(give(target, other)) is RefusalReason.NO_AVAILABLE_ADDRESSES


def test_local_services_share_only_with_equal_selectors_in_one_namespace() -> None:
    target = ledger(pool("p", "10.0.0.0/24"))
    local: dict[str, Any] = {"external_traffic_policy": "Local", "selector": {"app": "x"}}
    first = addresses(give(target, sharing("a", 80, **local)))
    assert addresses(give(target, sharing("b", 443, **local))) == first
    assert addresses(give(target, sharing("c", 8080, namespace="other", **local))) != first


# Reservations ---------------------------------------------------------------------------------------------------------


def test_reserved_address_is_given_to_its_service_and_to_nobody_else() -> None:
    target = reserve(ledger(pool("p", "10.0.0.0/31")), reservation("r", "10.0.0.0/32", service=key("web")))
    assert addresses(give(target, service("a"))) == ["10.0.0.1"]
    assert refused(give(target, service("b"))) == (
        RefusalReason.RESERVED,
        '"10.0.0.0" is reserved for default/web by AddressReservation r; take another address, or change the reservation',
    )
    assert refused(give(target, service("b", load_balancer_ip="10.0.0.0")))[0] is RefusalReason.RESERVED
    assert addresses(give(target, service("web"))) == ["10.0.0.0"]


def test_reserved_address_goes_before_pools_and_needs_no_auto_assign() -> None:
    target = ledger(pool("a", "10.0.0.0/24"), pool("b", "10.1.0.0/24", auto_assign=False))
    reserve(target, reservation("r", "10.1.0.7/32", namespaces=frozenset({"default"})))
    assert addresses(give(target, service("x"))) == ["10.1.0.7"]
    assert addresses(give(target, service("y"))) == ["10.0.0.0"]


@pytest.mark.parametrize(
    ("fields", "extra"),
    [
        ({}, {"service_allocation": ServiceAllocation(namespaces=frozenset({"other"}))}),
        ({}, {"draining": True}),
        ({"annotations": {"metallb.io/address-pool": "a"}}, {}),
        ({"load_balancer_ip": "10.0.0.0"}, {}),
    ],
)
def test_reserved_address_that_its_pool_may_not_give_is_passed_over(
    fields: dict[str, Any], extra: dict[str, Any]
) -> None:
    target = ledger(pool("a", "10.0.0.0/24"), pool("b", "10.1.0.0/24", **extra))
    reserve(target, reservation("r", "10.1.0.7/32", service=key("web")))
    assert addresses(give(target, service("web", **fields))) == ["10.0.0.0"]


def test_reserved_address_is_shared_only_among_those_it_is_for() -> None:
    target = reserve(ledger(pool("p", "10.0.0.0/24")), reservation("r", "10.0.0.0/32", namespaces=frozenset({"a"})))
    assert addresses(give(target, sharing("x", 80, namespace="a"))) == ["10.0.0.0"]
    assert addresses(give(target, sharing("y", 443, namespace="b"))) == ["10.0.0.1"]
    assert addresses(give(target, sharing("z", 443, namespace="a"))) == ["10.0.0.0"]


def test_dual_stack_service_gets_its_other_family_from_the_pool_of_the_reserved_address() -> None:
    target = ledger(pool("a", "10.0.0.0/24"), pool("b", "10.1.0.0/24", "2001:db8::/120"))
    reserve(target, reservation("r", "10.1.0.7/32", service=key("web")))
    assert addresses(give(target, dual("RequireDualStack", name="web"))) == ["10.1.0.7", "2001:db8::"]


def test_reservations_leave_a_pool_that_avoids_buggy_addresses_its_numbers() -> None:
    target = ledger(pool("p", "10.0.0.254-10.0.1.2", avoid_buggy_ips=True))
    reserve(target, reservation("r", "10.0.0.254-10.0.1.1", service=key("web")))
    assert addresses(give(target, service("a"))) == ["10.0.1.2"]
    assert addresses(give(target, service("web"))) == ["10.0.0.254"]


# Draining -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields", [{}, {"annotations": {"metallb.io/address-pool": "p"}}, {"load_balancer_ip": "10.0.0.1"}]
)
def test_draining_pool_gives_nothing(fields: dict[str, Any]) -> None:
    reason, message = refused(give(ledger(pool("p", "10.0.0.0/24", draining=True)), service(**fields)))
    assert reason is RefusalReason.POOL_DRAINING
    assert "pool p is draining" in message


def test_pool_that_is_not_draining_gives_instead() -> None:
    target = ledger(pool("a", "10.0.0.0/24", draining=True), pool("b", "10.1.0.0/24"))
    assert addresses(give(target, service())) == ["10.1.0.0"]


# Quotas ---------------------------------------------------------------------------------------------------------------


def limit(target: Ledger, v4: int | None = None, v6: int | None = None) -> Ledger:
    limits = {family: number for family, number in ((V4, v4), (V6, v6)) if number is not None}
    target.set_quotas({"q": AddressQuota(name="q", origin=ref("AddressQuota", "q"), limits=limits)})
    return target


def test_used_up_quota_refuses_whatever_is_free() -> None:
    target = limit(ledger(pool("p", "10.0.0.0/24")), v4=1)
    give(target, service("a"))
    for fields in ({}, {"load_balancer_ip": "10.0.0.9"}, {"annotations": {"metallb.io/address-pool": "p"}}):
        reason, message = refused(give(target, service("b", **fields)))
        assert reason is RefusalReason.QUOTA_EXCEEDED
        assert message.startswith("AddressQuota q: namespace default uses 1 of 1 IPv4 addresses")
    assert addresses(give(target, service("b", namespace="other"))) == ["10.0.0.1"]


def test_with_a_used_up_quota_an_address_of_the_namespace_is_shared() -> None:
    target = limit(ledger(pool("p", "10.0.0.0/24")), v4=1)
    give(target, sharing("a", 80, load_balancer_ip="10.0.0.9"))
    assert addresses(give(target, sharing("b", 443))) == ["10.0.0.9"]
    assert refused(give(target, sharing("c", 80)))[0] is RefusalReason.QUOTA_EXCEEDED


def test_family_whose_quota_is_used_up_counts_as_not_offered() -> None:
    target = limit(ledger(pool("p", "10.0.0.0/24", "2001:db8::/120")), v4=0)
    assert addresses(give(target, dual("PreferDualStack", name="a"))) == ["2001:db8::"]
    assert refused(give(target, dual("RequireDualStack", name="b")))[0] is RefusalReason.QUOTA_EXCEEDED


def test_quota_is_not_blamed_for_a_full_pool() -> None:
    target = limit(ledger(pool("p", "10.0.0.0/32")), v4=1)
    give(target, service("a"))
    assert refused(give(target, service("b")))[0] is RefusalReason.NO_AVAILABLE_ADDRESSES
