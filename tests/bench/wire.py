"""Change -> wire: from the rename of a manifest to the UPDATE about its Service, seen in the router's namespace.

Everything is real: source, speaker, bgpd, session. The endpoint of one Service with externalTrafficPolicy Local comes
and goes while the other Services lie in another file. For `created` the controller allocates the address on the way.
"""

import random
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

from orchestrator.lab import layout
from tests.bench import manifests
from tests.bench.bgp_capture import BgpCapture
from tests.bench.path import NODE, RunningPath, running_path
from tests.bench.rows import Row, Scope, row_of

SIZES = (10, 1000, 5000)
TOGGLES = 40
CREATED = 20
LIMIT_S = 20.0
TOGGLED = "toggled"
TOGGLED_ADDRESS = manifests.FEW[50]
CHANGE_BUDGET = "p50 <= 60, p99 <= 100"
CREATED_BUDGET = "p50 <= 65"

Wait = Callable[[IPv4Network, float], float]


def measure(scope: Scope) -> Iterator[Row]:
    """Yield the rows of each number of Services."""
    for size in scope.sizes(*SIZES):
        with running_path(size) as path:
            path.settle(size)
            with BgpCapture(path.lab.machines[layout.ROUTER], layout.UPLINK) as capture:
                yield from _toggle(path, capture, size, scope.times(TOGGLES))
                yield _create(path, capture, size, scope.times(CREATED))


def _toggle(path: RunningPath, capture: BgpCapture, size: int, times: int) -> Iterator[Row]:
    path.lab.write_manifest(f"{TOGGLED}.yaml", manifests.service(TOGGLED, policy="Local", address=TOGGLED_ADDRESS))
    prefix = IPv4Network(TOGGLED_ADDRESS)
    announced, withdrawn = [], []
    _until_wire(path, "endpoint.yaml", _endpoint(ready=True), prefix, capture.announced)
    for _ in range(times):
        _rest()
        withdrawn.append(_until_wire(path, "endpoint.yaml", _endpoint(ready=False), prefix, capture.withdrawn))
        _rest()
        announced.append(_until_wire(path, "endpoint.yaml", _endpoint(ready=True), prefix, capture.announced))
    _rest()
    yield row_of(f"endpoint ready -> UPDATE, {size} prefixes", announced, "ms", budget=CHANGE_BUDGET)
    yield row_of(f"endpoint unready -> UPDATE, {size} prefixes", withdrawn, "ms", budget=CHANGE_BUDGET)


def _create(path: RunningPath, capture: BgpCapture, size: int, times: int) -> Row:
    samples = []
    for number in range(times):
        address = manifests.FEW[100 + number]
        text = manifests.service("created", address=address)
        both = f"{text}---\n{manifests.endpoint_slice('created', NODE, ready=True)}"
        samples.append(_until_wire(path, "created.yaml", both, IPv4Network(address), capture.announced))
        _rest()
        (path.lab.folder.manifests / "created.yaml").unlink()
        capture.withdrawn(IPv4Network(address), LIMIT_S)
        _rest()
    return row_of(f"Service created -> UPDATE, {size} prefixes", samples, "ms", budget=CREATED_BUDGET)


def _endpoint(*, ready: bool) -> str:
    return manifests.endpoint_slice(TOGGLED, NODE, ready=ready)


def _until_wire(path: RunningPath, name: str, text: str, prefix: IPv4Network, seen: Wait) -> float:
    """Return milliseconds from just before the rename of a manifest to the UPDATE."""
    partial = path.lab.folder.path / f"{name}.new"
    partial.write_text(text)
    started = time.time()
    partial.rename(Path(path.lab.folder.manifests, name))
    return (seen(prefix, LIMIT_S) - started) * 1000


def _rest() -> None:
    """Let the aftermath (statuses, files) end, and keep no step with the audits of every 5 s."""
    time.sleep(random.uniform(0.2, 0.4))
