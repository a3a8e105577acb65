"""The responder's process stays small: what it has loaded, and what its tables cost."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from orchestrator.fsm.responder_api import TableApplied
from orchestrator.lab.namespaces import Namespace
from tests.support.responders import eventually, network, responder

HEAVY = {
    "asyncinotify",
    "jinja2",
    "prometheus_client",
    "pyroute2",
    "rich",
    "ssl",
    "tenacity",
    "typing_extensions",
    "yaml",
    "_hashlib",
}
UNNEEDED = {f"orchestrator.{package}" for package in ("config", "lab", "render", "sources", "supervise")}
TELLING = """
import atexit, sys
atexit.register(lambda: print(*(name for name, module in sys.modules.items() if module), file=sys.stderr))
from orchestrator.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
ASYNCIO = "import asyncio, sys; print(flush=True); sys.stdin.read()"
EACH = 2500


@pytest.fixture
def lan() -> Iterator[tuple[Namespace, Namespace]]:
    with network("node", "client") as (node, client):
        yield node, client


async def test_running_responder_has_loaded_nothing_heavy(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    command = [sys.executable, "-c", TELLING, "respond", "--run", str(tmp_path), "--node", "node"]
    running = lan[0].popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    await eventually((tmp_path / "responder.sock").exists)
    running.send_signal(signal.SIGTERM)
    _, told = running.communicate(timeout=20.0)
    loaded = set(told.split())
    assert "orchestrator.runtime.wire" in loaded
    assert not loaded & HEAVY
    assert not loaded & UNNEEDED


async def test_memory_with_5000_addresses_is_near_that_of_an_empty_asyncio_program(
    lan: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    addresses = [
        *(str(IPv4Address("198.18.0.1") + number) for number in range(EACH)),
        *(str(IPv6Address("2001:db8::1") + number) for number in range(EACH)),
    ]
    async with responder(lan[0], tmp_path, "node") as node:
        for addressed in (addresses, addresses[:-1], addresses):
            node.send(*addressed)
            await node.next(TableApplied)
        assert memory_kib(node.process.pid) < 1.6 * empty_program_kib()


def empty_program_kib() -> int:
    with subprocess.Popen(
        [sys.executable, "-c", ASYNCIO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as empty:
        assert empty.stdout is not None
        empty.stdout.readline()
        return memory_kib(empty.pid)


def memory_kib(pid: int) -> int:
    """Return the resident memory, shared libraries included."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
