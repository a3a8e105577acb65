"""Planning layer 2 at 10 000 Services on one of 3 nodes: an endpoint that goes, a node that dies and comes back. CPU time."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from orchestrator.config.model import Spread
from orchestrator.config.resolve import resolve
from orchestrator.decide.eligibility import NodeView
from orchestrator.runtime.planning import Planner
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import Upserted
from tests.bench.plan import CHANGE_BUDGET, CHANGED, FIRST, SERVICES, cpu_ms, endpoints_of, name_of
from tests.bench.rows import Row, Scope, row_of
from tests.support import objects

NODES = ("node-a", "node-b", "node-c")
EVEN_CHANGE_BUDGET = "<= 10"
DEATH_BUDGET = "<= 300"


def measure(scope: Scope) -> Iterator[Row]:
    """Yield what each event costs, for both ways to spread addresses."""
    for spread, change_budget in ((Spread.HASH, CHANGE_BUDGET), (Spread.EVEN, EVEN_CHANGE_BUDGET)):
        node = _Node(spread)
        what = f"10 000 layer-2 Services on 3 nodes, {spread.value}"
        samples = [node.toggle(ready=bool(turn % 2)) for turn in range(scope.times(CHANGED))]
        yield row_of(f"one change at {what}", samples, "ms", budget=change_budget)
        rounds = [(node.see(NODES[:-1]), node.see(NODES)) for _ in range(scope.times(20))]
        yield row_of(f"death of a node at {what}", [death for death, _ in rounds], "ms", budget=DEATH_BUDGET)
        yield row_of(f"its return at {what}", [back for _, back in rounds], "ms")


class _Node:
    """The planner of the first node, which hosts all endpoints; each call returns its CPU milliseconds."""

    def __init__(self, spread: Spread) -> None:
        self._store = ObjectStore(objects.NAMESPACE, "none")
        self._store.apply([Upserted(objects.node_object(name)) for name in NODES])
        self._store.apply([Upserted(objects.pool_object("many", "10.0.0.0/8"))])
        self._store.apply([Upserted(objects.l2_object("all", spread=spread.value))])
        for number in range(SERVICES):
            self._store.apply([Upserted(objects.service(name_of(number), held=[str(FIRST + number)]))])
            self._store.apply([Upserted(endpoints_of(number, NODES[0], ready=True))])
        self._planner = Planner(NodeView(node=NODES[0], alive=frozenset(NODES)), self._store)
        self._planner.configuration_changed(resolve(self._store.snapshot(), {}).config)

    def toggle(self, *, ready: bool) -> float:
        """The only endpoint of a Service goes or comes: without one the Service is not announced."""
        self._store.apply([Upserted(endpoints_of(0, NODES[0], ready=ready))])
        started = time.process_time()
        self._planner.services_changed([objects.key(name_of(0))])
        return (time.process_time() - started) * 1000

    def see(self, alive: Iterable[str]) -> float:
        """Others live than before: a third of the addresses moves."""
        view = replace(self._planner.view, alive=frozenset(alive))
        return cpu_ms(partial(self._planner.view_changed, view))
