from typing import Any

import pytest

from orchestrator.config.model import AddressQuota, Reservation, ServiceAllocation
from orchestrator.decide import admission
from orchestrator.decide.ledger import Assignment, Ledger
from orchestrator.decide.requests import AllocationRequest, RefusalReason, request_of
from orchestrator.net.addresses import IpFamily, parse_range
from tests.support.objects import ips, key, labeled, pool, pools, ref, service

ADDRESSES = ips("10.0.0.1")


def request(name: str = "web") -> AllocationRequest:
    result = request_of(service(name, labels={"app": "web"}))
    assert isinstance(result, AllocationRequest)
    return result


def ledger(**fields: Any) -> Ledger:
    result = Ledger(sticky_s=10.0)
    result.pass_time(1000.0)
    result.set_pools(pools(pool("p", "10.0.0.0/24", **fields)))
    return result


def refusal(target: Ledger, name: str = "web") -> RefusalReason | None:
    asked = request(name)
    wanted = Assignment(service=asked.service, pool="p", addresses=ADDRESSES, tenancy=asked.tenancy)
    found = admission.taking_refusal(asked, wanted, target)
    return found.reason if found is not None else None


@pytest.mark.parametrize(
    ("allocation", "expected"),
    [
        (None, True),
        (ServiceAllocation(), True),
        (ServiceAllocation(namespaces=frozenset()), False),
        (ServiceAllocation(namespaces=frozenset({"default"}), service_selectors=(labeled(app="web"),)), True),
        (ServiceAllocation(namespaces=frozenset({"default"}), service_selectors=(labeled(app="db"),)), False),
    ],
)
def test_pool_lets_in_whom_its_service_allocation_names(allocation: ServiceAllocation | None, expected: bool) -> None:
    assert admission.is_for(pool("p", "10.0.0.0/24", service_allocation=allocation), request()) is expected


def test_free_address_of_an_open_pool_may_be_taken() -> None:
    assert refusal(ledger()) is None


def test_draining_pool_refuses() -> None:
    assert refusal(ledger(draining=True)) is RefusalReason.POOL_DRAINING


def test_reserved_address_is_refused_to_others() -> None:
    target = ledger()
    ranges = (parse_range("10.0.0.0/30"),)
    target.set_reservations({"r": Reservation(name="r", origin=ref("x", "r"), ranges=ranges, service=key("web"))})
    assert refusal(target) is None
    assert refusal(target, "other") is RefusalReason.RESERVED


def test_kept_address_is_refused_to_others() -> None:
    target = ledger()
    target.hold(Assignment(service=key("web"), pool="p", addresses=ADDRESSES, tenancy=request().tenancy))
    target.release(key("web"))
    assert refusal(target) is None
    assert refusal(target, "other") is RefusalReason.RESERVED


def test_used_up_quota_refuses() -> None:
    target = ledger()
    target.set_quotas({"q": AddressQuota(name="q", origin=ref("x", "q"), limits={IpFamily.IPV4: 0})})
    assert refusal(target) is RefusalReason.QUOTA_EXCEEDED
