"""The planner plans again what a change can affect, and nothing else."""

from collections.abc import Sequence

from orchestrator.config.model import Config
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.node_plan import DeclineReason
from orchestrator.net.addresses import Prefix, covering_prefix, parse_address
from orchestrator.resources import core
from orchestrator.resources.meta import ObjectKey, ObjectMeta
from orchestrator.runtime.planning import Planner
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import SourceEvent, Upserted
from tests.support import objects

NODES = frozenset({"n1", "n2"})
WEB, API = objects.key("web"), objects.key("api")


def settled(*, nodes: Sequence[str] = ("n1", "n2")) -> Config:
    pool = objects.pool(
        "edge",
        "198.51.100.0/24",
        bgp_advertisements=(objects.bgp("all", *nodes),),
        l2_advertisements=(objects.l2("all", *nodes),),
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
        return self.store.apply(events).services


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
    outcome = node.planner.alive_changed(frozenset({"n1"}))
    assert set(node.planner.plan.layer2) == set(objects.ips("198.51.100.1", "198.51.100.2"))
    assert outcome.change.addresses == set(node.planner.plan.layer2) - before
    assert not outcome.change.prefixes


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
