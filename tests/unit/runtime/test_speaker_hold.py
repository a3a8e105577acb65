"""A configuration that would withdraw most prefixes waits; what loses service does not."""

from dataclasses import replace
from math import inf

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from orchestrator.config.model import Config, NodeFacts
from orchestrator.decide.eligibility import NodeView
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.core import LABEL_SERVICE_NAME, EndpointSlice
from orchestrator.resources.meta import ObjectMeta
from orchestrator.runtime.planning import Planner
from orchestrator.runtime.speaker_hold import ConfigurationHold
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import SourceEvent, Upserted
from tests.support import objects

HOLD_S = 5.0
SERVICES = 30
CUT = NodeFacts(name="n1", labels={}, network_unavailable=True)


def configured(*, length: int = 32, half: bool = False, nodes: tuple[str, ...] = ("n1",)) -> Config:
    """One pool, announced in prefixes of that length; `half`: only its upper half is left."""
    text = "198.51.100.16/28" if half else "198.51.100.0/24"
    advertisement = objects.bgp("all", *nodes, aggregation_length=length)
    pool = objects.pool("edge", text, bgp_advertisements=(advertisement,))
    return objects.config(nodes=("n1",), pools=[pool], peers=[objects.peer("tor", "n1")])


FULL, NONE = configured(), configured(nodes=())


def service_events(number: int, *, ready: bool = True) -> list[SourceEvent]:
    name = f"s{number}"
    metadata = ObjectMeta(name=f"{name}-1", namespace="default", labels={LABEL_SERVICE_NAME: name})
    part = EndpointSlice(metadata=metadata, endpoints=(objects.endpoint("n1", ready=ready),))
    return [Upserted(objects.service(name, held=(f"198.51.100.{number}",))), Upserted(part)]


class Node:
    """The planner of node n1, which announces a prefix per Service."""

    def __init__(self, services: int = SERVICES, hold_s: float = HOLD_S) -> None:
        self.metrics = Metrics(SPEAKER_METRICS)
        self.store = ObjectStore(objects.NAMESPACE, "ferrule-last-good")
        self.planner = Planner(NodeView(node="n1"), self.store)
        self.hold = ConfigurationHold(hold_s, self.metrics)
        self.store.apply([event for number in range(1, services + 1) for event in service_events(number)])
        self.planner.configuration_changed(FULL)

    def weigh(self, config: Config, now: float, *events: SourceEvent) -> Config:
        """Weigh a configuration that comes with these events, and plan with what is to be used."""
        changes = self.store.apply(events)
        _, chosen = self.hold.weigh(self.planner, config, changes.announcements, now)
        if chosen != self.planner.config:
            self.planner.configuration_changed(chosen)
        return chosen

    @property
    def prefixes(self) -> int:
        return len(self.planner.plan.routes)

    def samples(self) -> set[str]:
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return {line for line in lines if line.startswith(("ferrule_withdrawals_held ", "ferrule_withdrawal_holds"))}


def test_configuration_that_takes_most_away_waits_and_is_used_when_time_is_over() -> None:
    node = Node()
    with capture_logs() as logged:
        assert node.weigh(NONE, 10.0) == FULL
        assert (node.prefixes, node.hold.deadline) == (SERVICES, 15.0)
        assert node.samples() == {"ferrule_withdrawals_held 30.0"}
        assert node.weigh(NONE, 14.9) == FULL
        assert node.weigh(NONE, 15.0) == NONE
    assert (node.prefixes, node.hold.deadline) == (0, inf)
    assert node.samples() == {
        "ferrule_withdrawals_held 0.0",
        'ferrule_withdrawal_holds_total{outcome="withdrawn"} 1.0',
    }
    first, last = logged
    assert (first["event"], first["prefixes"], first["of"], first["seconds"]) == ("withdrawal held", 30, 30, 5.0)
    assert first["first"][0] == "198.51.100.1/32"
    assert (last["event"], last["outcome"]) == ("held withdrawal ends", "withdrawn")


def test_configuration_that_comes_back_in_time_has_changed_nothing() -> None:
    node = Node()
    node.weigh(NONE, 10.0)
    assert node.weigh(FULL, 12.0) == FULL
    assert (node.prefixes, node.hold.deadline) == (SERVICES, inf)
    assert 'ferrule_withdrawal_holds_total{outcome="averted"} 1.0' in node.samples()
    assert node.weigh(NONE, 13.0) == FULL
    assert node.hold.deadline == 18.0


def test_further_edits_do_not_prolong_the_wait() -> None:
    node = Node()
    node.weigh(NONE, 10.0)
    assert node.weigh(configured(half=True, nodes=()), 14.0) == FULL
    assert node.hold.deadline == 15.0


@pytest.mark.parametrize(
    "config", [configured(half=True, length=32), configured(length=24), FULL], ids=["half stays", "aggregate", "same"]
)
def test_configuration_that_leaves_enough_is_used_at_once(config: Config) -> None:
    assert Node().weigh(config, 10.0) == config


def test_few_prefixes_go_at_once() -> None:
    assert Node(services=19).weigh(NONE, 10.0) == NONE


def test_hold_of_zero_is_none() -> None:
    assert Node(hold_s=0.0).weigh(NONE, 10.0) == NONE


def test_node_that_loses_its_network_withdraws_at_once() -> None:
    node = Node()
    cut = replace(FULL, nodes={"n1": CUT})
    assert node.weigh(cut, 10.0) == cut
    assert node.prefixes == 0


def test_what_is_known_of_nodes_does_not_wait_with_the_configuration() -> None:
    node = Node()
    assert node.weigh(replace(NONE, nodes={"n1": CUT}), 10.0) == replace(NONE, nodes={"n1": CUT})
    assert node.prefixes == 0


def test_endpoints_that_go_together_with_the_configuration_are_lost_at_once() -> None:
    node = Node()
    assert node.weigh(NONE, 10.0, *service_events(1, ready=False)) == FULL
    assert node.prefixes == SERVICES - 1


def test_endpoints_that_go_do_not_make_a_configuration_wait() -> None:
    node = Node()
    lost = [event for number in range(1, 16) for event in service_events(number, ready=False)]
    assert node.weigh(NONE, 10.0, *lost) == NONE
