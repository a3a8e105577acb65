"""A process that is the first of its container: the kernel gives it only the signals that it has a handler for."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.lab import probes
from orchestrator.runtime import node_lock
from orchestrator.settings import DEFAULT_NAMESPACE

FIRST = ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
LIMIT_S = 60.0
TERMINATED = 128 + signal.SIGTERM


@contextlib.contextmanager
def first_process(log: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Give `unshare`, which ends with its child's status, and the child: our command."""
    with log.open("w") as output:
        outer = subprocess.Popen(
            [*FIRST, sys.executable, "-m", "orchestrator", *arguments], stdout=output, stderr=output
        )
    try:
        yield outer, probes.until(lambda: _child_of(outer.pid), "the command")
    finally:
        outer.kill()
        outer.wait()


def _child_of(pid: int) -> int:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found[0]) if found else 0


@pytest.mark.parametrize("command", ["controller", "speaker"])
async def test_one_that_waits_ends_on_term(tmp_path: Path, command: str) -> None:
    node, log = f"node-{secrets.token_hex(4)}", tmp_path / "log"
    folders = [
        "--source",
        f"manifests:{tmp_path}",
        "--state",
        str(tmp_path / "state"),
        "--port=0",
        "--health-probe-port=0",
    ]
    folders += ["--namespace", DEFAULT_NAMESPACE]
    own = ["--node", node, "--run", str(tmp_path / "run")] if command == "speaker" else []
    waits = "waiting" if command == "speaker" else "controller started"
    async with node_lock.hold(DEFAULT_NAMESPACE, node, lambda: None):
        with first_process(log, command, *folders, *own) as (outer, pid):
            probes.until(lambda: waits in log.read_text(), waits, limit_s=LIMIT_S)
            os.kill(pid, signal.SIGTERM)
            status = outer.wait(LIMIT_S)
    assert status == (TERMINATED if command == "speaker" else 0)
