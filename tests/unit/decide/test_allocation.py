from typing import Any

import pytest

from orchestrator.config.model import AddressQuota, Pool, Reservation, ServiceAllocation
from orchestrator.decide.allocation import allocate
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import AllocationRefusal, AllocationRequest, RefusalReason, request_of
from orchestrator.net.addresses import IpFamily, parse_range
from orchestrator.resources.core import Service
from tests.support.objects import key, labeled, pool, pools, ref, service

V4, V6 = IpFamily.IPV4, IpFamily.IPV6


def ledger(*all_pools: Pool) -> Ledger:
    result = Ledger()
    result.set_pools(pools(*all_pools))
    return result


def request(target: Service) -> AllocationRequest:
    result = request_of(target)
    assert isinstance(result, AllocationRequest)
    return result


def give(target: Ledger, wanted: Service) -> Assignment | AllocationRefusal:
    """Allocate and hold."""
    result = allocate(request(wanted), target)
    if isinstance(result, Assignment):
        target.hold(result)
    return result


def addresses(result: Assignment | AllocationRefusal) -> list[str]:
    assert isinstance(result, Assignment), result
    return [str(address) for address in result.addresses]


def reason(result: object) -> RefusalReason:
    assert isinstance(result, AllocationRefusal), result
    return result.reason


def dual(policy: str, **fields: Any) -> Service:
    return service(**{"cluster_ips": ("10.96.0.1", "fd00::1"), "ip_family_policy": policy, **fields})


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


def sharing(name: str, port: int, key: str = "k", **fields: Any) -> Service:
    return service(name, ports=(port,), annotations={"metallb.io/allow-shared-ip": key}, **fields)


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


def reservation(name: str, *ranges: str, **fields: Any) -> Reservation:
    parts = tuple(parse_range(text) for text in ranges)
    return Reservation(name=name, origin=ref("AddressReservation", name), ranges=parts, **fields)


def reserve(target: Ledger, *reservations: Reservation) -> Ledger:
    target.set_reservations({each.name: each for each in reservations})
    return target


def refused(result: Assignment | AllocationRefusal) -> tuple[RefusalReason, str]:
    assert isinstance(result, AllocationRefusal), result
    return result.reason, result.message


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


# Released addresses -------------------------------------------------------------------------------------------------


def remembering(*all_pools: Pool, cool_down_s: float = 60.0, sticky_s: float = 0.0) -> Ledger:
    result = Ledger(cool_down_s, sticky_s)
    result.pass_time(1000.0)
    result.set_pools(pools(*all_pools))
    return result


def test_address_that_rests_is_taken_last_and_the_longest_rested_first() -> None:
    target = remembering(pool("p", "10.0.0.0/30"), pool("q", "10.1.0.0/32"))
    for name in "abc":
        give(target, service(name))
    for name in "bac":
        target.release(key(name))
    given = [addresses(give(target, service(name)))[0] for name in "vwxyz"]
    assert given == ["10.0.0.3", "10.1.0.0", "10.0.0.1", "10.0.0.0", "10.0.0.2"]


def test_rested_address_is_as_good_as_others() -> None:
    target = remembering(pool("p", "10.0.0.0/30"))
    give(target, service("a"))
    target.release(key("a"))
    target.pass_time(1060.0)
    assert addresses(give(target, service("b"))) == ["10.0.0.0"]


def test_service_made_again_gets_its_address_back() -> None:
    target = remembering(pool("p", "10.0.0.0/30", "2001:db8::/126"))
    give(target, dual("RequireDualStack", name="a", annotations={"metallb.io/loadBalancerIPs": "10.0.0.2,2001:db8::3"}))
    target.release(key("a"))
    assert addresses(give(target, dual("PreferDualStack", name="a"))) == ["10.0.0.2", "2001:db8::3"]


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({"load_balancer_ip": "10.0.0.1"}, {}),
        ({"annotations": {"metallb.io/address-pool": "q"}}, {}),
        ({}, {"auto_assign": False}),
        ({}, {"draining": True}),
        ({}, {"service_allocation": ServiceAllocation(namespaces=frozenset({"other"}))}),
        ({"cluster_ip": "fd00::1"}, {}),
    ],
)
def test_former_address_is_not_given_back_against_the_rules(fields: dict[str, Any], change: dict[str, Any]) -> None:
    q = pool("q", "10.1.0.0/30", "2001:db8::/126")
    target = remembering(pool("p", "10.0.0.0/30"), q)
    give(target, service("a", load_balancer_ip="10.0.0.3"))
    target.release(key("a"))
    target.set_pools(pools(pool("p", "10.0.0.0/30", **change), q))
    result = give(target, service("a", **fields))
    assert isinstance(result, Assignment)
    assert "10.0.0.3" not in addresses(result)


