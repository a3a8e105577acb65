from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from orchestrator.config.model import Config, L2Advertisement
from orchestrator.decide.announcement import plan_group
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.node_plan import Decline, DeclineReason, GroupPlan, Protocol
from orchestrator.resources.core import EndpointSlice, Service
from orchestrator.resources.meta import ObjectKey
from tests.support.objects import config, endpoints, key, l2, labeled, pool, service

NODES = ("node-a", "node-b", "node-c")
SHARED = {"metallb.io/allow-shared-ip": "k"}


def known(*advertisements: L2Advertisement, ranges: Sequence[str] = ("10.0.0.0/24", "2001:db8::/64")) -> Config:
    return config(nodes=NODES, pools=[pool("p", *ranges, l2_advertisements=advertisements)])


EVERYWHERE = known(l2("l", *NODES))


def plan(
    node: str,
    *services: Service,
    config: Config = EVERYWHERE,
    alive: frozenset[str] | None = None,
    slices: Mapping[ObjectKey, Sequence[EndpointSlice]] | None = None,
) -> GroupPlan:
    by_service = slices or {one.metadata.key: endpoints(*NODES) for one in services}
    return plan_group(config, services, by_service, NodeView(node=node, alive=alive))


def owners(*services: Service, **fields: Any) -> list[str]:
    return [node for node in NODES if plan(node, *services, **fields).layer2]


def decline(result: GroupPlan) -> Decline:
    return next(one for one in result.declined if one.protocol is Protocol.LAYER2)


@pytest.mark.parametrize(
    ("address", "owner"), [("10.0.0.1", "node-b"), ("10.0.0.2", "node-b"), ("2001:db8::10", "node-b")]
)
def test_one_node_answers_for_an_address(address: str, owner: str) -> None:
    assert owners(service(held=[address])) == [owner]


def test_address_moves_when_its_node_dies() -> None:
    alive = frozenset({"node-a", "node-c"})
    assert owners(service(held=["10.0.0.1"]), alive=alive) == ["node-a"]


def test_both_families_of_a_service_stay_on_one_node() -> None:
    result = plan("node-b", service(held=["10.0.0.2", "2001:db8::10"]))
    assert [str(entry.address) for entry in result.layer2] == ["10.0.0.2", "2001:db8::10"]


def test_first_address_of_the_status_decides() -> None:
    assert owners(service(held=["2001:db8::77", "10.0.0.1"])) == owners(service(held=["2001:db8::77"]))


def test_services_that_share_an_address_stay_together() -> None:
    web = service("a", held=["10.0.0.1"], annotations=SHARED)
    mail = service("b", held=["10.0.0.1"], ports=[25], annotations=SHARED)
    assert owners(web, mail) == owners(web) == owners(mail)


def test_shared_address_goes_where_all_its_services_have_endpoints() -> None:
    local: dict[str, Any] = {"held": ["10.0.0.1"], "annotations": SHARED, "external_traffic_policy": "Local"}
    web, mail = service("a", **local), service("b", ports=[25], **local)
    slices = {key("a"): endpoints("node-a", "node-b"), key("b"): endpoints("node-a", "node-c")}
    assert owners(web, mail, slices=slices) == ["node-a"]


def test_service_without_endpoints_does_not_move_a_shared_address() -> None:
    web = service("a", held=["10.0.0.1"], annotations=SHARED)
    idle = service("b", held=["10.0.0.1"], ports=[25], annotations=SHARED)
    slices = {key("a"): endpoints("node-a"), key("b"): ()}
    assert owners(web, idle, slices=slices) == owners(web)


def test_local_policy_needs_an_endpoint_on_the_node() -> None:
    web = service(held=["10.0.0.1"], external_traffic_policy="Local")
    assert owners(web, slices={key("web"): endpoints("node-c")}) == ["node-c"]


def test_nobody_answers_without_serving_endpoints() -> None:
    result = plan("node-b", service(held=["10.0.0.1"]), slices={key("web"): endpoints()})
    assert decline(result).reason is DeclineReason.NOT_OWNER
    assert "no endpoint can serve" in decline(result).detail


def test_others_name_the_owner() -> None:
    assert decline(plan("node-a", service(held=["10.0.0.1"]))).detail == "node node-b answers for it"


@pytest.mark.parametrize(
    ("advertisement", "expected"),
    [
        (l2("l", "node-a"), []),
        (l2("l", *NODES, service_selectors=(labeled(app="other"),)), []),
        (l2("l", *NODES, service_selectors=(labeled(app="other"), labeled(app="web"))), ["node-b"]),
        (l2("l", "node-b", "node-c"), ["node-b"]),
        (l2("l", *NODES, preference={"node-c": 10}), ["node-c"]),
    ],
)
def test_advertisement_chooses_services_and_nodes(advertisement: L2Advertisement, expected: list[str]) -> None:
    web = service(held=["10.0.0.1"], labels={"app": "web"})
    found = [node for node in ("node-b", "node-c") if plan(node, web, config=known(advertisement)).layer2]
    assert found == expected


def test_node_outside_every_advertisement_says_so() -> None:
    result = plan("node-a", service(held=["10.0.0.1"]), config=known(l2("l", "node-b")))
    assert decline(result).reason is DeclineReason.NO_MATCHING_ADVERTISEMENT


def test_shared_address_and_service_selectors_exclude_each_other() -> None:
    web = service(held=["10.0.0.1"], annotations=SHARED, labels={"app": "web"})
    selective = known(l2("l", *NODES, service_selectors=(labeled(app="web"),)))
    assert all(
        decline(plan(node, web, config=selective)).reason is DeclineReason.SHARED_IP_WITH_SERVICE_SELECTOR
        for node in NODES
    )


@pytest.mark.parametrize(
    ("interfaces", "expected"),
    [((("eth1",), ("eth0",)), ("eth0", "eth1")), ((("eth1",), ()), None), (((),), None)],
)
def test_interfaces_are_the_union_and_none_means_all(
    interfaces: tuple[tuple[str, ...], ...], expected: tuple[str, ...] | None
) -> None:
    advertisements = [l2(f"l{index}", *NODES, interfaces=names) for index, names in enumerate(interfaces)]
    result = plan("node-b", service(held=["10.0.0.1"]), config=known(*advertisements))
    assert result.layer2[0].interfaces == expected
    assert result.announced[0].interfaces == expected


def test_interfaces_of_other_nodes_do_not_count() -> None:
    advertisements = (l2("here", *NODES, interfaces=("eth0",)), l2("there", "node-a", interfaces=("eth9",)))
    result = plan("node-b", service(held=["10.0.0.1"]), config=known(*advertisements))
    assert result.layer2[0].interfaces == ("eth0",)
