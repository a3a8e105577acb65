from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from orchestrator.config.model import Config, L2Advertisement
from orchestrator.decide.announcement import plan_group
from orchestrator.decide.eligibility import NodeLink, NodeView, Occupied
from orchestrator.decide.layer2 import announcing_interfaces, heartbeat_peers
from orchestrator.decide.node_plan import Decline, DeclineReason, Elsewhere, GroupPlan, Protocol
from orchestrator.net.link import MacAddress
from orchestrator.resources.core import EndpointSlice, Service
from orchestrator.resources.meta import ObjectKey
from tests.support.objects import config, endpoints, ips, key, l2, labeled, pool, service

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


# Who answers, who else, and why not ---------------------------------------------------------------------------------


def view(node: str, **fields: Any) -> NodeView:
    return NodeView(node=node, **fields)


def seen(node: str, *services: Service, config: Config = EVERYWHERE, **fields: Any) -> GroupPlan:
    """The plan of a node whose view has these fields."""
    slices = {one.metadata.key: endpoints(*NODES) for one in services}
    return plan_group(config, services, slices, view(node, **fields))


def leg(interface: str, *networks: str, carrier: bool = True) -> NodeLink:
    return NodeLink(interface=interface, carrier=carrier, networks=tuple(ip_network(text) for text in networks))


WEB = service(held=["10.0.0.1", "2001:db8::10"])
V4, V6 = ips("10.0.0.1", "2001:db8::10")


def test_addresses_of_another_owner_are_elsewhere() -> None:
    assert seen("node-a", WEB).elsewhere == tuple(Elsewhere(address=each, node="node-b") for each in (V4, V6))
    assert seen("node-b", WEB).elsewhere == ()
    assert seen("node-a", WEB, alive=frozenset()).elsewhere == ()


def test_occupied_address_is_withheld_and_the_other_is_answered_for() -> None:
    stranger = Occupied(mac=MacAddress.parse("02:00:00:00:00:99"), interface="eth0", before_use=True)
    result = seen("node-b", WEB, occupied={V4: stranger})
    assert [entry.address for entry in result.layer2] == [V6]
    assert result.withheld == (V4,)
    assert [part.addresses for part in result.announced] == [(V6,)]
    assert decline(result).reason is DeclineReason.ADDRESS_IN_USE
    assert "10.0.0.1 is in use by MAC 02:00:00:00:00:99 on eth0" in decline(result).detail
    assert "2001:db8::10 is decided by itself" in decline(result).detail


@pytest.mark.parametrize(("node", "text"), [("node-c", "node node-c (MAC"), ("", "a machine with MAC 02:00")])
def test_yielded_address_names_who_has_it(node: str, text: str) -> None:
    other = Occupied(mac=MacAddress.parse("02:00:00:00:00:99"), interface="eth0", node=node)
    result = seen("node-b", service(held=["10.0.0.1"]), occupied={V4: other})
    assert not result.announced
    assert result.withheld == (V4,)
    assert decline(result).reason is DeclineReason.YIELDED
    assert text in decline(result).detail


def test_occupied_address_of_another_owner_is_not_withheld() -> None:
    stranger = Occupied(mac=MacAddress.parse("02:00:00:00:00:99"), interface="eth0")
    result = seen("node-a", WEB, occupied={V4: stranger})
    assert result.withheld == ()
    assert decline(result).reason is DeclineReason.NOT_OWNER


STRICT = known(l2("lan", *NODES, require_on_link=True))


def test_on_link_node_answers_even_if_another_sorts_first() -> None:
    links = {"node-a": (leg("eth0", "10.0.0.0/24"),), "node-b": (leg("eth0", "192.0.2.0/24"),)}
    assert seen("node-a", service(held=["10.0.0.1"]), config=STRICT, links=links).layer2


