"""The responder outlives its speakers, and garbage on the wire."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.apply.control import LineConnection
from orchestrator.apply.layer2 import Connected, Disconnected, ResponderClient, ResponderEvent
from orchestrator.apply.reconnecting import keep_connected
from orchestrator.fsm.responder_api import Counters, TableApplied
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.packet.arp import FRAME_KIND
from tests.support.responders import Node, answers, eventually, network, responder

OURS = "192.0.2.10"
FUZZED_FRAMES = 3000
FLOOD = """
import socket
import sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
frame = bytes.fromhex("ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 c0000201 000000000000 c00002fe")
while True:
    wire.send(frame)
"""


@pytest.fixture
def lan() -> Iterator[tuple[Namespace, Namespace]]:
    with network("node", "client") as (node, client):
        yield node, client


async def test_table_survives_its_speaker(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, client = lan
    async with responder(namespace, tmp_path, "node") as node:
        node.send(OURS)
        await node.next(TableApplied)
        await node.disconnect()
        assert answers(client, OURS)
        assert node.process.poll() is None


async def test_newest_speaker_wins(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, client = lan
    second = "192.0.2.11"
    async with responder(namespace, tmp_path, "node") as node:
        node.send(OURS)
        await node.next(TableApplied)
        events: asyncio.Queue[ResponderEvent] = asyncio.Queue()
        newer = Node("node", namespace, tmp_path, node.process, _client(tmp_path, events), events)
        newer.send(second)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(newer.client.run())
            await newer.next(Connected)
            await node.next(Disconnected)
            await newer.next(TableApplied)
            running.cancel()
        await eventually(lambda: answers(client, OURS))


def _client(folder: Path, events: "asyncio.Queue[ResponderEvent]") -> ResponderClient:
    return ResponderClient(folder / "responder.sock", events.put_nowait)


async def test_responder_that_was_killed_is_fed_again(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, client = lan
    async with responder(namespace, tmp_path, "node") as node:
        node.send(OURS)
        await node.next(TableApplied)
        node.process.kill()
        await node.next(Disconnected)
        node.restart()
        await node.next(TableApplied)
        assert answers(client, OURS)


async def test_garbage_on_the_control_socket_is_survived(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, client = lan
    async with responder(namespace, tmp_path, "node") as node:
        node.send(OURS)
        await node.next(TableApplied)

        async def talk_nonsense(connection: LineConnection) -> None:
            for line in (b"", b"{", b"\xff\xfe", b'{"type":"table"}', b"[" * 100_000):
                connection.send(line)

        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(keep_connected(tmp_path / "responder.sock", talk_nonsense))
            await node.next(Disconnected)
            running.cancel()
        await node.next(Connected)
        assert answers(client, OURS)
        assert node.process.poll() is None


async def test_malformed_frames_never_stop_it(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, client = lan
    async with responder(namespace, tmp_path, "node") as node:
        node.send(OURS)
        await node.next(TableApplied)
        await asyncio.to_thread(client.inside, _fuzz)
        assert answers(client, OURS)
        assert node.process.poll() is None


async def test_flooded_interface_does_not_starve_the_other(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, client = lan
    namespaces.connect(namespace, "lan1", client, "eth1")
    async with responder(namespace, tmp_path, "node") as node:
        node.send(OURS)
        await node.next(TableApplied)
        flood = client.popen([sys.executable, "-c", FLOOD])
        try:
            await node.next(Counters, lambda message: message.drops.get("addressNotAnnounced", 0) > 1000)
            arping = ["arping", "-c", "5", "-w", "15", "-I", "eth1", OURS]
            done = await asyncio.to_thread(client.run, arping, timeout_s=20.0)
            assert "5 packets received" in done.stdout or "Received 5 response" in done.stdout
        finally:
            flood.kill()
            flood.wait()


def _fuzz() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("eth0", 0))
        header = st.binary(min_size=12, max_size=12)
        almost = st.tuples(header, st.just(FRAME_KIND), st.binary(max_size=60)).map(b"".join)
        typed = st.tuples(header, st.just(FRAME_KIND[:2]), st.binary(max_size=1400)).map(b"".join)
        ours = socket.inet_aton(OURS)
        asking = st.tuples(
            header, st.just(FRAME_KIND), st.binary(min_size=18, max_size=18), st.just(ours), st.binary(max_size=30)
        ).map(b"".join)

        @settings(max_examples=FUZZED_FRAMES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(almost | typed | asking | st.binary(min_size=14, max_size=1500))
        def send(frame: bytes) -> None:
            wire.send(frame)

        send()
