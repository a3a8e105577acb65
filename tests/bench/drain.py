"""A drain under load: what a client loses that sends 1000 datagrams a second through the router, and how long it takes.

Two nodes, one with each engine, both with an endpoint of the Service. The client is one flow, so the router has it on
one of the two: each node is drained and comes back in every round.
"""

import contextlib
import io
import time
from collections.abc import Iterator
from contextlib import ExitStack

from orchestrator.cli.main import main
from orchestrator.lab import layout
from orchestrator.lab.topology import Lab
from tests.bench.rows import Row, Scope, row_of
from tests.support import loss
from tests.support.engines import ENGINES, same_routes, two_engines
from tests.support.running_lab import LIMIT_S, wait

TIMES = 20
ADDRESS = "203.0.113.17"
PREFIXES = 6
WAIT_S = 0.3


def measure(scope: Scope) -> Iterator[Row]:
    """Yield loss and duration for each engine."""
    with two_engines("bench-drain", "--drain-wait", f"{WAIT_S}s") as lab, ExitStack() as stack:
        for node in ENGINES:
            stack.enter_context(loss.service(lab.machines[node], ADDRESS))
        for node, engine in ENGINES.items():
            samples = [_round(lab, node) for _ in range(scope.times(TIMES))]
            lost, seconds = zip(*samples, strict=True)
            note = f"most {max(lost):.0f}"
            yield row_of(f"drain and undo, {engine.value}: datagrams lost", lost, "of 1000/s", budget="0", note=note)
            yield row_of(f"drain -> nothing announced, {engine.value}, {WAIT_S:g} s of it marked", seconds, "s")


def _round(lab: Lab, node: str) -> tuple[float, float]:
    """Return how many datagrams were lost, and how long the command took."""
    with loss.client(lab.machines[layout.CLIENT], ADDRESS) as client:
        client.wait_for(300)
        started = time.monotonic()
        _drain(lab, node)
        took = time.monotonic() - started
        _drain(lab, node, "--undo")
        wait(lambda: same_routes(lab, PREFIXES), "the same routes of both nodes")
        client.wait_for(300)
        return float(len(client.stop())), took


def _drain(lab: Lab, *words: str) -> None:
    folders = ["--source", f"manifests:{lab.folder.manifests}", "--state", str(lab.folder.state)]
    with contextlib.redirect_stdout(io.StringIO()):
        if main(["drain", *folders, "--wait", str(LIMIT_S), *words]):
            raise RuntimeError(f"ferrule drain {' '.join(words)} did not end in time")