def test_nobody_on_link_names_the_subnet_and_what_nodes_have() -> None:
    links = {"node-a": (leg("eth0", "192.0.2.0/24", carrier=False),), "node-b": ()}
    result = seen("node-b", service(held=["10.0.0.1"]), config=STRICT, links=links)
    assert decline(result).reason is DeclineReason.NO_NODE_ON_LINK
    detail = decline(result).detail
    assert "L2Advertisement lan has requireOnLink" in detail
    assert "a subnet that holds 10.0.0.1" in detail
    assert "node-a has 192.0.2.0/24 on eth0 (no carrier); node-b has none; node-c has not said what it has" in detail


def test_long_list_of_nodes_is_cut() -> None:
    many = [f"n{number}" for number in range(9)]
    crowd = config(
        nodes=many, pools=[pool("p", "10.0.0.0/24", l2_advertisements=(l2("l", *many, require_on_link=True),))]
    )
    web = service(held=["10.0.0.1"])
    detail = decline(plan_group(crowd, [web], {web.metadata.key: endpoints("n1")}, view("n1"))).detail
    assert "n4 has not said what it has; 4 more;" in detail


def test_on_link_node_that_is_dead_is_no_matter_of_subnets() -> None:
    links = {"node-a": (leg("eth0", "10.0.0.0/24"),)}
    result = seen(
        "node-b", service(held=["10.0.0.1"]), config=STRICT, links=links, alive=frozenset({"node-b", "node-c"})
    )
    assert decline(result).reason is DeclineReason.NOT_OWNER


RESTRICTED = known(l2("lan", *NODES, interfaces=("eth1",)))


def test_node_with_the_interface_answers_before_the_one_without() -> None:
    links = {"node-b": (leg("eth0"),)}
    assert seen("node-a", service(held=["10.0.0.1"]), config=RESTRICTED, links=links).layer2


def test_owner_that_has_no_such_interface_says_so() -> None:
    links = dict.fromkeys(NODES, (leg("eth0"),))
    result = seen("node-b", service(held=["10.0.0.1"]), config=RESTRICTED, links=links)
    assert not result.layer2
    assert not result.announced
    assert decline(result).reason is DeclineReason.NO_INTERFACE
    assert 'node node-b has none of eth1 that may answer for "10.0.0.1"; those that may: eth0' in decline(result).detail


def test_interface_without_carrier_is_an_interface() -> None:
    links = dict.fromkeys(NODES, (leg("eth1", carrier=False),))
    assert seen("node-b", service(held=["10.0.0.1"]), config=RESTRICTED, links=links).layer2


def test_heartbeats_go_to_nodes_that_could_own_the_same_addresses() -> None:
    config_ = config(
        nodes=[*NODES, "node-d", "node-e"],
        pools=[
            pool("p", "10.0.0.0/24", l2_advertisements=(l2("one", "node-a", "node-b"), l2("two", "node-c"))),
            pool("q", "10.0.1.0/24", l2_advertisements=(l2("three", "node-b", "node-d"),)),
        ],
    )
    assert heartbeat_peers(config_, "node-a") == {"node-b", "node-c"}
    assert heartbeat_peers(config_, "node-b") == {"node-a", "node-c", "node-d"}
    assert heartbeat_peers(config_, "node-e") == frozenset()


@pytest.mark.parametrize(
    ("advertisements", "expected"),
    [
        ((), None),
        ((l2("x", "node-b", interfaces=("eth0",)),), None),
        ((l2("x", "node-a", interfaces=("eth1",)), l2("y", "node-a", interfaces=("eth0",))), ("eth0", "eth1")),
        ((l2("x", "node-a", interfaces=("eth1",)), l2("y", "node-a")), None),
        ((l2("x", "node-a", interfaces=("eth1",)), l2("y", "node-b")), ("eth1",)),
    ],
)
def test_announcing_interfaces_are_those_of_the_nodes_advertisements(
    advertisements: tuple[L2Advertisement, ...], expected: tuple[str, ...] | None
) -> None:
    assert announcing_interfaces(known(*advertisements), "node-a") == expected
