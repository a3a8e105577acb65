from typing import Any

import pytest

from orchestrator.config.model import Config
from orchestrator.decide.announcement import plan_group
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.node_plan import DeclineReason, GroupPlan, Protocol
from orchestrator.net.addresses import parse_range
from orchestrator.resources.core import Service
from tests.support.objects import bgp, config, endpoints, key, l2, peer, pool, service

VIEW = NodeView(node="n1")
BOTH = config(
    nodes=["n1"],
    pools=[pool("p", "10.0.0.0/24", l2_advertisements=(l2("l", "n1"),), bgp_advertisements=(bgp("b", "n1"),))],
    peers=[peer("router", "n1")],
)


def plan(*services: Service, known: Config = BOTH, view: NodeView = VIEW) -> GroupPlan:
    return plan_group(known, services, {one.metadata.key: endpoints("n1") for one in services}, view)


def test_service_is_announced_over_both_protocols() -> None:
    result = plan(service(held=["10.0.0.1"]))
    assert [(one.service, one.protocol) for one in result.announced] == [
        (key("web"), Protocol.BGP),
        (key("web"), Protocol.LAYER2),
    ]
    assert [str(route.prefix) for route in result.routes] == ["10.0.0.1/32"]
    assert [str(entry.address) for entry in result.layer2] == ["10.0.0.1"]
    assert not result.declined


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"load_balancer_class": "other", "type": "ClusterIP"}, DeclineReason.CLASS_NOT_OURS),
        ({"type": "ClusterIP"}, DeclineReason.NOT_LOAD_BALANCER),
        ({"held": []}, DeclineReason.NO_IP_ALLOCATED),
        ({"held": ["10.0.0.1", ""]}, DeclineReason.INVALID_IP),
        ({"held": ["10.9.0.1"]}, DeclineReason.IP_NOT_ALLOWED),
    ],
)
def test_gate_declines_both_protocols(fields: dict[str, Any], reason: DeclineReason) -> None:
    result = plan(service(**{"held": ["10.0.0.1"], **fields}))
    assert {(one.protocol, one.reason) for one in result.declined} == {(protocol, reason) for protocol in Protocol}
    assert all(one.detail for one in result.declined)
    assert not result.announced


def test_address_that_its_pool_had_is_announced_unless_another_has_it() -> None:
    shrunk = pool(
        "p",
        "10.0.0.0/25",
        former_ranges=(parse_range("10.0.0.0/24"),),
        bgp_advertisements=(bgp("b", "n1"),),
    )
    peers = [peer("router", "n1")]
    held = service(held=["10.0.0.200"])
    result = plan(held, known=config(nodes=["n1"], pools=[shrunk], peers=peers))
    assert [str(route.prefix) for route in result.routes] == ["10.0.0.200/32"]
    taken = config(nodes=["n1"], pools=[shrunk, pool("q", "10.0.0.128/25")], peers=peers)
    assert not plan(held, known=taken).announced


def test_addresses_of_two_pools_are_not_allowed() -> None:
    two = config(nodes=["n1"], pools=[pool("p", "10.0.0.0/24"), pool("q", "2001:db8::/64")])
    result = plan(service(held=["10.0.0.1", "2001:db8::1"]), known=two)
    assert {one.reason for one in result.declined} == {DeclineReason.IP_NOT_ALLOWED}


def test_address_that_a_pool_avoids_is_still_announced() -> None:
    avoiding = config(
        nodes=["n1"], pools=[pool("p", "10.0.0.0/24", avoid_buggy_ips=True, l2_advertisements=(l2("l", "n1"),))]
    )
    assert plan(service(held=["10.0.0.0"]), known=avoiding).layer2


def test_plan_does_not_depend_on_the_order_of_services() -> None:
    shared: dict[str, Any] = {"held": ["10.0.0.1"], "annotations": {"metallb.io/allow-shared-ip": "k"}}
    one, other = service("a", ports=[80], **shared), service("b", ports=[443], **shared)
    assert plan(one, other) == plan(other, one)


def test_seniority_is_that_of_the_oldest_service() -> None:
    old = service("b", held=["10.0.0.1"], created="2026-01-01T00:00:00Z")
    young = service("a", held=["10.0.0.1"], created="2026-01-02T00:00:00Z")
    assert plan(young, old).seniority == (False, "2026-01-01T00:00:00Z", key("b"))
