"""Small worlds in which everything collides: few addresses, few ports, few sharing keys, few nodes."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from orchestrator.config.model import Pool
from orchestrator.decide.node_plan import GroupPlan, Layer2Address, Route, RouteAttributes, RoutePolicy
from orchestrator.net.addresses import AddressRange
from orchestrator.net.bgp import Asn, StandardCommunity
from orchestrator.resources.core import Service
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import (
    bfd_object,
    bgp_object,
    community_object,
    key,
    l2_object,
    labeled,
    named,
    namespace_object,
    node_object,
    peer_object,
    pool_object,
    quota_object,
    ref,
    reservation_object,
    service,
)

patiently = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine is shared: how long one example takes says nothing."""

V4_BASE = int(IPv4Address("10.0.0.250"))
V6_BASE = int(IPv6Address("2001:db8::"))

keys = st.sampled_from([key(name) for name in "abcdef"])
addresses = st.integers(V4_BASE, V4_BASE + 3).map(IPv4Address)


@st.composite
def pools(draw: st.DrawFn) -> dict[str, Pool]:
    """One to three pools of a few addresses around 10.0.0.255, sometimes with IPv6."""
    result: dict[str, Pool] = {}
    start = V4_BASE
    for name in draw(st.lists(st.sampled_from("pqr"), unique=True, min_size=1)):
        size = draw(st.integers(1, 6))
        ranges = [AddressRange(IPv4Address(start), IPv4Address(start + size - 1))]
        start += size + draw(st.integers(0, 2))
        if draw(st.booleans()):
            ranges.append(AddressRange(IPv6Address(V6_BASE + 2 * start), IPv6Address(V6_BASE + 2 * start + 1)))
        result[name] = Pool(
            name=name,
            origin=ref("IPAddressPool", name),
            ranges=tuple(ranges),
            auto_assign=draw(st.booleans()),
            avoid_buggy_ips=draw(st.booleans()),
        )
    return result


@st.composite
def services(draw: st.DrawFn, name: str | None = None) -> Service:
    """A Service that asks for anything: families, a pool, addresses, sharing."""
    annotations: dict[str, str] = {}
    if draw(st.booleans()):
        annotations["metallb.io/allow-shared-ip"] = draw(st.sampled_from(["k1", "k2", ""]))
    if draw(st.integers(0, 3)) == 0:
        annotations["metallb.io/address-pool"] = draw(st.sampled_from("pqrx"))
    fields: dict[str, Any] = {"load_balancer_ip": str(draw(addresses))} if draw(st.integers(0, 4)) == 0 else {}
    return service(
        name or draw(st.sampled_from("abcdef")),
        ports=draw(st.sets(st.sampled_from([80, 443, 53]), min_size=1)),
        annotations=annotations,
        external_traffic_policy=draw(st.sampled_from(["Cluster", "Local"])),
        selector={"app": draw(st.sampled_from("xy"))},
        ip_family_policy=draw(st.sampled_from(["SingleStack", "PreferDualStack", "RequireDualStack"])),
        ip_families=draw(st.sampled_from([("IPv4",), ("IPv6",), ("IPv4", "IPv6")])),
        **fields,
    )


prefixes = st.integers(0, 2).map(lambda number: IPv4Network((int(IPv4Address("10.0.0.0")) + number * 256, 24)))
communities = st.sets(st.integers(1, 3).map(lambda low: StandardCommunity(65000, low))).map(
    lambda found: tuple(sorted(found, key=str))
)


attributes = st.builds(
    RouteAttributes,
    local_pref=st.integers(0, 1),
    med=st.integers(0, 1),
    prepended=st.sampled_from([(), (Asn(64512),)]),
    weight=st.integers(0, 40),
    communities=communities,
)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    peers = sorted(draw(st.sets(st.sampled_from("vw"), min_size=1)))
    policy = RoutePolicy(per_peer=tuple((peer, draw(attributes)) for peer in peers))
    return Route(prefix=draw(prefixes), policy=policy, origins=(ref("BGPAdvertisement", draw(st.sampled_from("mn"))),))


