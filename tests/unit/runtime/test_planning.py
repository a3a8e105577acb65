"""The planner plans again what a change can affect, and nothing else."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import msgspec
import pytest

from orchestrator.config.model import Config, Spread, Weight
from orchestrator.decide.drain import DrainStage
from orchestrator.decide.eligibility import NodeLink, NodeView, Occupied, Placement
from orchestrator.decide.node_plan import DeclineReason
from orchestrator.decide.weights import Precision
from orchestrator.net.addresses import Prefix, covering_prefix, parse_address
from orchestrator.net.link import MacAddress
from orchestrator.resources import core
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef
from orchestrator.runtime.planning import Planner
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import Removed, SourceEvent, Upserted
from tests.support import objects

NODES = frozenset({"n1", "n2"})
WEB, API = objects.key("web"), objects.key("api")


def settled(*, nodes: Sequence[str] = ("n1", "n2"), spread: Spread = Spread.HASH) -> Config:
    pool = objects.pool(
        "edge",
        "198.51.100.0/24",
        bgp_advertisements=(objects.bgp("all", *nodes),),
        l2_advertisements=(objects.l2("all", *nodes, spread=spread),),
    )
    return objects.config(nodes=nodes, pools=[pool], peers=[objects.peer("tor", *nodes)])


def slice_of(service: str, *nodes: str) -> core.EndpointSlice:
    labels = {core.LABEL_SERVICE_NAME: service}
    parts = tuple(objects.endpoint(node) for node in nodes)
    return core.EndpointSlice(
        metadata=ObjectMeta(name=f"{service}-1", namespace="default", labels=labels), endpoints=parts
    )


def prefix(address: str) -> Prefix:
    return covering_prefix(parse_address(address), 32)


class Node:
    """The planner of node n1 with its store; two Services have an endpoint each."""

    def __init__(self) -> None:
        self.store = ObjectStore(objects.NAMESPACE, "ferrule-last-good")
        self.planner = Planner(NodeView(node="n1", alive=NODES), self.store)
        self.tell(
            Upserted(objects.service("web", held=("198.51.100.1",))),
            Upserted(objects.service("api", held=("198.51.100.2",))),
            Upserted(slice_of("web", "n1")),
            Upserted(slice_of("api", "n2")),
        )

    def tell(self, *events: SourceEvent) -> set[ObjectKey]:
        return self.store.apply(events).announcements


def test_configuration_plans_everything() -> None:
    node = Node()
    outcome = node.planner.configuration_changed(settled())
    assert set(outcome.groups) == {WEB, API}
    assert set(node.planner.plan.routes) == {prefix("198.51.100.1"), prefix("198.51.100.2")}


def test_changed_endpoints_change_one_group() -> None:
    node = Node()
    node.planner.configuration_changed(settled())
    outcome = node.planner.services_changed(node.tell(Upserted(slice_of("web"))))
    assert set(outcome.groups) == {WEB}
    assert outcome.change.prefixes == {prefix("198.51.100.1")}
    assert prefix("198.51.100.1") not in node.planner.plan.routes


@pytest.mark.parametrize(("weight", "prefixes"), [(Weight.ENDPOINTS, {"198.51.100.1"}), (Weight.EQUAL, set())])
def test_another_number_of_endpoints_changes_a_prefix_that_is_weighed(weight: Weight, prefixes: set[str]) -> None:
    node = Node()
    node.tell(Upserted(objects.service("web", held=("198.51.100.1",), external_traffic_policy="Local")))
    config = settled()
    pool = config.pools["edge"]
    weighed = tuple(replace(each, weight=weight) for each in pool.bgp_advertisements)
    node.planner.configuration_changed(replace(config, pools={"edge": replace(pool, bgp_advertisements=weighed)}))
    told = node.tell(Upserted(msgspec.structs.replace(slice_of("web"), endpoints=objects.pods(n1=3, n2=7).endpoints)))
    assert node.planner.services_changed(told).change.prefixes == {prefix(each) for each in prefixes}
    sent = {attributes.weight for _, attributes in node.planner.plan.routes[prefix("198.51.100.1")].policy.per_peer}
    assert sent == ({3} if prefixes else {0})
    assert node.planner.diverging([WEB, API]) == 0
    assert node.planner.limit_policies(300).change.prefixes == set()
    assert node.planner.precision is Precision.FINE


def test_every_step_of_a_drain_plans_the_routes_again() -> None:
    node = Node()
    node.planner.configuration_changed(settled())
    both = {prefix("198.51.100.1"), prefix("198.51.100.2")}
    for stage in (DrainStage.MARKED, DrainStage.HANDED_OVER, DrainStage.OUT, DrainStage.SERVING):
        changed = node.planner.view_changed(replace(node.planner.view, drain=stage)).change.prefixes
        assert changed == (set() if stage is DrainStage.HANDED_OVER else both)
        assert set(node.planner.plan.routes) == (set() if stage is DrainStage.OUT else both)
        assert node.planner.diverging(node.planner.group_plans) == 0
    held = replace(node.planner.view, drain=DrainStage.HANDED_OVER)
    node.planner.view_changed(held)
    node.planner.view_changed(replace(held, successors=frozenset({"n2"})))
    assert not node.planner.plan.routes


def test_unchanged_plan_is_no_outcome() -> None:
    node = Node()
    node.planner.configuration_changed(settled())
    assert not node.planner.services_changed([WEB, API]).groups


def test_services_that_come_to_share_an_address_become_one_group() -> None:
    node = Node()
    node.planner.configuration_changed(settled())
    changed = node.tell(Upserted(objects.service("web", held=("198.51.100.2",))))
    assert set(node.planner.services_changed(changed).groups) == {WEB, API}
    assert list(node.planner.group_plans) == [min(WEB, API)]


def test_death_of_a_node_moves_its_layer2_addresses_only() -> None:
    node = Node()
    node.planner.configuration_changed(settled())
    before = set(node.planner.plan.layer2)
    outcome = node.planner.view_changed(replace(node.planner.view, alive=frozenset({"n1"})))
    assert set(node.planner.plan.layer2) == set(objects.ips("198.51.100.1", "198.51.100.2"))
    assert outcome.change.addresses == set(node.planner.plan.layer2) - before
    assert not outcome.change.prefixes


def test_node_of_the_reserve_has_what_nobody_else_may_have() -> None:
    node = Node()
    web = objects.service("web", held=("198.51.100.1",), external_traffic_policy="Local")
    node.planner.configuration_changed(settled())
    node.planner.services_changed(node.tell(Upserted(web)))
    node.planner.view_changed(replace(node.planner.view, alive=frozenset({"n2"})))
    assert not node.planner.plan.layer2
    node.planner.view_changed(replace(node.planner.view, reserve=frozenset({"n1"})))
    assert set(node.planner.plan.layer2) == set(objects.ips("198.51.100.1"))
    assert node.planner.diverging(node.planner.group_plans) == 0
    node.planner.services_changed(node.tell(Upserted(slice_of("web", "n1", "n2"))))
    assert not node.planner.plan.layer2


def test_service_of_another_type_has_no_plan() -> None:
    node = Node()
    node.planner.configuration_changed(settled())
    other = core.Service(metadata=ObjectMeta(name="web", namespace="default"))
    node.planner.services_changed(node.tell(Upserted(other)))
    assert set(node.planner.group_plans) == {API}


def test_wrong_address_in_a_status_is_a_reason() -> None:
    node = Node()
    node.tell(Upserted(objects.service("web", held=("198.51.100.300",))))
    node.planner.configuration_changed(settled())
    assert {part.reason for part in node.planner.group_plans[WEB].declined} == {DeclineReason.INVALID_IP}


def test_kept_plans_agree_with_a_fresh_computation() -> None:
    node = Node()
    node.planner.configuration_changed(settled())
    assert node.planner.diverging([WEB, API]) == 0
    node.tell(Upserted(slice_of("web")))
    assert node.planner.diverging([WEB, API]) == 1


# What else a view tells -----------------------------------------------------------------------------------------------

WEB_ADDRESS, API_ADDRESS = objects.ips("198.51.100.1", "198.51.100.2")


def planned(spread: Spread = Spread.HASH) -> Node:
    node = Node()
    node.planner.configuration_changed(settled(spread=spread))
    return node


def test_death_of_a_node_plans_no_group_of_another_owner() -> None:
    node = planned()
    own = set(node.planner.plan.layer2)
    outcome = node.planner.view_changed(replace(node.planner.view, alive=frozenset({"n1"})))
    changed = {entry.address for before, _ in outcome.groups.values() for entry in before.layer2}
    assert not changed & own


def test_placement_moves_its_address_and_its_end_moves_it_back() -> None:
    node = planned()
    before = node.planner.view
    for address, to in ((WEB_ADDRESS, "n1"), (WEB_ADDRESS, "n2")):
        node.planner.view_changed(replace(before, placements={address: Placement(to=to)}))
        assert (address in node.planner.plan.layer2) is (to == "n1")
    node.planner.view_changed(before)
    assert set(node.planner.plan.layer2) == set(planned().planner.plan.layer2)


def test_occupied_address_is_withheld_until_it_is_free() -> None:
    node = planned()
    free = replace(node.planner.view, alive=frozenset({"n1"}))
    node.planner.view_changed(free)
    stranger = Occupied(mac=MacAddress.parse("02:00:00:00:00:99"), interface="eth0")
    outcome = node.planner.view_changed(replace(free, occupied={WEB_ADDRESS: stranger}))
    assert set(outcome.groups) == {WEB}
    assert node.planner.group_plans[WEB].withheld == (WEB_ADDRESS,)
    node.planner.view_changed(free)
    assert WEB_ADDRESS in node.planner.plan.layer2


def test_lost_carrier_moves_the_addresses_away() -> None:
    node = planned()
    assert node.planner.plan.layer2
    dark = {"n1": (NodeLink(interface="eth0", carrier=False),)}
    node.planner.view_changed(replace(node.planner.view, links=dark))
    assert not node.planner.plan.layer2


@pytest.mark.parametrize("spread", Spread)
def test_what_is_remembered_makes_no_difference(spread: Spread) -> None:
    node, chance = Node(), Random(8)
    node.planner.configuration_changed(settled(spread=spread))
    for _ in range(60):
        placements = {parse_address("198.51.100.1"): Placement(to=chance.choice(["", "n1", "n2"]))}
        links = {"n2": (NodeLink(interface="eth0", carrier=chance.random() < 0.5),)}
        node.planner.view_changed(
            replace(
                node.planner.view,
                alive=chance.choice([None, frozenset(), frozenset({"n2"}), NODES]),
                links=chance.choice([{}, links]),
                placements=chance.choice([{}, placements]),
            )
        )
        assert node.planner.diverging(node.planner.group_plans) == 0


def test_view_that_changes_together_with_the_end_of_a_service_is_planned_without_it() -> None:
    node = Node()
    pool = objects.pool("edge", "198.51.100.0/24", bgp_advertisements=(objects.bgp("all", "n1"),))
    config = objects.config(nodes=("n1", "n2"), pools=[pool], peers=[objects.peer("tor", "n1")])
    node.planner.configuration_changed(config)
    gone = node.tell(Removed(ObjectRef("Service", *WEB)))
    node.planner.view_changed(replace(node.planner.view, links={"n1": ()}))
    node.planner.services_changed(gone)
    assert set(node.planner.plan.routes) == {prefix("198.51.100.2")}
    assert set(node.planner.group_plans) == {API}


def test_unchanged_view_changes_nothing() -> None:
    node = planned()
    assert not node.planner.view_changed(node.planner.view).groups


def test_even_shares_give_each_node_one() -> None:
    node = planned(Spread.EVEN)
    assert len(node.planner.plan.layer2) == 1
    assert sorted(node.planner.view.shares.values()) == ["n1", "n2"]


def test_even_share_of_a_dead_node_comes_over_and_goes_back() -> None:
    node = planned(Spread.EVEN)
    before, view = set(node.planner.plan.layer2), node.planner.view
    node.planner.view_changed(replace(view, alive=frozenset({"n1"})))
    assert set(node.planner.plan.layer2) == {WEB_ADDRESS, API_ADDRESS}
    node.planner.view_changed(view)
    assert set(node.planner.plan.layer2) == before
    assert node.planner.diverging(node.planner.group_plans) == 0


def test_spread_that_is_turned_off_is_forgotten() -> None:
    node = planned(Spread.EVEN)
    node.planner.configuration_changed(settled())
    assert not node.planner.view.shares
    assert set(node.planner.plan.layer2) == set(planned().planner.plan.layer2)


def test_better_right_is_the_elections() -> None:
    for spread in Spread:
        node = planned(spread)
        owners = {address: node.planner.owner_between(address, NODES) for address in (WEB_ADDRESS, API_ADDRESS)}
        assert {address for address, owner in owners.items() if owner == "n1"} == set(node.planner.plan.layer2)


def test_better_right_does_not_depend_on_who_lives() -> None:
    for spread in Spread:
        node, alone = planned(spread), planned(spread)
        alone.planner.view_changed(replace(alone.planner.view, alive=frozenset({"n1"})))
        for address in (WEB_ADDRESS, API_ADDRESS):
            assert node.planner.owner_between(address, NODES) == alone.planner.owner_between(address, NODES)


def test_right_of_a_rival_that_is_no_candidate_comes_last() -> None:
    node = planned()
    assert node.planner.owner_between(WEB_ADDRESS, frozenset({"n1", "stranger"})) == "n1"
    assert node.planner.owner_between(WEB_ADDRESS, frozenset({"stranger"})) == "stranger"
    assert node.planner.owner_between(objects.ips("198.51.100.9")[0], NODES) is None
