"""A node loses its cable, and gets it back, under a client that sends 1000 datagrams per second."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.fsm.membership import Role
from orchestrator.fsm.responder_api import Entry
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from tests.support import loss
from tests.support.mesh_nodes import (
    CLIENT_NETWORK,
    CLUSTER_NETWORK,
    Fleet,
    fleet,
    listening,
    senders,
    two_networks,
)

OURS = "192.0.2.100"
FOR_EVER_S = 3600.0
ISOLATION_S = 1.0
BEFORE, AFTER = 500, 2500
"""Datagrams (ms) before the cable is back, and after: longer than the node may wait for a first word."""


@contextlib.asynccontextmanager
async def cabled(names: str, folder: Path, *networks: str) -> AsyncIterator[tuple[Fleet, Namespace, Namespace]]:
    """Nodes that reach each other over these networks and serve on `eth0` alone; the switch; a client."""
    with two_networks(*names, "client") as (switch, *machines):
        members = {
            name: (machine, tuple(f"{network}.{number}" for network in networks))
            for number, (name, machine) in enumerate(zip(names, machines, strict=False), start=1)
        }
        async with fleet(members, folder) as running:
            order(running)
            await running.all_see(names)
            yield running, switch, machines[-1]


def order(nodes: Fleet, *names: str, **settings: object) -> None:
    nodes.order(*names, interfaces=("eth0",), hold_s=FOR_EVER_S, isolation_s=ISOLATION_S, **settings)  # type: ignore[arg-type]  # settings are the table's


@pytest.mark.parametrize("names", ["ab", "abc"])
@pytest.mark.parametrize("rounds", [0, 15, 60])
async def test_only_cable_that_is_back_brings_no_second_owner(names: str, rounds: int, tmp_path: Path) -> None:
    """It is out until all know, and then for so many intervals of 0.1 s: less and more than the isolation."""
    async with cabled(names, tmp_path, CLIENT_NETWORK) as (nodes, switch, machine):
        a, b, rest = nodes["a"], nodes["b"], names[1:]
        order(nodes, "a", addresses=[OURS])
        with contextlib.ExitStack() as stack:
            for name in "ab":
                stack.enter_context(loss.service(nodes[name].node.namespace, OURS))
            namespaces.set_down(switch, "p0-a")
            await nodes.see(**dict.fromkeys(rest, rest))
            order(nodes, "b", addresses=[OURS])
            client = stack.enter_context(loss.client(machine, OURS))
            await asyncio.to_thread(client.wait_for, BEFORE)
            sent = a.heartbeats["sent"] + rounds * len(rest)
            await nodes.until(lambda: a.role is Role.STANDBY and a.heartbeats["sent"] >= sent)
            ears = stack.enter_context(listening(machine))
            namespaces.set_up(switch, "p0-a")
            await asyncio.to_thread(client.wait_for, AFTER)
            await nodes.all_see(rest)
            assert await asyncio.to_thread(client.stop) == []
            assert senders(ears, OURS) <= {namespaces.mac_address(b.node.namespace, "eth0")}
            assert a.role is Role.STANDBY


async def test_takeover_from_a_node_without_carrier_is_a_failover(tmp_path: Path) -> None:
    async with cabled("abc", tmp_path, CLIENT_NETWORK, CLUSTER_NETWORK) as (nodes, switch, _):
        order(nodes, "c", addresses=[OURS])
        namespaces.set_down(switch, "p0-c")
        await nodes.all_see("ab")
        order(nodes, "a", entries=(Entry(OURS, previous="c"),))
        await nodes.until(lambda: nodes["a"].failovers_s != ())
        assert len(nodes["a"].failovers_s) == 1
        assert 0.0 < nodes["a"].failovers_s[0] < 3.0
