"""Which addresses a Service gets while some rest, or are kept for who had them."""

from typing import Any

import pytest

from orchestrator.config.model import Pool, ServiceAllocation
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import AllocationRefusal, RefusalReason
from orchestrator.net.addresses import IpFamily
from tests.support.allocating import (
    addresses,
    dual,
    give,
    refused,
    reservation,
    reserve,
    sharing,
)
from tests.support.objects import key, pool, pools, service

V4, V6 = IpFamily.IPV4, IpFamily.IPV6


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
