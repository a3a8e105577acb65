"""What a number of Services costs the processes: time to start and to start again, CPU, memory."""

import subprocess
import sys
import time
from collections.abc import Iterator

from orchestrator.lab import probes
from tests.bench.path import CONTROLLER, NODE, SPEAKER, RunningPath, running_path
from tests.bench.processes import cpu_s, memory_mib, peak_memory_mib
from tests.bench.rows import Row, Scope, row_of

SIZES = (0, 1000, 5000, 10_000)
HELP_TIMES = 20
CONTROLLER_MEMORY = {0: "<= 80", 1000: "<= 90", 5000: "<= 130"}
SPEAKER_MEMORY = {1000: "<= 110", 10_000: "<= 200"}
RESTART = {1000: "<= 1", 5000: "<= 2"}


def measure(scope: Scope) -> Iterator[Row]:
    """Yield the rows of each number of Services, and how fast the command answers."""
    yield row_of("ferrule --help", [_help_ms() for _ in range(scope.times(HELP_TIMES))], "ms", budget="<= 300")
    for size in scope.sizes(*SIZES):
        with running_path(size) as path:
            if size:
                yield from _start(path, size)
            path.settle(size)
            yield from _memory(path, size)
            if size:
                yield from _restart(path, size)


def _start(path: RunningPath, size: int) -> Iterator[Row]:
    """Controller and speaker start together on Services without addresses."""
    assigned = path.until_logged_s(CONTROLLER, "converged")
    used = cpu_s(path.pid(CONTROLLER))
    routed = path.until_routed_s(size)
    yield Row(name=f"controller start -> {size} Services assigned", figure=assigned, unit="s")
    yield Row(name=f"controller's CPU until then, {size} Services", figure=used, unit="s")
    yield Row(name=f"speaker start -> {size} new routes at the router", figure=routed, unit="s")


def _memory(path: RunningPath, size: int) -> Iterator[Row]:
    for name, process, budgets in (
        ("controller", CONTROLLER, CONTROLLER_MEMORY),
        ("speaker", SPEAKER, SPEAKER_MEMORY),
    ):
        pid = path.pid(process)
        peak = f"at most {peak_memory_mib(pid):.0f}"
        yield Row(
            name=f"{name}'s memory, {size} Services",
            figure=memory_mib(pid),
            unit="MiB",
            budget=budgets.get(size, ""),
            note=peak,
        )


def _restart(path: RunningPath, size: int) -> Iterator[Row]:
    budget = RESTART.get(size, "")
    path.stop(CONTROLLER)
    path.start_controller()
    converged = path.until_logged_s(CONTROLLER, "converged")
    yield Row(name=f"controller restart -> {size} Services checked", figure=converged, unit="s", budget=budget)
    path.settle(size)
    path.stop(SPEAKER)
    path.start_speaker()
    machine = path.lab.machines[NODE]
    probes.until(lambda: not probes.unready(machine), "a ready speaker", limit_s=120.0, interval_s=0.05)
    ready = time.time() - path.started[SPEAKER]
    yield Row(name=f"speaker restart -> ready, {size} Services", figure=ready, unit="s", budget=budget)


def _help_ms() -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "orchestrator", "--help"], stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - started) * 1000
