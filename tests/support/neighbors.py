"""What the machines of a test network know of each other, and frames put on their wires by hand."""

import socket
from collections.abc import Iterable, Iterator
from ipaddress import ip_address

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from orchestrator.apply.frames import FrameSocket
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.net.addresses import IpFamily
from orchestrator.net.link import MacAddress
from tests.support.responders import DEADLINE_S, network


@pytest.fixture
def lan() -> Iterator[tuple[Namespace, Namespace]]:
    """A node and a client on one switch; both reach 2001:db8::/64 there."""
    with network("node", "client") as (node, client):
        namespaces.add_address(node, "eth0", "2001:db8::1/64")
        namespaces.add_address(client, "eth0", "2001:db8::2/64")
        yield node, client


def ip(namespace: Namespace, command: str) -> str:
    """Run `ip`, with its words as one text, and return what it prints."""
    return namespace.run(["ip", *command.split()]).stdout


def mac_of(namespace: Namespace, interface: str = "eth0") -> MacAddress:
    return MacAddress.parse(namespaces.mac_address(namespace, interface))


def remember(asker: Namespace, address: str, mac: str, state: str) -> None:
    """Give the kernel a neighbor entry."""
    ip(asker, f"neighbor replace {address} lladdr {mac} dev eth0 nud {state}")


def known(asker: Namespace, address: str) -> tuple[str, str]:
    """Return MAC and state of the kernel's neighbor entry, empty if there is none."""
    words = ip(asker, f"neighbor show {address} dev eth0").split()
    return (words[words.index("lladdr") + 1] if "lladdr" in words else "", words[-1] if words else "")


def ndisc(asker: Namespace, address: str, interface: str = "eth0", wait_ms: int = 500) -> str:
    """Return the MAC that `ndisc6` is told, empty if nobody answers it."""
    done = asker.run(
        ["ndisc6", "-1", "-q", "-r", "1", "-w", str(wait_ms), address, interface], check=False, timeout_s=DEADLINE_S
    )
    return done.stdout.strip().lower()


def listening(machine: Namespace, family: IpFamily) -> FrameSocket:
    """Return an open socket on eth0; it works from any namespace."""
    return machine.inside(lambda: FrameSocket(socket.if_nametoindex("eth0"), family))


def exchange(asker: Namespace, family: IpFamily, frames: Iterable[bytes]) -> list[bytes]:
    """Send frames from eth0, and return what comes back until the first answer, or in the time that one may take."""
    opened = listening(asker, family)
    try:
        for frame in frames:
            opened.send(frame)
        return _received(opened)
    finally:
        opened.close()


def _received(opened: FrameSocket) -> list[bytes]:
    polls = Retrying(
        retry=retry_if_result(lambda frame: frame is None),
        wait=wait_fixed(0.01),
        stop=stop_after_delay(5.0),
        retry_error_callback=lambda _: None,
    )
    first: bytes | None = polls(opened.receive)
    return [] if first is None else [first, *iter(opened.receive, None)]


def numbered(first: str, count: int) -> list[str]:
    """Return that many addresses that follow each other."""
    start = ip_address(first)
    return [str(start + number) for number in range(count)]
