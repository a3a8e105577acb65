"""Few names, few addresses, few ports: pools, reservations, quotas and Services that collide all the time."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from orchestrator.config.model import AddressQuota, Pool, QuotaScope, Reservation, ServiceAllocation
from orchestrator.net.addresses import IpFamily, parse_range
from tests.support.objects import key, labeled, pool, ref

KEYS = [key("a"), key("b"), key("c"), key("d"), key("a", "other"), key("e", "other")]
OTHER_CLASS = "example.com/other"

RANGES: dict[str, list[tuple[str, ...]]] = {
    "p": [
        ("10.0.0.254-10.0.1.1", "2001:db8::/127"),
        ("10.0.0.254-10.0.0.255",),
        ("10.0.1.0-10.0.1.1", "2001:db8::/128"),
    ],
    "q": [("10.0.2.0/31",), ("10.0.2.2/31", "10.0.2.0/31", "2001:db8:1::/127"), ("10.0.2.1/32",)],
    "r": [("10.0.3.0/32", "2001:db8:2::/128")],
}
ADDRESSES = ["10.0.0.254", "10.0.1.0", "10.0.1.1", "10.0.2.0", "10.0.2.1", "10.0.3.0", "10.9.9.9", "2001:db8::"]
ALLOCATIONS: list[ServiceAllocation | None] = [
    *[None] * 5,
    ServiceAllocation(priority=5),
    ServiceAllocation(namespaces=frozenset({"other"})),
    ServiceAllocation(service_selectors=(labeled(app="x"),)),
]
RESERVED: dict[str, list[tuple[str, ...]]] = {
    "s": [("10.0.0.254/32",), ("10.0.0.254-10.0.1.0", "2001:db8::/128")],
    "t": [("10.0.2.0/31", "10.0.3.0/32"), ("10.0.2.1/32", "2001:db8:1::/127")],
}
FOR_WHOM: list[dict[str, Any]] = [
    {"service": key("a")},
    {"service": key("a", "other")},
    {"namespaces": frozenset({"other"})},
    {"service_selectors": (labeled(app="x"),)},
]

seldom = st.sampled_from([False] * 9 + [True])
often = st.sampled_from([True] * 4 + [False])
FAMILIES: list[dict[str, Any]] = [
    {"cluster_ips": ("10.96.0.1",)},
    {"cluster_ips": ("10.96.0.1",)},
    {"cluster_ips": ("10.96.0.1",)},
    {"cluster_ips": ("fd00::1",)},
    {"cluster_ips": ("10.96.0.1", "fd00::1"), "ip_family_policy": "PreferDualStack"},
    {"cluster_ips": ("10.96.0.1", "fd00::1"), "ip_family_policy": "RequireDualStack"},
]


@st.composite
def pools(draw: st.DrawFn, name: str) -> Pool:
    return pool(
        name,
        *draw(st.sampled_from(RANGES[name])),
        auto_assign=not draw(seldom),
        draining=draw(seldom),
        avoid_buggy_ips=draw(seldom),
        service_allocation=draw(st.sampled_from(ALLOCATIONS)),
    )


@st.composite
def reservations(draw: st.DrawFn, name: str) -> Reservation:
    ranges = tuple(parse_range(text) for text in draw(st.sampled_from(RESERVED[name])))
    whom = draw(st.sampled_from(FOR_WHOM))
    return Reservation(name=name, origin=ref("AddressReservation", name), ranges=ranges, **whom)


@st.composite
def quotas(draw: st.DrawFn, name: str) -> AddressQuota:
    return AddressQuota(
        name=name,
        origin=ref("AddressQuota", name),
        limits={IpFamily.IPV4: draw(st.integers(0, 3)), IpFamily.IPV6: draw(st.integers(0, 2))},
        namespaces=draw(st.sampled_from([None, frozenset({"default"})])),
        pools=draw(st.sampled_from([None, None, frozenset({"p"})])),
        scope=draw(st.sampled_from(list(QuotaScope))),
    )


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """What a user writes into a Service."""
    annotations: dict[str, str] = {}
    if draw(st.booleans()):
        annotations["metallb.io/allow-shared-ip"] = draw(st.sampled_from(["k", "k", "l"]))
    if draw(seldom):
        annotations["metallb.io/address-pool"] = draw(st.sampled_from("pqx"))
    if draw(seldom):
        annotations["metallb.io/loadBalancerIPs"] = draw(st.sampled_from(ADDRESSES))
    return {
        "annotations": annotations,
        "labels": {"app": draw(st.sampled_from("xy"))},
        "ports": draw(st.sets(st.sampled_from([80, 443]), min_size=1)),
        "type": "ClusterIP" if draw(seldom) else "LoadBalancer",
        "load_balancer_class": OTHER_CLASS if draw(seldom) else None,
        "external_traffic_policy": "Local" if draw(seldom) else "Cluster",
        **draw(st.sampled_from(FAMILIES)),
    }


Change = tuple[str, str, object]
"""Field of Config, name, and what is there now: nothing or another value."""


def _changes(field: str, names: str, values: Callable[[str], st.SearchStrategy[Any]]) -> st.SearchStrategy[Change]:
    return st.sampled_from(names).flatmap(
        lambda name: st.tuples(
            st.just(field), st.just(name), seldom.flatmap(lambda gone: st.none() if gone else values(name))
        )
    )


changes = (
    _changes("pools", "pqr", pools) | _changes("reservations", "st", reservations) | _changes("quotas", "uv", quotas)
)
