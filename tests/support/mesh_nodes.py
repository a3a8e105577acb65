"""Responders of a whole cluster: wired in one or two networks, ordered, watched, cut off from each other."""

import asyncio
import contextlib
import os
import signal
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from orchestrator.fsm.liveness import NodeState
from orchestrator.fsm.membership import Role
from orchestrator.fsm.responder_api import Counters, Entry, Liveness, PeerNode, Table
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from tests.support.responders import DEADLINE_S, KEY, Node, responder

MESH_PORT = 7946
CLIENT_NETWORK, CLUSTER_NETWORK = "192.0.2", "10.0.0"
Members = Mapping[str, tuple[Namespace, tuple[str, ...]]]
"""By node: where it runs, and the addresses that its peers send to."""


@contextlib.contextmanager
def two_networks(*names: str) -> Iterator[list[Namespace]]:
    """Namespaces with `eth0` (192.0.2.1, .2, ...) and `eth1` (10.0.0.1, ...), each on a switch of its own."""
    prefix = f"mesh{os.getpid()}"
    created: list[Namespace] = []
    try:
        switch = Namespace.create(f"{prefix}-switch")
        created.append(switch)
        for number in (0, 1):
            namespaces.bridge(switch, f"br{number}")
        for number, name in enumerate(names, start=1):
            member = Namespace.create(f"{prefix}-{name}")
            created.append(member)
            for interface, network in ((0, CLIENT_NETWORK), (1, CLUSTER_NETWORK)):
                namespaces.connect(member, f"eth{interface}", switch, f"p{interface}-{name}")
                namespaces.attach(switch, f"p{interface}-{name}", f"br{interface}")
                namespaces.add_address(member, f"eth{interface}", f"{network}.{number}/24")
        yield created
    finally:
        for each in reversed(created):
            each.remove()


@dataclass
class Watched:
    """One node: its last word on who lives, how often that changed, and what it counted."""

    node: Node
    addresses: tuple[str, ...]
    liveness: Liveness | None = None
    changes: int = 0
    heartbeats: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    failovers_s: tuple[float, ...] = ()

    def catch_up(self) -> None:
        while not self.node.events.empty():
            match self.node.events.get_nowait():
                case Liveness(states, alive, role) as liveness:
                    before, self.liveness = self.liveness, liveness
                    self.changes += before is None or (before.states, before.alive, before.role) != (
                        states,
                        alive,
                        role,
                    )
                case Counters(heartbeats=heartbeats, drops=drops, failovers_s=failovers_s):
                    self.failovers_s += tuple(failovers_s)
                    self.heartbeats.update(heartbeats)
                    self.drops.update(drops)
                case _:
                    pass

    @property
    def alive(self) -> str:
        return "".join(self.liveness.alive) if self.liveness else ""

    @property
    def role(self) -> Role | None:
        return self.liveness.role if self.liveness else None

    @property
    def waits_for_somebody(self) -> bool:
        return self.liveness is None or NodeState.UNKNOWN in self.liveness.states.values()

    def state_of(self, name: str) -> NodeState | None:
        return self.liveness.states.get(name) if self.liveness else None


