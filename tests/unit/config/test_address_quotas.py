from typing import Any

import pytest

from orchestrator.config.address_quotas import Surroundings, claims_of
from orchestrator.config.claims import Claims, Knowledge
from orchestrator.config.model import AddressQuota, LastGood, QuotaScope
from orchestrator.net.addresses import IpFamily
from orchestrator.resources import extensions
from orchestrator.resources.core import Namespace
from orchestrator.resources.meta import ObjectMeta, Severity
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import labeled, named, quota_object

NAMESPACES = {name: Namespace(metadata=ObjectMeta(name=name, labels={"team": name})) for name in ("red", "blue")}


def claims(*quotas: extensions.AddressQuota, last_good: LastGood | None = None) -> Claims[AddressQuota]:
    knowledge = Knowledge(ClusterSnapshot(quotas=named(*quotas)), last_good or {})
    return claims_of(knowledge, Surroundings(namespaces=NAMESPACES, pool_names={"edge", "core"}))


def only(**spec: Any) -> AddressQuota:
    found = claims(quota_object("q", **spec))
    assert not found.problems
    return found.served[0].variants[0]


@pytest.mark.parametrize(
    ("spec", "limits"),
    [
        ({"ipv4": 3}, {IpFamily.IPV4: 3}),
        ({"ipv6": 0}, {IpFamily.IPV6: 0}),
        ({"ipv4": 1, "ipv6": 2}, {IpFamily.IPV4: 1, IpFamily.IPV6: 2}),
    ],
)
def test_limits_are_of_the_families_that_are_named(spec: dict[str, int], limits: dict[IpFamily, int]) -> None:
    assert only(**spec).limits == limits


def test_quota_without_namespaces_and_pools_is_for_all() -> None:
    quota = only(ipv4=1)
    assert (quota.namespaces, quota.pools, quota.scope) == (None, None, QuotaScope.NAMESPACE)


def test_namespaces_and_pools_restrict_a_quota() -> None:
    quota = only(
        ipv4=1, namespaces=("green",), namespace_selectors=(labeled(team="red"),), pools=("edge",), scope="Total"
    )
    assert quota.namespaces == frozenset({"green", "red"})
    assert quota.pools == frozenset({"edge"})
    assert quota.scope is QuotaScope.TOTAL


def test_pool_that_does_not_exist_is_only_warned_of() -> None:
    found = claims(quota_object("q", ipv4=1, pools=("edgy", "core")))
    assert [(problem.field, problem.severity) for problem in found.problems] == [("spec.pools", Severity.WARNING)]
    assert 'there is no IPAddressPool "edgy"' in found.problems[0].message
    assert 'the nearest existing name is "edge"' in found.problems[0].message
    assert found.served[0].variants[0].pools == frozenset({"edgy", "core"})


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"pools": ("edge", "edge")}, "spec.pools"),
        ({"namespaces": ("a", "a")}, "spec.namespaces"),
        ({"namespace_selectors": (labeled(a="b"), labeled(a="b"))}, "spec.namespaceSelectors[1]"),
    ],
)
def test_bad_quota_is_refused_with_the_place(spec: dict[str, Any], field: str) -> None:
    found = claims(quota_object("q", ipv4=1, **spec))
    assert not found.served
    assert [problem.field for problem in found.problems] == [field]


def test_broken_quota_goes_on_with_its_last_good_limits() -> None:
    good = claims(quota_object("q", ipv4=1)).served[0].memory(in_use=True)
    broken = claims(quota_object("q", ipv4=9, pools=("edge", "edge")), last_good=good)
    assert broken.served[0].variants[0].limits == {IpFamily.IPV4: 1}
