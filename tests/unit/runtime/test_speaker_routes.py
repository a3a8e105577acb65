"""What is announced of what is planned: prefixes that come and go are kept back, whatever people edit is not."""

from math import inf

from prometheus_client import generate_latest

from orchestrator.config.model import Config
from orchestrator.decide.eligibility import NodeView
from orchestrator.fsm.damping import FIRST_DELAY_S, FREE
from orchestrator.net.addresses import Prefix, covering_prefix, parse_address
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.core import LABEL_SERVICE_NAME, EndpointSlice
from orchestrator.resources.meta import ObjectMeta
from orchestrator.runtime.planning import Outcome, Planner
from orchestrator.runtime.speaker_routes import SpeakerRoutes
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import Upserted
from tests.support import objects

WEB = "198.51.100.1"


def prefix(address: str) -> Prefix:
    return covering_prefix(parse_address(address), 32)


def announcing(*nodes: str, med: int = 0) -> Config:
    pool = objects.pool("edge", "198.51.100.0/24", bgp_advertisements=(objects.bgp("all", *nodes, med=med),))
    return objects.config(nodes=("n1",), pools=[pool], peers=[objects.peer("tor", "n1")])


class Node:
    """The planner and the routes of node n1 with one Service."""

    def __init__(self) -> None:
        self.metrics = Metrics(SPEAKER_METRICS)
        self.store = ObjectStore(objects.NAMESPACE, "ferrule-last-good")
        self.planner = Planner(NodeView(node="n1"), self.store)
        self.routes = SpeakerRoutes(60.0, self.metrics)
        self.store.apply([Upserted(objects.service("web", held=(WEB,)))])
        self.endpoint(ready=True, now=0.0)
        self.configure(announcing("n1"), now=0.0)

    def endpoint(self, *, ready: bool, now: float) -> frozenset[Prefix]:
        metadata = ObjectMeta(name="web-1", namespace="default", labels={LABEL_SERVICE_NAME: "web"})
        part = EndpointSlice(metadata=metadata, endpoints=(objects.endpoint("n1", ready=ready),))
        changes = self.store.apply([Upserted(part)])
        return self.follow(now, self.planner.services_changed(changes.announcements))

    def configure(self, config: Config, now: float) -> frozenset[Prefix]:
        return self.follow(now, self.planner.configuration_changed(config))

    def follow(self, now: float, *outcomes: Outcome) -> frozenset[Prefix]:
        return self.routes.follow(self.planner.plan, outcomes, now)

    def flap(self, times: int) -> None:
        """Lose the endpoint so often within a second; it is there again at the end."""
        for number in range(times):
            self.endpoint(ready=False, now=1.0 + number / 100)
            self.endpoint(ready=True, now=1.0 + number / 100)

    def sample(self, name: str) -> float:
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def test_routes_are_the_plans_while_nothing_flaps() -> None:
    node = Node()
    assert node.routes.routes == node.planner.plan.routes
    assert node.configure(announcing("n1", med=5), now=1.0) == {prefix(WEB)}
    assert node.routes.routes == node.planner.plan.routes
    assert node.endpoint(ready=False, now=2.0) == {prefix(WEB)}
    assert node.routes.routes == {}
    assert node.routes.deadline == inf


def test_fourth_return_waits_and_is_announced_when_time_has_passed() -> None:
    node = Node()
    node.flap(FREE)
    assert prefix(WEB) in node.routes.routes
    node.flap(1)
    assert (dict(node.routes.routes), set(node.routes.dampened)) == ({}, {prefix(WEB)})
    assert node.sample("ferrule_prefixes_dampened") == 1
    assert node.follow(node.routes.deadline - 0.1) == frozenset()
    assert node.follow(node.routes.deadline) == {prefix(WEB)}
    assert node.routes.routes == node.planner.plan.routes
    assert not node.routes.dampened
    assert node.sample("ferrule_prefixes_dampened") == 0
    assert node.sample("ferrule_prefix_dampings_total") == 1


def test_losing_what_waits_changes_nothing_on_the_wire() -> None:
    node = Node()
    node.flap(FREE + 1)
    assert node.endpoint(ready=False, now=3.0) == frozenset()
    assert node.routes.deadline == inf
    assert node.follow(3.0 + FIRST_DELAY_S) == frozenset()


def test_attributes_that_change_meanwhile_are_announced_in_the_end() -> None:
    node = Node()
    node.flap(FREE + 1)
    assert node.configure(announcing("n1", med=5), now=3.0) == frozenset()
    assert node.follow(node.routes.deadline) == {prefix(WEB)}
    assert node.routes.routes == node.planner.plan.routes


def test_configuration_that_comes_and_goes_is_no_flapping() -> None:
    node = Node()
    for number in range(10):
        assert node.configure(announcing(), now=float(number)) == {prefix(WEB)}
        assert node.configure(announcing("n1"), now=float(number)) == {prefix(WEB)}
