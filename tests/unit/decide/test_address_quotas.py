from typing import Any

import pytest

from orchestrator.config.model import AddressQuota, QuotaScope
from orchestrator.decide.address_quotas import QuotaCounts, QuotaUsage
from orchestrator.decide.requests import RefusalReason
from orchestrator.net.addresses import IpFamily
from tests.support.objects import ips, ref

V4, V6 = IpFamily.IPV4, IpFamily.IPV6
X, Y, Z = ips("10.0.0.1", "10.0.0.2", "10.0.0.3")
SIX = ips("2001:db8::1")[0]


def quota(name: str = "q", v4: int | None = 1, v6: int | None = None, **fields: Any) -> AddressQuota:
    limits = {family: limit for family, limit in ((V4, v4), (V6, v6)) if limit is not None}
    return AddressQuota(name=name, origin=ref("AddressQuota", name), limits=limits, **fields)


def counts(*quotas: AddressQuota) -> QuotaCounts:
    return QuotaCounts({each.name: each for each in quotas})


def test_used_up_quota_refuses_a_new_address() -> None:
    target = counts(quota())
    target.enter("team", "p", X)
    refusal = target.refusal("team", "p", Y)
    assert refusal is not None
    assert refusal.reason is RefusalReason.QUOTA_EXCEEDED
    assert refusal.message == (
        "AddressQuota q: namespace team uses 1 of 1 IPv4 addresses; "
        "release one, share one (metallb.io/allow-shared-ip), or raise the quota"
    )
    assert target.refusal("other", "p", Y) is None
    assert target.refusal("team", "p", SIX) is None


def test_address_that_the_namespace_has_costs_nothing() -> None:
    target = counts(quota())
    target.enter("team", "p", X)
    assert target.refusal("team", "p", X) is None
    target.enter("team", "p", X)
    target.leave("team", "p", X)
    assert target.refusal("team", "p", Y) is not None
    target.leave("team", "p", X)
    assert target.refusal("team", "p", Y) is None


def test_total_counts_all_namespaces_together_and_a_shared_address_once() -> None:
    target = counts(quota(v4=2, scope=QuotaScope.TOTAL, namespaces=frozenset({"one", "two"})))
    for namespace, address in (("one", X), ("two", X), ("two", Y), ("three", Z)):
        target.enter(namespace, "p", address)
    refusal = target.refusal("one", "p", Z)
    assert refusal is not None
    assert "its namespaces together use 2 of 2 IPv4 addresses" in refusal.message
    assert target.refusal("one", "p", Y) is None
    assert target.refusal("three", "p", ips("10.0.0.9")[0]) is None


@pytest.mark.parametrize(("pools", "refused"), [(None, True), (frozenset({"p"}), True), (frozenset({"r"}), False)])
def test_quota_counts_addresses_of_its_pools(pools: frozenset[str] | None, refused: bool) -> None:
    target = counts(quota(pools=pools))
    target.enter("team", "p", X)
    assert (target.refusal("team", "p", Y) is not None) is refused


def test_every_quota_must_admit() -> None:
    target = counts(quota("a", v4=5), quota("b", v4=0))
    refusal = target.refusal("team", "p", X)
    assert refusal is not None
    assert refusal.message.startswith("AddressQuota b: namespace team uses 0 of 0 IPv4")


def test_use_is_told_in_all_and_by_namespace() -> None:
    target = counts(quota())
    for namespace, address in (("two", X), ("one", X), ("one", SIX), ("gone", Y)):
        target.enter(namespace, "p", address)
    target.leave("gone", "p", Y)
    assert target.usage("q") == QuotaUsage(
        total={V4: 1, V6: 1}, namespaces={"one": {V4: 1, V6: 1}, "two": {V4: 1, V6: 0}}
    )
