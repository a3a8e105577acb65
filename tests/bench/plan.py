"""The speaker's pure part, in this process: planning, rendering and difference at 10 000 Services. CPU time, no daemon."""

import gc
import time
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv4Address

from jinja2 import FileSystemLoader

from orchestrator.config.model import Config
from orchestrator.config.resolve import resolve
from orchestrator.decide.eligibility import NodeView
from orchestrator.net.bgp import RouterId
from orchestrator.render.canonical import Line
from orchestrator.render.difference import change_of, difference
from orchestrator.render.document import FrrDocument
from orchestrator.render.environment import build_environment
from orchestrator.render.frr import FrrInput, FrrRenderer
from orchestrator.resources.core import LABEL_SERVICE_NAME, EndpointSlice
from orchestrator.resources.kinds import KubeObject
from orchestrator.runtime.planning import Planner
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import template_folder
from orchestrator.sources.interface import Upserted
from tests.bench.rows import Row, Scope, row_of
from tests.support import objects

SERVICES = 10_000
CHANGED = 200
NODE = "node-a"
FIRST = IPv4Address("10.0.0.1")
CHANGE_BUDGET = "<= 5"
FULL_BUDGET = "<= 2 000"


def measure(scope: Scope) -> Iterator[Row]:
    """Yield all at once, then one change."""
    yield from _plan_all(scope)
    yield _plan_one(scope)


# --- planning ---------------------------------------------------------------------------------------------------------


class _Node:
    """One node's planner and renderer over 10 000 Services with addresses; every third is Local."""

    def __init__(self) -> None:
        self.store = ObjectStore(objects.NAMESPACE, "none")
        self.store.apply([Upserted(obj) for obj in _cluster()])
        self.config: Config = resolve(self.store.snapshot(), {}).config
        self.planner = Planner(NodeView(node=NODE), self.store)
        self.renderer = FrrRenderer(build_environment(FileSystemLoader(template_folder())))

    def plan(self) -> None:
        self.planner.configuration_changed(self.config)

    def render(self) -> FrrDocument:
        facts = self.config.nodes[NODE]
        return self.renderer.render(
            FrrInput(
                node=facts, config=self.config, plan=self.planner.plan, router_id=RouterId(IPv4Address("192.0.2.11"))
            )
        )

    def toggle(self, number: int, *, ready: bool) -> None:
        self.store.apply([Upserted(endpoints_of(number, NODE, ready=ready))])


def _cluster() -> Iterator[KubeObject]:
    yield objects.node_object(NODE)
    yield objects.pool_object("many", "10.0.0.0/8")
    yield objects.bgp_object("all", communities=("64512:100",))
    yield objects.peer_object("router", "192.0.2.254")
    yield objects.peer_object("second", "192.0.2.253")
    for number in range(SERVICES):
        policy = "Cluster" if number % 3 else "Local"
        yield objects.service(name_of(number), held=[str(FIRST + number)], external_traffic_policy=policy)
        yield endpoints_of(number, NODE, ready=True)


def name_of(number: int) -> str:
    """Return the name of a Service."""
    return f"many-{number:05}"


def endpoints_of(number: int, node: str, *, ready: bool) -> EndpointSlice:
    """Return one endpoint of a Service, on a node."""
    return EndpointSlice(
        metadata=objects.metadata(name_of(number), "default", labels={LABEL_SERVICE_NAME: name_of(number)}),
        endpoints=(objects.endpoint(node, ready=ready),),
    )


def _plan_all(scope: Scope) -> Iterator[Row]:
    rounds = [_Round(_Node()) for _ in range(scope.times(5))]
    yield row_of("10 000 Services planned from nothing", [each.first for each in rounds], "ms")
    yield row_of("10 000 Services planned again", [each.again for each in rounds], "ms")
    yield row_of("10 000 prefixes rendered from nothing", [each.render for each in rounds], "ms")
    yield row_of("10 000 prefixes compared", [each.compare for each in rounds], "ms")
    together = [each.again + each.render + each.compare for each in rounds]
    yield row_of("full recomputation at 10 000 Services", together, "ms", budget=FULL_BUDGET, note="these three")


class _Round:
    """Everything once, on a fresh node: CPU milliseconds of each part."""

    def __init__(self, node: _Node) -> None:
        self.first = cpu_ms(node.plan)
        self.again = cpu_ms(node.plan)
        assert len(node.planner.plan.routes) == SERVICES
        self._wanted: frozenset[Line] = frozenset()
        self.render = cpu_ms(partial(self._render, node))
        running = self._wanted - {min(self._wanted)}
        self.compare = cpu_ms(partial(difference, running, self._wanted, self._wanted))

    def _render(self, node: _Node) -> None:
        """The lines belong to it: the daemons are compared by lines."""
        self._wanted = node.render().lines("bgpd")


def full_recomputations() -> Iterator[None]:
    """Return the endless repetition of plan and rendering of 10 000 Services; what it starts from is there already."""
    node = _Node()

    def again() -> Iterator[None]:
        while True:
            node.plan()
            node.render()
            yield

    return again()


def _plan_one(scope: Scope) -> Row:
    """One endpoint of a Service with policy Local goes or comes: plan, update of the document, difference."""
    node = _Node()
    node.plan()
    document = node.render()
    running = set(document.lines("bgpd"))
    samples = []
    for turn in range(scope.times(CHANGED)):
        node.toggle(0, ready=bool(turn % 2))
        started = time.process_time()
        change = node.planner.services_changed([objects.key(name_of(0))]).change
        assert len(change.prefixes) == 1
        after = node.renderer.update(document, {each: node.planner.plan.routes.get(each) for each in change.prefixes})
        blocks = after.changed_since(document)
        found = change_of(running, after.lines_of_blocks(blocks, "bgpd"), document.lines_of_blocks(blocks, "bgpd"))
        samples.append((time.process_time() - started) * 1000)
        assert found.commands
        running = (running - found.gone) | found.come
        document = after
    return row_of("one change at 10 000: plan + update + difference", samples, "ms", budget=CHANGE_BUDGET)


def cpu_ms(action: Callable[[], object]) -> float:
    """Return the CPU time of this process during the action; what earlier ones left is collected before."""
    gc.collect()
    started = time.process_time()
    action()
    return (time.process_time() - started) * 1000