@st.composite
def group_plans(draw: st.DrawFn) -> GroupPlan:
    found = draw(st.lists(routes(), max_size=3, unique_by=lambda route: route.prefix))
    held = draw(st.sets(addresses, max_size=2))
    return GroupPlan(
        routes=tuple(sorted(found, key=lambda route: route.prefix)),
        layer2=tuple(Layer2Address(address=address) for address in sorted(held)),
        seniority=(False, draw(st.sampled_from(["2026-01-01", "2026-01-02"])), draw(keys)),
    )


# Configuration --------------------------------------------------------------------------------------------------------

names = st.sampled_from(["a", "b", "c"])
times = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", None])
selectors = st.sampled_from([(), (labeled(rack="1"),), (labeled(rack="2"),)])


@st.composite
def pool_objects(draw: st.DrawFn) -> Any:
    entry = draw(st.sampled_from(["10.0.0.0/24", "10.0.0.128/25", "10.1.0.0/24", "2001:db8::/64", "nonsense"]))
    return pool_object(draw(names), entry, created=draw(times), draining=draw(st.booleans()))


@st.composite
def peer_objects(draw: st.DrawFn) -> Any:
    return peer_object(
        draw(names),
        draw(st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", ""])),
        created=draw(times),
        my_asn=draw(st.sampled_from([64512, 64999, 0])),
        router_id=draw(st.sampled_from(["", "10.0.0.1"])),
        bfd_profile=draw(st.sampled_from(["", "a"])),
        node_selectors=draw(selectors),
    )


@st.composite
def bgp_objects(draw: st.DrawFn) -> Any:
    return bgp_object(
        draw(names),
        created=draw(times),
        local_pref=draw(st.integers(0, 1)),
        med=draw(st.integers(0, 1)),
        as_path_prepend=draw(st.integers(0, 1)),
        weight=draw(st.sampled_from(["equal", "endpoints"])),
        aggregation_length=draw(st.sampled_from([32, 24, 16])),
        communities=draw(st.sampled_from([(), ("red",), ("65000:1",), ("no-export",)])),
        ip_address_pools=draw(st.sampled_from([(), ("a",)])),
        node_selectors=draw(selectors),
    )


@st.composite
def community_objects(draw: st.DrawFn) -> Any:
    return community_object(draw(names), created=draw(times), red=draw(st.sampled_from(["65000:7", "bad"])))


reserved_entries = st.sampled_from(["10.0.0.7", "10.0.0.0/25", "10.1.0.1-10.1.0.9", "2001:db8::1", "10.9.0.1", "web"])


@st.composite
def reservation_objects(draw: st.DrawFn) -> Any:
    return reservation_object(
        draw(names),
        *draw(st.lists(reserved_entries, min_size=1, max_size=2)),
        created=draw(times),
        namespaces=draw(st.sampled_from([(), ("x",), ("x", "x")])),
        service_selectors=draw(selectors),
    )


@st.composite
def quota_objects(draw: st.DrawFn) -> Any:
    return quota_object(
        draw(names),
        ipv4=draw(st.none() | st.integers(0, 2)),
        pools=draw(st.sampled_from([(), ("a",), ("a", "a")])),
        namespace_selectors=draw(selectors),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> ClusterSnapshot:
    """Few objects that conflict often, some of them broken."""
    return ClusterSnapshot(
        pools=named(*draw(st.lists(pool_objects(), max_size=3))),
        peers=named(*draw(st.lists(peer_objects(), max_size=3))),
        bgp_advertisements=named(*draw(st.lists(bgp_objects(), max_size=3))),
        l2_advertisements=named(*draw(st.lists(names.map(l2_object), max_size=2))),
        communities=named(*draw(st.lists(community_objects(), max_size=2))),
        bfd_profiles=named(*draw(st.lists(names.map(bfd_object), max_size=1))),
        reservations=named(*draw(st.lists(reservation_objects(), max_size=3))),
        quotas=named(*draw(st.lists(quota_objects(), max_size=2))),
        namespaces=named(namespace_object("x", rack="1")),
        nodes=named(node_object("n1", rack="1"), node_object("n2", rack="2")),
    )
