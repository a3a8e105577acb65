"""Where the figures were measured: a figure without its machine says nothing."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.settings import FRR_DAEMON_FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Hardware, versions, and what else moves the figures.

    `run_filesystem` is what the lab's files lie on: tmpfs on a node, but ext4 costs milliseconds for each file that is
    replaced. `load` are the averages of 1, 5 and 15 minutes before the first benchmark.
    """

    cpu: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    frr: str
    commit: str
    run_filesystem: str
    load: tuple[float, float, float]


def this_machine() -> Machine:
    """Describe the machine, the tools and the state of the checkout."""
    return Machine(
        cpu=_field("/proc/cpuinfo", "model name"),
        cores=os.cpu_count() or 0,
        memory_mib=int(_field("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        kernel=platform.release(),
        python=platform.python_version(),
        frr=_first_line([str(FRR_DAEMON_FOLDER / "bgpd"), "--version"]).removeprefix("bgpd version "),
        commit=_first_line(["git", "describe", "--always", "--dirty"]),
        run_filesystem=_filesystem_of("/run/ferrule-lab"),
        load=os.getloadavg(),
    )


def _field(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "0")


def _filesystem_of(path: str) -> str:
    """Return the type of the mount that a path lies on: the longest mount point that it starts with."""
    mounts = (line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines())
    fitting = [(len(point), kind) for point, kind in mounts if Path(path).is_relative_to(point)]
    return max(fitting)[1]


def _first_line(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return next(iter(done.stdout.splitlines()), "unknown")
