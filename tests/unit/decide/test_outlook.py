"""Who should announce a Service, and what is said where nobody should: a table of configurations."""

from ipaddress import ip_network
from typing import Any

import pytest

from orchestrator.config.model import Config, NodeFacts, Spread
from orchestrator.decide.drain import Drained, DrainStage
from orchestrator.decide.eligibility import NodeLink, NodeView, Occupied
from orchestrator.decide.node_plan import DeclineReason, Protocol
from orchestrator.decide.outlook import Outlook, Prospects, Speakers
from orchestrator.net.addresses import parse_address
from orchestrator.net.link import MacAddress
from orchestrator.resources.core import Service
from tests.support.objects import bgp, config, endpoints, key, l2, labeled, peer, pool, service

LAYER2, BGP = Protocol.LAYER2, Protocol.BGP
NODES = ("a", "b", "c")
WEB = service(held=["10.0.0.1"])
EVERYWHERE = ("a", "b", "c")


def facts(name: str, **fields: Any) -> NodeFacts:
    return NodeFacts(name=name, labels={}, **fields)


def known(*, nodes: Any = NODES, peers: Any = (), **advertisements: Any) -> Config:
    return config(nodes=nodes, pools=[pool("p", "10.0.0.0/24", "2001:db8::/120", **advertisements)], peers=peers)


def over_layer2(nodes: Any = NODES, **fields: Any) -> Config:
    return known(nodes=nodes, l2_advertisements=(l2("l", *EVERYWHERE, **fields),))


ROUTER = peer("r", *EVERYWHERE)


def over_bgp(nodes: Any = NODES, peers: Any = (ROUTER,), on: Any = EVERYWHERE, **fields: Any) -> Config:
    return known(nodes=nodes, peers=peers, bgp_advertisements=(bgp("b", *on, **fields),))


def outlook(
    known: Config, one: Service = WEB, *, serving: Any = EVERYWHERE, nodes: Any = NODES, **fields: Any
) -> Outlook:
    view = NodeView(node="", alive=frozenset(nodes), links=fields.pop("links", {}))
    prospects = Prospects(known, Speakers(nodes=frozenset(nodes), view=view, **fields))
    return prospects.outlook(one.metadata.key, [one], {one.metadata.key: endpoints(*serving)})


def told(found: Outlook) -> list[tuple[tuple[Protocol, ...], DeclineReason, tuple[str, ...]]]:
    return [(cause.protocols, cause.reason, cause.nodes) for cause in found.causes]


def test_drained_node_is_not_planned_unless_it_is_the_last() -> None:
    drains = {"b": Drained(DrainStage.HANDED_OVER, "1"), "c": Drained(DrainStage.MARKED, "2")}
    found = outlook(over_bgp(), drains=drains)
    assert found.planned == {BGP: ("a", "c")}
    assert told(found) == [((BGP,), DeclineReason.NODE_DRAINED, ("b",))]
    assert outlook(over_bgp(on=("b",)), drains=drains).planned == {BGP: ("b",)}
    forced = outlook(over_layer2(), drains={"a": Drained(DrainStage.OUT, "1")}, nodes=())
    assert forced.planned == {}


def test_elected_node_and_all_with_a_peer_are_planned() -> None:
    both = known(
        l2_advertisements=(l2("l", "b"),), bgp_advertisements=(bgp("g", *EVERYWHERE),), peers=[peer("r", "a", "c")]
    )
    found = outlook(both)
    assert found.planned == {LAYER2: ("b",), BGP: ("a", "c")}
    assert told(found) == [((BGP,), DeclineReason.NO_PEER_ON_NODE, ("b",))]


def test_nodes_without_a_speaker_count_for_nothing() -> None:
    assert outlook(over_bgp(), nodes=("b",)).planned == {BGP: ("b",)}


def test_even_spread_leaves_open_which_node_it_is() -> None:
    assert outlook(over_layer2(spread=Spread.EVEN)).planned == {LAYER2: ()}


LOCAL = service(held=["10.0.0.1"], external_traffic_policy="Local")
DUAL = service(held=["10.0.0.1", "2001:db8::1"])
SIX = service(held=["2001:db8::1"])
ALL_EXCLUDED = [facts(name, excluded_from_balancers=True) for name in NODES]
ONE_CUT = [facts("a", network_unavailable=True), *ALL_EXCLUDED[1:]]
SHARED = service(held=["10.0.0.1"], annotations={"metallb.io/allow-shared-ip": "key"}, labels={"app": "web"})
DAMPENED = frozenset({ip_network("10.0.0.1/32")})
TAKEN = Occupied(mac=MacAddress.parse("02:00:00:00:00:99"), interface="eth0", before_use=True)