def test_former_address_that_is_shared_by_now_is_given_back_if_it_can_be_shared() -> None:
    target = remembering(pool("p", "10.0.0.0/30"))
    give(target, sharing("a", 80, load_balancer_ip="10.0.0.3"))
    give(target, sharing("b", 443, load_balancer_ip="10.0.0.3"))
    target.release(key("a"))
    assert addresses(give(target, sharing("a", 80))) == ["10.0.0.3"]


def test_sticky_address_is_given_to_nobody_else_before_its_time() -> None:
    target = remembering(pool("p", "10.0.0.0/32"), sticky_s=300.0)
    give(target, service("a"))
    target.release(key("a"))
    assert refused(give(target, service("b")))[0] is RefusalReason.NO_AVAILABLE_ADDRESSES
    reason, message = refused(give(target, service("b", load_balancer_ip="10.0.0.0")))
    assert reason is RefusalReason.RESERVED
    assert message.startswith('"10.0.0.0" is kept for default/a')
    assert target.pass_time(1300.0)
    assert addresses(give(target, service("b"))) == ["10.0.0.0"]


def test_address_kept_for_a_service_is_found_whichever_it_had_last() -> None:
    target = remembering(pool("p", "10.0.0.0/32"), pool("q", "10.1.0.0/32"), sticky_s=300.0)
    for wanted in ("10.0.0.0", "10.1.0.0"):
        give(target, service("a", load_balancer_ip=wanted))
    target.release(key("a"))
    assert addresses(give(target, service("a", annotations={"metallb.io/address-pool": "p"}))) == ["10.0.0.0"]


def test_former_and_reserved_address_of_one_pool_go_together() -> None:
    target = remembering(pool("p", "10.0.0.0/32", "2001:db8::/128"), sticky_s=300.0)
    give(target, service("a", cluster_ips=("fd00::1",)))
    target.release(key("a"))
    reserve(target, reservation("r", "10.0.0.0/32", namespaces=frozenset({"default"})))
    assert addresses(give(target, dual("RequireDualStack", name="a"))) == ["10.0.0.0", "2001:db8::"]


@pytest.mark.parametrize(
    ("whom", "expected"), [({"service": key("a")}, "10.0.0.3"), ({"namespaces": frozenset({"default"})}, "10.0.0.0")]
)
def test_reservation_that_names_a_service_moves_it(whom: dict[str, Any], expected: str) -> None:
    target = remembering(pool("p", "10.0.0.0/30"))
    give(target, service("a"))
    target.release(key("a"))
    reserve(target, reservation("r", "10.0.0.3/32", **whom))
    assert addresses(give(target, service("a"))) == [expected]


def test_next_ledger_keeps_what_this_one_kept() -> None:
    target = remembering(pool("p", "10.0.0.0/32"), sticky_s=300.0)
    give(target, service("a"))
    target.release(key("a"))
    heir = remembering(pool("p", "10.0.0.0/32"), sticky_s=300.0)
    heir.remember(target.releases)
    assert isinstance(give(heir, service("b")), AllocationRefusal)
    assert addresses(give(heir, service("a"))) == ["10.0.0.0"]


def test_address_that_two_have_had_is_kept_for_the_later_one() -> None:
    target = remembering(pool("p", "10.0.0.0/32"), cool_down_s=300.0, sticky_s=30.0)
    give(target, service("a"))
    target.release(key("a"))
    target.pass_time(1031.0)
    give(target, service("b"))
    target.release(key("b"))
    assert isinstance(give(target, service("c")), AllocationRefusal)
    heir = remembering(pool("p", "10.0.0.0/32"), cool_down_s=300.0, sticky_s=30.0)
    heir.pass_time(1031.0)
    heir.remember(target.releases)
    assert isinstance(give(heir, service("c")), AllocationRefusal)
    assert addresses(give(heir, service("b"))) == ["10.0.0.0"]


def test_reserved_address_that_rests_is_given_to_nobody_else() -> None:
    target = reserve(remembering(pool("p", "10.0.0.0/32")), reservation("r", "10.0.0.0/32", service=key("web")))
    give(target, service("web"))
    target.release(key("web"))
    assert refused(give(target, service("a")))[0] is RefusalReason.RESERVED
    assert addresses(give(target, service("web"))) == ["10.0.0.0"]
