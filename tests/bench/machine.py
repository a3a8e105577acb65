"""Where the figures were measured: a figure without its machine says nothing."""

import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.settings import FRR_DAEMON_FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """`load` are the load averages of 1, 5 and 15 minutes before the first benchmark."""

    cpu: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    frr: str
    commit: str
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
        load=os.getloadavg(),
    )


def _field(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "0")


def _first_line(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return next(iter(done.stdout.splitlines()), "unknown")
