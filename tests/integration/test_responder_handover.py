"""Addresses change hands under a client that sends 1000 datagrams per second: none is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.fsm.liveness import NodeState
from orchestrator.fsm.responder_api import Entry, Liveness, Mode, Released
from orchestrator.lab import namespaces
from tests.support import loss
from tests.support.clusters import OURS, OURS_V6, Cluster, cluster
from tests.support.responders import DEADLINE_S, Node

BEFORE, AFTER = 1200, 500
"""Datagrams (ms) before the first handover, when the owner is settled, and after each."""


@pytest_asyncio.fixture(params=["abc", "abcde"])
async def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path, request.param) as made:
        yield made


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path, "ab") as made:
        yield made


class Services:
    """The echo service on every node; a node whose service ends loses what is still sent to it."""

    def __init__(self, stack: contextlib.ExitStack, nodes: list[Node], address: str = OURS) -> None:
        self._running = {node.name: stack.enter_context(loss.service(node.namespace, address)) for node in nodes}

    def end(self, node: Node) -> None:
        self._running[node.name].terminate()


async def left(observer: Node, leaver: Node) -> None:
    """What a speaker waits for before it takes over from a node that leaves."""
    await observer.next(Liveness, lambda liveness: liveness.states[leaver.name] is NodeState.LEFT)


async def released(node: Node, successor_mac: str, address: str = OURS) -> None:
    message = await node.next(Released)
    assert message == Released(address=address, owner_mac=successor_mac)


@pytest.mark.parametrize("address", [OURS, OURS_V6])
@pytest.mark.parametrize("first", ["old", "new"])
async def test_release_and_takeover_lose_nothing_in_either_order(pair: Cluster, first: str, address: str) -> None:
    a, b = pair.nodes
    with contextlib.ExitStack() as stack:
        services = Services(stack, pair.nodes, address)
        await pair.order(a, Entry(address))
        client = stack.enter_context(loss.client(pair.client, address))
        await asyncio.to_thread(client.wait_for, BEFORE)
        if first == "old":
            pair.send(a, Entry(address, mode=Mode.RELEASE))
            await pair.order(b, Entry(address, previous="a"))
        else:
            await pair.order(b, Entry(address, previous="a"))
            pair.send(a, Entry(address, mode=Mode.RELEASE))
        await released(a, pair.macs["b"], address)
        services.end(a)
        await asyncio.to_thread(client.wait_for, AFTER)
        assert await asyncio.to_thread(client.stop) == []


async def test_nodes_that_leave_one_after_the_other_lose_nothing(nodes: Cluster) -> None:
    with contextlib.ExitStack() as stack:
        services = Services(stack, nodes.nodes)
        await nodes.order(nodes.nodes[0], Entry(OURS))
        client = stack.enter_context(loss.client(nodes.client, OURS))
        await asyncio.to_thread(client.wait_for, BEFORE)
        for owner, successor in pairwise(nodes.nodes):
            owner.client.leave()
            await left(successor, owner)
            await nodes.order(successor, Entry(OURS, previous=owner.name))
            await released(owner, nodes.macs[successor.name])
            services.end(owner)
            await asyncio.to_thread(client.wait_for, AFTER)
        assert await asyncio.to_thread(client.stop) == []


async def test_terminated_responders_lose_nothing(nodes: Cluster) -> None:
    """Each node is cut off as soon as its process has ended."""
    with contextlib.ExitStack() as stack:
        Services(stack, nodes.nodes)
        await nodes.order(nodes.nodes[0], Entry(OURS))
        client = stack.enter_context(loss.client(nodes.client, OURS))
        await asyncio.to_thread(client.wait_for, BEFORE)
        for owner, successor in pairwise(nodes.nodes):
            await owner.disconnect()
            owner.process.terminate()
            await left(successor, owner)
            await nodes.order(successor, Entry(OURS, previous=owner.name))
            assert await asyncio.to_thread(owner.process.wait, DEADLINE_S) == 0
            namespaces.set_down(owner.namespace, "eth0")
            await asyncio.to_thread(client.wait_for, AFTER)
        assert await asyncio.to_thread(client.stop) == []


async def test_node_that_sorts_first_again_takes_its_address_back_without_loss(pair: Cluster) -> None:
    a, b = pair.nodes
    with contextlib.ExitStack() as stack:
        Services(stack, pair.nodes)
        await pair.order(a, Entry(OURS))
        client = stack.enter_context(loss.client(pair.client, OURS))
        await asyncio.to_thread(client.wait_for, BEFORE)
        for old, new in ((a, b), (b, a), (a, b)):
            await pair.order(old, Entry(OURS, mode=Mode.RELEASE))
            await pair.order(new, Entry(OURS, previous=old.name))
            await released(old, pair.macs[new.name])
            await pair.order(old)
            await asyncio.to_thread(client.wait_for, AFTER)
        assert await asyncio.to_thread(client.stop) == []
