"""An address whose question cannot be put to anybody yet waits with it: silence would say nothing."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.fsm.responder_api import Entry, Mode, Probed, TableApplied
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from tests.support.neighbors import ip
from tests.support.responders import Node, network, responder

OURS = {"eth0": "2001:db8::10", "eth1": "198.51.100.10"}
FREE = ("192.0.2.10", "192.0.2.11")
LATE_LINK_LOCAL = "fe80::1:1/64"


@pytest.fixture
def lan() -> Iterator[tuple[Namespace, Namespace]]:
    """eth0 of the node carries no IPv6 yet, its eth1 has no carrier; a stranger has our addresses on both."""
    with network("node", "stranger") as (node, stranger):
        ip(node, "link set eth0 addrgenmode none")
        ip(node, "address flush dev eth0 scope link")
        namespaces.connect(node, "eth1", stranger, "eth1")
        for interface, address in OURS.items():
            namespaces.add_address(stranger, interface, f"{address}/24")
        namespaces.set_down(stranger, "eth1")
        yield node, stranger


@pytest_asyncio.fixture
async def node(lan: tuple[Namespace, Namespace], tmp_path: Path) -> AsyncIterator[Node]:
    async with responder(lan[0], tmp_path, "node") as running:
        running.send()
        await running.next(TableApplied)
        yield running


async def test_address_is_not_used_before_anybody_could_be_asked(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, stranger = lan
    unasked = tuple(Entry(address, (interface,), Mode.PROBE) for interface, address in OURS.items())
    for number, free in enumerate(FREE, start=1):
        others = (Entry(address, None, Mode.PROBE) for address in FREE[:number])
        node.send_entries(*unasked, *others)
        assert await node.next(Probed) == Probed(address=free)
    ip(namespace, f"address add {LATE_LINK_LOCAL} dev eth0 nodad")
    assert await node.next(Probed) == _taken(stranger, "eth0")
    namespaces.set_up(stranger, "eth1")
    assert await node.next(Probed) == _taken(stranger, "eth1")


async def test_free_address_is_used_once_it_could_be_asked_for(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, stranger = lan
    ip(stranger, "address flush dev eth0 scope global")
    node.send_entries(Entry(OURS["eth0"], ("eth0",), Mode.PROBE), Entry(FREE[0], None, Mode.PROBE))
    assert await node.next(Probed) == Probed(address=FREE[0])
    ip(namespace, f"address add {LATE_LINK_LOCAL} dev eth0 nodad")
    assert await node.next(Probed) == Probed(address=OURS["eth0"])


def _taken(stranger: Namespace, interface: str) -> Probed:
    return Probed(address=OURS[interface], interface=interface, mac=namespaces.mac_address(stranger, interface))
