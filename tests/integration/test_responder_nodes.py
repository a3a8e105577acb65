"""Several responders on one LAN: who lives, who leaves, who may own addresses."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.fsm.liveness import NodeState
from orchestrator.fsm.responder_api import Counters, Liveness, Released, TableApplied
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.resources.secret_text import SecretText
from tests.support.responders import (
    DEADLINE_S,
    KEY,
    Node,
    answers,
    eventually,
    is_silent,
    neighbor,
    network,
    responder,
    send_datagram,
)

OURS = "192.0.2.10"
ADDRESSES = {"a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.3"}
HOLD_S = 3.0
OTHER_KEY = SecretText("YW5vdGhlciBrZXk=")
HEARTBEATS = 20
"""Of two peers in a second: more than the silence by which a node is lost."""


@pytest.fixture
def lan() -> Iterator[list[Namespace]]:
    with network("a", "b", "c", "client") as members:
        yield members


def order(node: Node, *addresses: str, hold_s: float = HOLD_S, key_base64: SecretText = KEY) -> None:
    peers = {name: address for name, address in ADDRESSES.items() if name != node.name}
    node.send(*addresses, peers=peers, hold_s=hold_s, key_base64=key_base64)


@pytest_asyncio.fixture
async def nodes(lan: list[Namespace], tmp_path: Path) -> AsyncIterator[list[Node]]:
    async with contextlib.AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(responder(namespace, tmp_path / name, name))
            for name, namespace in zip(ADDRESSES, lan, strict=False)
        ]
        for node in running:
            order(node)
        for node in running:
            await sees(node, alive="abc", up="abc")
        yield running


async def sees(node: Node, *, alive: str, up: str) -> Liveness:
    """Wait until the node reports these as alive, and these as up (itself aside)."""
    return await node.next(
        Liveness,
        lambda liveness: (
            "".join(liveness.alive) == alive
            and {name for name, state in liveness.states.items() if state is NodeState.UP} == set(up) - {node.name}
        ),
    )


async def test_killed_responder_is_down_within_a_second(nodes: list[Node]) -> None:
    a, b, c = nodes
    c.process.send_signal(signal.SIGKILL)
    killed_at = asyncio.get_running_loop().time()
    for node in (a, b):
        liveness = await sees(node, alive="ab", up="ab")
        assert liveness.states["c"] is NodeState.DOWN
    assert asyncio.get_running_loop().time() - killed_at < 1.0


async def test_leave_is_told_at_once(nodes: list[Node]) -> None:
    a, b, c = nodes
    c.client.leave()
    left_at = asyncio.get_running_loop().time()
    for node in (a, b):
        liveness = await sees(node, alive="ab", up="ab")
        assert liveness.states["c"] is NodeState.LEFT
    assert asyncio.get_running_loop().time() - left_at < 0.3
    await sees(c, alive="ab", up="ab")


async def test_sigterm_leaves(nodes: list[Node]) -> None:
    a, _, c = nodes
    c.process.terminate()
    assert (await sees(a, alive="ab", up="ab")).states["c"] is NodeState.LEFT
    assert await asyncio.to_thread(c.process.wait, 10) == 0


async def test_returned_node_stands_by_for_the_hold_time(nodes: list[Node], lan: list[Namespace]) -> None:
    a, b, c = nodes
    client = lan[3]
    order(c, OURS)
    await eventually(lambda: answers(client, OURS))
    c.process.send_signal(signal.SIGKILL)
    for node in (a, b):
        await sees(node, alive="ab", up="ab")
    c.restart()
    await sees(c, alive="ab", up="abc")
    assert is_silent(client, OURS)
    for node in nodes:
        await sees(node, alive="abc", up="abc")
    await eventually(lambda: answers(client, OURS))


async def test_quick_restart_goes_unnoticed(nodes: list[Node], lan: list[Namespace]) -> None:
    """The last table is sent again after the restart, with nobody else involved."""
    _, _, c = nodes
    order(c, OURS)
    await eventually(lambda: answers(lan[3], OURS))
    c.process.send_signal(signal.SIGKILL)
    c.restart()
    await eventually(lambda: answers(lan[3], OURS))


async def test_new_owner_takes_over_before_the_old_one_stops(nodes: list[Node], lan: list[Namespace]) -> None:
    a, b, _ = nodes
    client = lan[3]
    order(a, OURS)
    await a.next(TableApplied)
    send_datagram(client, OURS)
    mac_a, mac_b = (namespaces.mac_address(node.namespace, "eth0") for node in (a, b))
    await eventually(lambda: neighbor(client, OURS) == mac_a)
    a.client.leave()
    await sees(b, alive="bc", up="bc")
    order(b, OURS)
    released = await a.next(Released)
    assert (released.address, released.owner_mac) == (OURS, mac_b)
    await eventually(lambda: neighbor(client, OURS) == mac_b)


async def test_leave_without_successor_ends_after_a_second(nodes: list[Node], lan: list[Namespace]) -> None:
    a = nodes[0]
    order(a, OURS)
    await a.next(TableApplied)
    a.client.leave()
    left_at = asyncio.get_running_loop().time()
    assert await a.next(Released) == Released(address=OURS)
    assert 0.9 < asyncio.get_running_loop().time() - left_at < 3.0
    assert is_silent(lan[3], OURS)


async def test_table_takes_a_leave_back(nodes: list[Node], lan: list[Namespace]) -> None:
    a, b, _ = nodes
    a.client.leave()
    await sees(b, alive="bc", up="bc")
    order(a, OURS)
    await sees(b, alive="abc", up="abc")
    await eventually(lambda: answers(lan[3], OURS))


async def test_heartbeats_with_another_key_do_not_count(nodes: list[Node], lan: list[Namespace]) -> None:
    a, _, c = nodes
    c.process.kill()
    await sees(a, alive="ab", up="ab")
    c.restart()
    order(c, key_base64=OTHER_KEY)
    counters = await a.next(Counters, lambda message: "forged" in message.heartbeats)
    assert counters.heartbeats["forged"] >= 1
    await c.next(Counters, lambda message: "forged" in message.heartbeats)
    await sees(c, alive="c", up="c")


async def test_nodes_may_learn_of_a_new_key_one_after_the_other(nodes: list[Node]) -> None:
    for node in nodes:
        order(node, key_base64=OTHER_KEY)
        for each in nodes:
            await hears(each, HEARTBEATS)


async def hears(node: Node, wanted: int) -> None:
    """Wait for that many heartbeats; none is refused meanwhile, and nobody is lost."""
    heard = 0
    while heard < wanted:
        async with asyncio.timeout(DEADLINE_S):
            event = await node.events.get()
        match event:
            case Liveness(states):
                assert set(states.values()) == {NodeState.UP}
            case Counters(heartbeats=heartbeats):
                assert "forged" not in heartbeats
                heard += heartbeats.get("received", 0)
