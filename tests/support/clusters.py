"""Several responders on one LAN that know each other, a client, and a stranger; the test is everybody's speaker."""

import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from orchestrator.fsm.responder_api import Entry, Liveness, PeerNode, Table, TableApplied
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.net.link import MacAddress
from orchestrator.packet import arp, ndp
from tests.support.responders import KEY, Node, network, responder

OURS = "192.0.2.10"
OURS_V6 = "2001:db8::10"


@dataclass(frozen=True, slots=True)
class Cluster:
    nodes: list[Node]
    client: Namespace
    stranger: Namespace
    macs: dict[str, str] = field(default_factory=dict)

    async def order(self, node: Node, *entries: Entry, hold_s: float = 3.0) -> None:
        """Give the node this table, and wait until it is in force; what it tells before that is discarded."""
        self.send(node, *entries, hold_s=hold_s)
        await node.next(TableApplied, lambda message: message.number == node.number)

    def send(self, node: Node, *entries: Entry, hold_s: float = 3.0) -> None:
        """Give the node this table."""
        node.number += 1
        peers = tuple(
            PeerNode(other.name, (_address(number),), (self.macs[other.name],))
            for number, other in enumerate(self.nodes, start=1)
            if other is not node
        )
        node.client.send(
            Table(number=node.number, node=node.name, entries=entries, peers=peers, key_base64=KEY, hold_s=hold_s)
        )

    async def settle(self) -> None:
        """Wait until all nodes know each other."""
        for node in self.nodes:
            await self.order(node)
        names = tuple(sorted(self.macs))
        for node in self.nodes:
            await node.next(Liveness, lambda liveness: liveness.alive == names and "unknown" not in _states(liveness))


def _address(number: int) -> str:
    return f"192.0.2.{number}"


def _states(liveness: Liveness) -> set[str]:
    return {state.value for state in liveness.states.values()}


@contextlib.asynccontextmanager
async def cluster(folder: Path, names: str) -> AsyncIterator[Cluster]:
    """One node per letter of `names`."""
    with network(*names, "client", "stranger") as members:
        for number, member in enumerate(members, start=1):
            namespaces.add_address(member, "eth0", f"2001:db8::{number}/64")
        async with contextlib.AsyncExitStack() as stack:
            nodes = [
                await stack.enter_async_context(responder(namespace, folder / name, name))
                for name, namespace in zip(names, members, strict=False)
            ]
            macs = {node.name: namespaces.mac_address(node.namespace, "eth0") for node in nodes}
            made = Cluster(nodes, members[-2], members[-1], macs)
            await made.settle()
            yield made


def announce(machine: Namespace, address: str, mac: str) -> None:
    """Send one announcement (of ARP the request form) from a machine that says its MAC is this one."""
    frame = _announcement(MacAddress.parse(mac), ip_address(address))

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("eth0", 0))
            wire.send(frame)

    machine.inside(send)


def _announcement(mac: MacAddress, address: IPv4Address | IPv6Address) -> bytes:
    match address:
        case IPv4Address():
            return arp.announcement_request(mac, address)
        case IPv6Address():
            return ndp.announcement(mac, IPv6Address("fe80::99"), address)
