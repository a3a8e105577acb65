from typing import Any

import pytest

from orchestrator.resources.metallb import ServiceAllocation
from tests.support.advising import advice, announced, lines, namespaces, node, speaker
from tests.support.objects import bgp_object, l2_object, labeled, peer_object, pool_object, service

SMALL = pool_object("small", "192.0.2.10-192.0.2.20")
RANGE = "198.51.100.0/24"


def test_sound_configuration_gets_no_advice() -> None:
    assert advice(*announced(SMALL), node("n1", "192.0.2.9", "192.0.2.21")) == ()


# --- whose addresses they are ---


def test_node_address_in_a_pool_is_named_with_its_node() -> None:
    (found,) = advice(*announced(pool_object("p", RANGE, "192.0.2.0/28")), node("n1", "192.0.2.9"))
    assert (found.code, found.field) == ("NodeAddressInPool", "spec.addresses[1]")
    assert "192.0.2.9 is the address of node n1" in found.message


def test_node_subnet_around_a_pool_is_no_reason_to_warn() -> None:
    assert lines(*announced(SMALL), node("n1", "192.0.2.9"), speakers=[speaker("n1", "192.0.2.9/24")]) == []


def test_every_node_in_a_pool_is_named() -> None:
    found = lines(*announced(SMALL), node("n1", "192.0.2.10"), node("n2", "192.0.2.20"), node("n3", "192.0.2.30"))
    assert found == ["NodeAddressInPool small spec.addresses[0]"] * 2


def test_router_in_a_pool_is_named() -> None:
    peer = peer_object("tor", "192.0.2.10")
    assert lines(SMALL, peer, bgp_object("all")) == ["PeerAddressInPool small spec.addresses[0]"]


def test_cluster_address_in_a_pool_is_said_once_for_each_pool() -> None:
    services = [service(f"web-{number}", cluster_ip=f"192.0.2.{number}") for number in (9, 11, 12)]
    assert lines(*announced(SMALL), services=services) == ["ClusterAddressInPool small spec.addresses[0]"]


def test_headless_service_has_no_cluster_address() -> None:
    assert lines(*announced(SMALL), services=[service(cluster_ip="None"), service("other")]) == []


@pytest.mark.parametrize(
    ("addresses", "spec", "expected"),
    [
        ("192.0.2.0/26", {}, ["SubnetAddressInPool p spec.addresses[0]"]),
        ("192.0.2.0/26", {"avoid_buggy_ips": True}, []),
        ("192.0.2.100-192.0.2.130", {"avoid_buggy_ips": True}, ["SubnetAddressInPool p spec.addresses[0]"]),
        ("192.0.2.1-192.0.2.126", {}, []),
    ],
)
def test_network_and_broadcast_address_of_a_node_subnet(
    addresses: str, spec: dict[str, Any], expected: list[str]
) -> None:
    speakers = [speaker("n1", "192.0.2.4/25", "10.0.0.1/32", "fd00::1/64")]
    assert lines(*announced(pool_object("p", addresses, **spec)), node("n1"), speakers=speakers) == expected


# --- whether anybody can use them ---


@pytest.mark.parametrize(
    "advertisements",
    [(), (l2_object("other", ip_address_pools=("p",)), bgp_object("third", ip_address_pools=("p",)), peer_object("r"))],
)
def test_pool_that_no_advertisement_selects(advertisements: tuple[Any, ...]) -> None:
    found = lines(SMALL, pool_object("p", RANGE), *advertisements)
    assert "PoolNotAdvertised small" in found


def test_selected_by_label_is_selected() -> None:
    pool = pool_object("p", RANGE, labels={"zone": "a"})
    assert lines(pool, l2_object("a", ip_address_pool_selectors=(labeled(zone="a"),))) == []


def test_layer_2_and_bgp_for_one_pool_are_fine() -> None:
    assert lines(*announced(SMALL), peer_object("tor", "203.0.113.1"), bgp_object("all")) == []


DUAL = pool_object("dual", RANGE, "2001:db8::/120")


def test_family_that_no_session_carries() -> None:
    four = peer_object("tor", "203.0.113.1")
    assert lines(DUAL, four, bgp_object("all")) == ["FamilyNotAdvertised dual spec.addresses[1]"]


@pytest.mark.parametrize(
    "more",
    [
        (peer_object("tor", "203.0.113.1", dual_stack_address_family=True),),
        (peer_object("tor", "203.0.113.1"), peer_object("six", "2001:db8:1::1")),
        (peer_object("tor", "203.0.113.1"), l2_object("all")),
    ],
)
def test_family_that_something_carries(more: tuple[Any, ...]) -> None:
    assert lines(DUAL, bgp_object("all"), *more) == []


def test_require_on_link_with_no_node_on_link() -> None:
    advertisement = l2_object("all", require_on_link=True)
    speakers = [speaker("n1", "192.0.2.4/24"), speaker("n2", "10.0.0.2/24")]
    around = (SMALL, pool_object("p", RANGE), node("n1"), node("n2"))
    assert lines(*around, advertisement, speakers=speakers) == ["PoolOffLink p spec.addresses[0]"]
    assert lines(*around, advertisement, speakers=speakers[:1]) == []
    assert lines(*around, advertisement, l2_object("other"), speakers=speakers) == []


@pytest.mark.parametrize(
    ("addresses", "spec", "is_doubtful"),
    [
        (("192.0.2.1/32",), {}, True),
        (("192.0.2.1/32", "2001:db8::1/128"), {}, True),
        (("192.0.2.1-192.0.2.1",), {}, True),
        (("192.0.2.1/32", "192.0.2.7/32"), {}, False),
        (("192.0.2.1/32",), {"auto_assign": False}, False),
        (("192.0.2.1/32",), {"draining": True}, False),
        (("192.0.2.1/32",), {"service_allocation": ServiceAllocation(namespaces=("shop",))}, False),
        (("192.0.2.1/32",), {"service_allocation": ServiceAllocation(service_selectors=(labeled(a="b"),))}, False),
        (("192.0.2.1/32",), {"service_allocation": ServiceAllocation(priority=5)}, True),
    ],
)
def test_pool_of_one_address_that_anybody_takes(
    addresses: tuple[str, ...], spec: dict[str, Any], is_doubtful: bool
) -> None:
    expected = ["SingleAddressPool one spec.autoAssign"] if is_doubtful else []
    assert lines(*announced(pool_object("one", *addresses, **spec))) == expected


@pytest.mark.parametrize(
    ("addresses", "is_empty"),
    [
        (("192.0.2.0/32", "192.0.2.255-192.0.3.0"), True),
        (("192.0.2.0/31",), False),
        (("192.0.2.0/32", "2001:db8::/128"), False),
    ],
)
def test_pool_that_avoid_buggy_ips_leaves_empty(addresses: tuple[str, ...], is_empty: bool) -> None:
    pool = pool_object("p", *addresses, avoid_buggy_ips=True, auto_assign=False)
    assert lines(*announced(pool)) == (["NoUsableAddress p spec.avoidBuggyIPs"] if is_empty else [])


def test_namespace_selectors_without_a_namespace() -> None:
    allocation = ServiceAllocation(namespace_selectors=(labeled(team="a"),))
    objects = announced(pool_object("p", RANGE, service_allocation=allocation))
    assert lines(*objects, *namespaces("default", "shop")) == [
        "ServesNoNamespace p spec.serviceAllocation.namespaceSelectors"
    ]
    assert lines(*objects, *namespaces("metallb-system")) == []  # not a list of all namespaces
