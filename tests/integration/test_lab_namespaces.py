import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace


@pytest.fixture
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    with ExitStack() as stack:
        made = []
        for letter in "ab":
            namespace = Namespace.create(f"fl-t{os.getpid()}-{letter}")
            stack.callback(namespace.remove)
            made.append(namespace)
        yield made[0], made[1]


def is_reachable(source: Namespace, target: Namespace, address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with target.inside(lambda: socket.create_server((address, 8000), family=family)):
        source.inside(lambda: socket.create_connection((address, 8000), timeout=10)).close()
    return True


def test_connected_namespaces_reach_each_other(pair: tuple[Namespace, Namespace]) -> None:
    a, b = pair
    namespaces.connect(a, "eth0", b, "eth0")
    for namespace, host in ((a, 1), (b, 2)):
        namespaces.add_address(namespace, "eth0", f"192.0.2.{host}/24")
        namespaces.add_address(namespace, "eth0", f"2001:db8::{host}/64")
    assert is_reachable(a, b, "192.0.2.2")
    assert is_reachable(a, b, "2001:db8::2")
    assert len(namespaces.mac_address(a, "eth0").split(":")) == 6


def test_bridge_joins_cables_and_route_leads_across(pair: tuple[Namespace, Namespace]) -> None:
    a, b = pair
    namespaces.bridge(b, "lan")
    namespaces.connect(b, "port0", a, "eth0")
    namespaces.attach(b, "port0", "lan")
    namespaces.add_address(b, "lan", "192.0.2.1/24")
    namespaces.add_address(b, "lo", "198.51.100.7/32")
    namespaces.add_address(a, "eth0", "192.0.2.2/24")
    namespaces.add_route(a, "198.51.100.0/24", "192.0.2.1")
    assert is_reachable(a, b, "198.51.100.7")


async def test_namespaces_work_inside_an_event_loop(pair: tuple[Namespace, Namespace]) -> None:
    namespaces.connect(pair[0], "eth0", pair[1], "eth0")
    pair[0].sysctl("net.ipv4.ip_forward", 1)
    assert pair[0].run(["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout == "1\n"
    assert pair[0].inside(lambda: Path("/proc/thread-self/net/dev").read_text()).count("eth0") == 1


def test_removal_ends_the_processes_inside_and_is_idempotent(pair: tuple[Namespace, Namespace]) -> None:
    a, b = pair
    inside = a.popen(["sleep", "1000"])
    grandchild = a.run(["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"]).stdout.strip()
    elsewhere = b.popen(["sleep", "1000"])
    a.remove()
    a.remove()
    assert inside.returncode is not None
    assert not Path(f"/proc/{grandchild}/ns/net").exists()
    assert elsewhere.poll() is None
    assert namespaces.names(a.name) == []


def test_taken_name_is_refused(pair: tuple[Namespace, Namespace]) -> None:
    with pytest.raises(FileExistsError):
        Namespace.create(pair[0].name)