@pytest.mark.parametrize(
    ("found", "causes"),
    [
        (outlook(known()), [((), DeclineReason.NO_MATCHING_ADVERTISEMENT, ())]),
        (outlook(over_layer2(), serving=()), [((), DeclineReason.NO_ENDPOINTS, ())]),
        (outlook(over_bgp(), serving=()), [((), DeclineReason.NO_ENDPOINTS, ())]),
        (outlook(over_layer2(), service(held=["10.9.0.1"])), [((), DeclineReason.IP_NOT_ALLOWED, ())]),
        (outlook(over_layer2(ALL_EXCLUDED)), [((LAYER2,), DeclineReason.NODE_EXCLUDED, NODES)]),
        (outlook(over_bgp(ALL_EXCLUDED)), [((BGP,), DeclineReason.NODE_EXCLUDED, NODES)]),
        (
            outlook(
                known(
                    nodes=ONE_CUT,
                    l2_advertisements=(l2("l", *NODES),),
                    bgp_advertisements=(bgp("g", *NODES),),
                    peers=[peer("r", *NODES)],
                )
            ),
            [
                ((LAYER2, BGP), DeclineReason.NODE_NETWORK_UNAVAILABLE, ("a",)),
                ((LAYER2, BGP), DeclineReason.NODE_EXCLUDED, ("b", "c")),
            ],
        ),
        (
            outlook(over_layer2(service_selectors=(labeled(app="other"),))),
            [((LAYER2,), DeclineReason.NO_MATCHING_ADVERTISEMENT, NODES)],
        ),
        (
            outlook(over_bgp(on=("x",))),
            [((BGP,), DeclineReason.NO_MATCHING_ADVERTISEMENT, NODES)],
        ),
        (outlook(over_bgp(peers=())), [((BGP,), DeclineReason.NO_PEER_ON_NODE, NODES)]),
        (outlook(over_bgp(), SIX), [((BGP,), DeclineReason.NO_PEER_CARRIES_FAMILY, NODES)]),
        (
            outlook(over_bgp(peers=[peer("r", "a", "b")]), LOCAL, serving=("c",)),
            [
                ((BGP,), DeclineReason.NO_LOCAL_ENDPOINTS, ("a", "b")),
                ((BGP,), DeclineReason.NO_PEER_ON_NODE, ("c",)),
            ],
        ),
        (outlook(over_layer2(), LOCAL, serving=("x",)), [((LAYER2,), DeclineReason.NO_LOCAL_ENDPOINTS, NODES)]),
        (
            outlook(over_layer2(service_selectors=(labeled(app="web"),)), SHARED),
            [((LAYER2,), DeclineReason.SHARED_IP_WITH_SERVICE_SELECTOR, ())],
        ),
        (
            outlook(over_layer2(require_on_link=True), links=dict.fromkeys(NODES, ())),
            [((LAYER2,), DeclineReason.NO_NODE_ON_LINK, NODES)],
        ),
        (
            outlook(
                over_layer2(interfaces=("eth9",)),
                nodes=("a",),
                links={"a": (NodeLink(interface="eth0", carrier=True),)},
            ),
            [((LAYER2,), DeclineReason.NO_INTERFACE, ("a",))],
        ),
        (
            outlook(over_bgp(), not_ready=frozenset({"b"}), dampened={"a": DAMPENED, "c": DAMPENED}),
            [((BGP,), DeclineReason.DAMPENED, ("a", "c")), ((BGP,), DeclineReason.NODE_NOT_READY, ("b",))],
        ),
        (
            outlook(over_layer2(), nodes=("a",), occupied={"a": {parse_address("10.0.0.1"): TAKEN}}),
            [((LAYER2,), DeclineReason.ADDRESS_IN_USE, ("a",))],
        ),
    ],
)
def test_cause_names_the_nodes_that_it_keeps(
    found: Outlook, causes: list[tuple[tuple[Protocol, ...], DeclineReason, tuple[str, ...]]]
) -> None:
    assert not found.planned
    assert told(found) == causes
    assert all(cause.text for cause in found.causes)


def test_missing_advertisement_names_the_pool() -> None:
    (cause,) = outlook(known()).causes
    assert cause.text == "no L2Advertisement or BGPAdvertisement selects pool p; create one"


def test_one_family_that_is_carried_is_enough() -> None:
    assert outlook(over_bgp(), DUAL).planned == {BGP: NODES}


def test_service_whose_sharer_serves_elsewhere_is_told_that_no_node_can_own_both() -> None:
    other = service("api", held=["10.0.0.1"], external_traffic_policy="Local")
    web = service(held=["10.0.0.1"], external_traffic_policy="Local")
    prospects = Prospects(over_layer2(), Speakers(nodes=frozenset(NODES), view=NodeView(node="")))
    slices = {key("web"): endpoints("a"), key("api"): endpoints("b")}
    found = prospects.outlook(key("web"), [web, other], slices)
    assert told(found) == [
        ((LAYER2,), DeclineReason.NOT_OWNER, ("a",)),
        ((LAYER2,), DeclineReason.NO_LOCAL_ENDPOINTS, ("b", "c")),
    ]


def test_nodes_that_keep_a_prefix_back_are_not_planned() -> None:
    found = outlook(over_bgp(), dampened={"b": DAMPENED})
    assert found.planned == {BGP: ("a", "c")}
    assert told(found) == [((BGP,), DeclineReason.DAMPENED, ("b",))]


def test_address_that_another_prefix_carries_is_not_kept_back() -> None:
    both = known(
        bgp_advertisements=(bgp("exact", *EVERYWHERE), bgp("wide", *EVERYWHERE, aggregation_length=24)), peers=[ROUTER]
    )
    assert outlook(both, dampened={"b": DAMPENED}).planned == {BGP: NODES}


def test_bgp_nodes_are_those_of_the_outlook() -> None:
    known_by = over_bgp(peers=[peer("r", "a", "c")])
    prospects = Prospects(known_by, Speakers(nodes=frozenset(NODES), view=NodeView(node="")))
    assert prospects.bgp_nodes(key("web"), [WEB], {key("web"): endpoints("a")}) == ("a", "c")
    assert not prospects.bgp_nodes(key("gone"), [WEB], {})
