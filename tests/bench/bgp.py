"""BGP's larger moments: a pod that starts with many Services, and a node that is lost while BFD watches it."""

import time
from collections.abc import Iterator
from ipaddress import IPv4Network

from orchestrator.lab import layout, network, probes, record, router
from orchestrator.net.bgp import BgpEngine
from tests.bench import manifests
from tests.bench.kernel_routes import KernelRoutes
from tests.bench.path import NODE, RunningPath, running_path
from tests.bench.rows import Row, Scope, row_of

SIZES = (1000, 5000)
FAILOVERS = 20
WATCHED = 10
LIMIT_S = 60.0
COLD_START_BUDGET = {1000: "<= 1.5"}
STP_DISABLED, STP_FORWARDING = "0", "3"

BFD = """\
---
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata: {name: fast, namespace: metallb-system}
spec: {receiveInterval: 100, transmitInterval: 100, detectMultiplier: 3}
"""


def measure(scope: Scope) -> Iterator[Row]:
    """Yield the rows of each engine."""
    for engine in BgpEngine:
        for size in scope.sizes(*SIZES):
            yield _cold_start(engine, size)
    yield _failover(scope.times(FAILOVERS))


def _cold_start(engine: BgpEngine, size: int) -> Row:
    """The pod of a node is killed and comes back: every address is assigned, and the daemon has nothing."""
    with running_path(size, engine) as path:
        path.settle(size)
        record.kill_processes(path.lab.machines[NODE])
        probes.until(lambda: str(layout.node(NODE).address) not in router.established(path.lab), "a lost session")
        path.start_supervisor()
        path.start_speaker()
        name = f"pod start -> {size} routes at the router, {engine.value}"
        return Row(name=name, figure=path.until_routed_s(size), unit="s", budget=COLD_START_BUDGET.get(size, ""))


def _failover(times: int) -> Row:
    """The switch drops what it gets from the node and for it; both ends keep their carrier."""
    configuration = manifests.CONFIGURATION.replace("connectTime: 1s", "connectTime: 1s, bfdProfile: fast") + BFD
    samples = []
    prefix = IPv4Network(manifests.MANY[0])
    with running_path(WATCHED, configuration=configuration) as path:
        for _ in range(times):
            path.settle(WATCHED)
            probes.until(lambda: router.watched(path.lab), "a BFD session", limit_s=LIMIT_S)
            with KernelRoutes(path.lab.machines[layout.ROUTER]) as kernel:
                struck = time.time()
                _set_port(path, STP_DISABLED)
                samples.append((kernel.removed(prefix, LIMIT_S) - struck) * 1000)
            _set_port(path, STP_FORWARDING)
    return row_of("node lost -> gone from the router's kernel, BFD 3 x 100 ms", samples, "ms")


def _set_port(path: RunningPath, state: str) -> None:
    port = network.switch_port(NODE)
    path.lab.machines[layout.SWITCH].run(["bridge", "link", "set", "dev", port, "state", state])
