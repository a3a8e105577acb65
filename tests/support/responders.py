"""Responders in network namespaces, driven over their control socket by the speaker's real client."""

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from orchestrator.apply.layer2 import ResponderClient, ResponderEvent
from orchestrator.fsm.responder_api import Entry, PeerNode, Table
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.resources.secret_text import SecretText
from orchestrator.runtime.recipes import responder_command

DEADLINE_S = 20.0
KEY = SecretText("c2l4dGVlbiBvY3RldHMhIQ==")

Event = TypeVar("Event", bound=ResponderEvent)


@contextlib.contextmanager
def network(*names: str) -> Iterator[list[Namespace]]:
    """Namespaces on one switch, each with `eth0` and 192.0.2.1, .2, ... in the order of `names`."""
    prefix = f"l2t{os.getpid()}"
    created = []
    try:
        switch = Namespace.create(f"{prefix}-switch")
        created.append(switch)
        namespaces.bridge(switch, "br0")
        for number, name in enumerate(names, start=1):
            member = Namespace.create(f"{prefix}-{name}")
            created.append(member)
            namespaces.connect(member, "eth0", switch, f"port{number}")
            namespaces.attach(switch, f"port{number}", "br0")
            namespaces.add_address(member, "eth0", f"192.0.2.{number}/24")
        yield created[1:]
    finally:
        for each in reversed(created):
            each.remove()


@dataclass
class Node:
    """A responder process and the speaker's client to it; events wait in `events`."""

    name: str
    namespace: Namespace
    folder: Path
    process: subprocess.Popen[str]
    client: ResponderClient
    events: "asyncio.Queue[ResponderEvent]" = field(default_factory=asyncio.Queue)
    number: int = 0
    connection: "asyncio.Task[None] | None" = None

    async def disconnect(self) -> None:
        """Stop the speaker's client for good."""
        assert self.connection is not None, "responders are made by `responder`"
        self.connection.cancel()
        await asyncio.wait([self.connection])

    def send(self, *addresses: str, peers: dict[str, str] | None = None, **settings: object) -> int:
        """Send a table with these addresses on all interfaces; `peers` are other nodes' addresses."""
        return self.send_entries(*(Entry(address) for address in addresses), peers=peers, **settings)

    def send_entries(self, *entries: Entry, peers: dict[str, str] | None = None, **settings: object) -> int:
        self.number += 1
        others = tuple(PeerNode(node, (address,)) for node, address in sorted((peers or {}).items()))
        table = Table(number=self.number, node=self.name, entries=entries, peers=others, key_base64=KEY)
        table = msgspec.structs.replace(table, **settings)
        self.client.send(table)
        return self.number

    async def next(
        self, kind: type[Event], matching: Callable[[Event], bool] = lambda _: True, limit_s: float = DEADLINE_S
    ) -> Event:
        """Return the first waiting event of this kind that matches; those before it are discarded."""
        async with asyncio.timeout(limit_s):
            while True:
                event = await self.events.get()
                if isinstance(event, kind) and matching(event):
                    return event

    def restart(self, *wrapper: str) -> None:
        """Start the process anew, below the command `wrapper` if there is one."""
        self.process = start(self.namespace, self.folder, self.name, wrapper)


def start(namespace: Namespace, folder: Path, name: str, wrapper: Sequence[str] = ()) -> "subprocess.Popen[str]":
    with (folder / f"{name}.log").open("a") as output:
        return namespace.popen(
            [*wrapper, *responder_command(folder, name)],
            stdout=output,
            stderr=output,
            cwd=Path(__file__).parents[2],
        )


@contextlib.asynccontextmanager
async def responder(namespace: Namespace, folder: Path, name: str) -> AsyncIterator[Node]:
    """A running responder with a connected client; both end with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    process = start(namespace, folder, name)
    events: asyncio.Queue[ResponderEvent] = asyncio.Queue()
    client = ResponderClient(folder / "responder.sock", events.put_nowait)
    node = Node(name, namespace, folder, process, client, events)
    try:
        async with asyncio.TaskGroup() as tasks:
            node.connection = tasks.create_task(client.run())
            yield node
            node.connection.cancel()
    finally:
        node.process.terminate()
        try:
            await asyncio.to_thread(node.process.wait, DEADLINE_S)
        finally:
            node.process.kill()


async def eventually(condition: Callable[[], bool]) -> None:
    """Return when the condition holds. Raises RetryError after DEADLINE_S."""
    polls = AsyncRetrying(
        retry=retry_if_result(lambda met: not met), wait=wait_fixed(0.02), stop=stop_after_delay(DEADLINE_S)
    )
    await polls(asyncio.to_thread, condition)


def answers(asker: Namespace, address: str) -> bool:
    """Whether anybody answers an ARP request or a solicitation for `address` within a few seconds."""
    return _is_answered(asker, address, limit_s=5)


def is_silent(asker: Namespace, address: str) -> bool:
    """Whether nobody answers for a second."""
    return not _is_answered(asker, address, limit_s=1)


def _is_answered(asker: Namespace, address: str, limit_s: int) -> bool:
    arping = ["arping", "-c", "1", "-w", str(limit_s), "-I", "eth0", address]
    ndisc = ["ndisc6", "-1", "-q", "-r", str(limit_s), "-w", "1000", address, "eth0"]
    done = asker.run(ndisc if ":" in address else arping, check=False, timeout_s=DEADLINE_S)
    return done.returncode == 0


def send_datagram(sender: Namespace, address: str) -> None:
    """Send one UDP datagram, so that the kernel asks for the address."""

    def send() -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as opened:
            opened.sendto(b"anybody?", (address, 9))

    sender.inside(send)


def neighbor(asker: Namespace, address: str) -> str:
    """Return the MAC in the kernel's neighbor entry, empty if there is none."""
    words = asker.run(["ip", "neighbor", "show", address, "dev", "eth0"]).stdout.split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""