@dataclass
class Fleet:
    """All nodes by name; their names are single letters."""

    nodes: dict[str, Watched]

    def __getitem__(self, name: str) -> Watched:
        return self.nodes[name]

    def order(self, *names: str, addresses: Sequence[str] = (), **settings: object) -> None:
        """Send a table to these nodes (all if none is named): every other one is a peer."""
        for name in names or self.nodes:
            watched = self.nodes[name]
            watched.node.number += 1
            peers = tuple(PeerNode(other, each.addresses) for other, each in self.nodes.items() if other != name)
            entries = tuple(Entry(address) for address in addresses)
            table = Table(number=watched.node.number, node=name, entries=entries, peers=peers, key_base64=KEY)
            watched.node.client.send(msgspec.structs.replace(table, **settings))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds. Raises RetryError after DEADLINE_S."""

        async def holds() -> bool:
            for watched in self.nodes.values():
                watched.catch_up()
            return condition()

        polls = AsyncRetrying(
            retry=retry_if_result(lambda met: not met), wait=wait_fixed(0.01), stop=stop_after_delay(DEADLINE_S)
        )
        await polls(holds)

    async def see(self, **alive: str) -> None:
        """Wait until each of the named nodes takes exactly these for alive, and has heard of all, at the same time."""
        await self.until(
            lambda: all(
                self.nodes[name].alive == names and not self.nodes[name].waits_for_somebody
                for name, names in alive.items()
            )
        )

    async def all_see(self, alive: str, *names: str) -> None:
        await self.see(**dict.fromkeys(names or self.nodes, alive))

    async def stay_calm(self, name: str, heartbeats: int) -> None:
        """Wait until the node received so many more heartbeats; nobody may have changed its mind meanwhile."""
        await self.until(lambda: True)
        before = {each: watched.changes for each, watched in self.nodes.items()}
        received = self.nodes[name].heartbeats["received"] + heartbeats
        await self.until(lambda: self.nodes[name].heartbeats["received"] >= received)
        assert {each: watched.changes for each, watched in self.nodes.items()} == before


@contextlib.asynccontextmanager
async def fleet(members: Members, folder: Path) -> AsyncIterator[Fleet]:
    """Responders in these namespaces, reached at these addresses; they have no orders yet."""
    async with contextlib.AsyncExitStack() as stack:
        nodes = {}
        for name, (namespace, addresses) in members.items():
            running = await stack.enter_async_context(responder(namespace, folder / name, name))
            nodes[name] = Watched(running, addresses)
        yield Fleet(nodes)


def deafen(receiver: Watched, *senders: Watched, condition: str = "") -> None:
    """Heartbeats of the senders do not reach the receiver any more; `condition` is nft's, for some of them only."""
    rules = [
        f"add rule inet cut input ip saddr {address} udp dport {MESH_PORT} {condition} drop"
        for sender in senders
        for address in sender.addresses
    ]
    _nft(receiver, ["add table inet cut", "add chain inet cut input { type filter hook input priority 0; }", *rules])


def split(first: Iterable[Watched], second: Iterable[Watched]) -> None:
    """No heartbeats between the two parts."""
    one, other = list(first), list(second)
    for each in one:
        deafen(each, *other)
    for each in other:
        deafen(each, *one)


def heal(*nodes: Watched) -> None:
    """Take back what `deafen` did to these."""
    for each in nodes:
        _nft(each, ["delete table inet cut"])


def _nft(node: Watched, commands: list[str]) -> None:
    node.node.namespace.run(["nft", "-f", "-"], stdin="\n".join(commands) + "\n")


def freeze(node: Watched) -> None:
    """Stop the process."""
    node.node.process.send_signal(signal.SIGSTOP)


def thaw(node: Watched) -> None:
    node.node.process.send_signal(signal.SIGCONT)


async def killed(node: Watched) -> None:
    """End the process without a word."""
    node.node.process.kill()
    await asyncio.to_thread(node.node.process.wait, DEADLINE_S)


def heartbeat_text(payload: bytes) -> str:
    """Return sender and receiver of a heartbeat, for choosing among captured ones."""
    sender_length, receiver_length = struct.unpack_from("!BB", payload, 2)
    return payload[24 : 24 + sender_length + receiver_length].decode()


@contextlib.contextmanager
def listening(client: Namespace) -> Iterator[socket.socket]:
    """Every ARP frame that arrives at the client's `eth0`."""

    def listen() -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        opened.bind(("eth0", 0x0806))
        opened.setblocking(False)
        return opened

    with client.inside(listen) as opened:
        yield opened


def senders(ears: socket.socket, address: str) -> set[str]:
    """The MACs of those who said since then that the address is theirs."""
    found = set()
    with contextlib.suppress(BlockingIOError):
        while True:
            frame = ears.recv(2048)
            if frame[28:32] == socket.inet_aton(address):
                found.add(frame[6:12].hex(":"))
    return found
