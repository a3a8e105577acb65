"""ARP: the real responder in a namespace, fed by the speaker's client, asked from another namespace on one switch."""

import asyncio
import tempfile
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

from orchestrator.fsm.responder_api import TableApplied
from tests.bench.pinger import Pinger
from tests.bench.processes import cpu_s, memory_mib
from tests.bench.rows import Row, Scope, row_of
from tests.support.responders import Node, network, responder

SIZES = (1, 5000)
FIRST = IPv4Address("198.18.0.1")
IDLE_REQUESTS = 1000
IDLE_PAUSE_S = 0.002
RATE = 10_000
FLOOD_S = 3.0
IDLE_BUDGET = "<= 150"
FLOOD_BUDGET = "<= 60"


def measure(scope: Scope) -> Iterator[Row]:
    """Yield the rows of each number of addresses."""
    for size in SIZES:
        yield from asyncio.run(_measure(size, scope))


async def _measure(size: int, scope: Scope) -> list[Row]:
    addresses = [FIRST + number for number in range(size)]
    with tempfile.TemporaryDirectory() as folder, network("node", "client") as (namespace, client):
        async with responder(namespace, Path(folder), "node") as node:
            number = node.send(*map(str, addresses))
            await node.next(TableApplied, lambda message: message.number == number)
            with Pinger(client, addresses) as pinger:
                # The client of the responder must go on reading: it is what keeps the responder fed.
                return await asyncio.to_thread(_ask, pinger, node, size, scope)


def _ask(pinger: Pinger, node: Node, size: int, scope: Scope) -> list[Row]:
    words = f"{size} addresses" if size > 1 else "1 address"
    pid = node.process.pid
    pinger.one_by_one(20, IDLE_PAUSE_S)
    idle = pinger.one_by_one(scope.times(IDLE_REQUESTS), IDLE_PAUSE_S)
    before = cpu_s(pid)
    flood = pinger.flood(RATE, FLOOD_S)
    used = cpu_s(pid) - before
    before = cpu_s(pid)
    rate = pinger.saturate(FLOOD_S)
    used_at_most = cpu_s(pid) - before
    answered = len(flood.latencies) / flood.sent * 100
    offered = f"{flood.sent / flood.duration_s:,.0f}/s offered".replace(",", " ")
    return [
        row_of(f"ARP reply, {words}, one at a time", [each * 1e6 for each in idle], "us", budget=IDLE_BUDGET),
        row_of(
            f"ARP reply, {words}, {RATE} per second",
            [each * 1e6 for each in flood.latencies],
            "us",
            budget=FLOOD_BUDGET,
            note=offered,
        ),
        Row(name=f"ARP requests answered, {words}, {RATE} per second", figure=answered, unit="%", n=flood.sent),
        Row(name=f"responder's CPU, {words}, {RATE} per second", figure=used / flood.duration_s * 100, unit="%"),
        Row(
            name=f"ARP replies at most, {words}",
            figure=rate,
            unit="/s",
            note=f"64 on their way; responder's CPU {used_at_most / FLOOD_S:.0%}, the pinger has the other core",
        ),
        Row(name=f"responder's memory, {words}", figure=memory_mib(pid), unit="MiB"),
    ]
