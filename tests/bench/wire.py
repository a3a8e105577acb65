"""Change -> wire -> kernel: from the rename of a manifest to the UPDATE about its Service in the router's namespace, and
to the route in the router's kernel, with each engine.

Everything is real: source, speaker, daemon, session. The endpoint of one Service with externalTrafficPolicy Local comes
and goes while the other Services lie in another file. For `created` the controller allocates the address on the way.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from orchestrator.lab import layout
from orchestrator.net.bgp import BgpEngine
from tests.bench import manifests
from tests.bench.bgp_capture import BgpCapture
from tests.bench.kernel_routes import KernelRoutes
from tests.bench.path import NODE, RunningPath, running_path
from tests.bench.rows import Row, Scope, row_of

SIZES = (10, 1000, 5000)
TOGGLES = 40
CREATED = 20
LIMIT_S = 20.0
TOGGLED = "toggled"
TOGGLED_ADDRESS = manifests.FEW[50]
CHANGE_BUDGET = {BgpEngine.FRR: "p50 <= 60, p99 <= 100", BgpEngine.EXABGP: "p50 <= 5, p99 <= 40"}
CREATED_BUDGET = {BgpEngine.FRR: "p50 <= 65", BgpEngine.EXABGP: "p50 <= 12"}

Wait = Callable[[IPv4Network, float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A path with that many prefixes, and what is seen of it at the router."""

    path: RunningPath
    size: int
    wire: BgpCapture
    kernel: KernelRoutes

    @property
    def name(self) -> str:
        return f"{self.path.engine.value}, {self.size} prefixes"


def measure(scope: Scope) -> Iterator[Row]:
    """Yield the rows of each engine and number of Services."""
    for engine in BgpEngine:
        for size in scope.sizes(*SIZES):
            with _watched(engine, size) as watched:
                yield from _toggle(watched, scope.times(TOGGLES))
                yield from _create(watched, scope.times(CREATED))


@contextmanager
def _watched(engine: BgpEngine, size: int) -> Iterator[Watched]:
    with running_path(size, engine) as path:
        path.settle(size)
        router = path.lab.machines[layout.ROUTER]
        with BgpCapture(router, layout.UPLINK) as wire, KernelRoutes(router) as kernel:
            yield Watched(path=path, size=size, wire=wire, kernel=kernel)


def _toggle(watched: Watched, times: int) -> Iterator[Row]:
    lab, wire, kernel = watched.path.lab, watched.wire, watched.kernel
    lab.write_manifest(f"{TOGGLED}.yaml", manifests.service(TOGGLED, policy="Local", address=TOGGLED_ADDRESS))
    prefix = IPv4Network(TOGGLED_ADDRESS)
    up, down = [], []
    _until(watched, "endpoint.yaml", _endpoint(ready=True), prefix, (wire.announced, kernel.added))
    for _ in range(times):
        _rest()
        down.append(_until(watched, "endpoint.yaml", _endpoint(ready=False), prefix, (wire.withdrawn, kernel.removed)))
        _rest()
        up.append(_until(watched, "endpoint.yaml", _endpoint(ready=True), prefix, (wire.announced, kernel.added)))
    _rest()
    yield from _rows(watched, "endpoint ready", up, CHANGE_BUDGET)
    yield from _rows(watched, "endpoint unready", down, CHANGE_BUDGET)


def _create(watched: Watched, times: int) -> Iterator[Row]:
    wire, kernel = watched.wire, watched.kernel
    samples = []
    for number in range(times):
        address = manifests.FEW[100 + number]
        text = manifests.service("created", address=address)
        both = f"{text}---\n{manifests.endpoint_slice('created', NODE, ready=True)}"
        prefix = IPv4Network(address)
        samples.append(_until(watched, "created.yaml", both, prefix, (wire.announced, kernel.added)))
        _rest()
        (watched.path.lab.folder.manifests / "created.yaml").unlink()
        wire.withdrawn(prefix, LIMIT_S)
        kernel.removed(prefix, LIMIT_S)
        _rest()
    yield from _rows(watched, "Service created", samples, CREATED_BUDGET)


def _rows(
    watched: Watched, cause: str, samples: list[tuple[float, float]], budgets: dict[BgpEngine, str]
) -> Iterator[Row]:
    sent, installed = zip(*samples, strict=True)
    yield row_of(f"{cause} -> UPDATE, {watched.name}", sent, "ms", budget=budgets[watched.path.engine])
    yield row_of(f"{cause} -> router's kernel, {watched.name}", installed, "ms")


def _endpoint(*, ready: bool) -> str:
    return manifests.endpoint_slice(TOGGLED, NODE, ready=ready)


def _until(watched: Watched, name: str, text: str, prefix: IPv4Network, seen: tuple[Wait, Wait]) -> tuple[float, float]:
    """Return milliseconds from just before the rename of a manifest to the UPDATE, and to the router's kernel."""
    lab = watched.path.lab
    partial = lab.folder.path / f"{name}.new"
    partial.write_text(text)
    started = time.time()
    partial.rename(Path(lab.folder.manifests, name))
    wire, kernel = (wait(prefix, LIMIT_S) for wait in seen)
    return (wire - started) * 1000, (kernel - started) * 1000


def _rest() -> None:
    """Let the aftermath (statuses, files) end, and keep no step with the audits of every 5 s."""
    time.sleep(random.uniform(0.2, 0.4))
