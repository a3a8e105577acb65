"""ARP and NDP: the real responder in a namespace, fed by the speaker's client, asked from another one on the same switch.

Beside it the kernel with the same addresses of its own, asked by the same pinger: what is left to be gained.
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from orchestrator.fsm.responder_api import TableApplied
from orchestrator.net.addresses import IpAddress
from tests.bench.pinger import Flood, Pinger
from tests.bench.processes import cpu_s, memory_mib
from tests.bench.rows import Row, Scope, row_of
from tests.support.responders import Node, network, responder

SIZES = (1, 5000)
PROTOCOLS: tuple[tuple[str, IpAddress], ...] = (
    ("ARP", IPv4Address("198.18.0.1")),
    ("NDP", IPv6Address("2001:db8:1::1")),
)
IDLE_REQUESTS = 1000
IDLE_PAUSE_S = 0.002
RATE = 10_000
FLOOD_S = 3.0
BUSY_RATE = 1000
BUSY_S = 10.0
QUIET_S = 1.5
"""Longer than the interval of a burst of announcements."""
QUIET_LIMIT_S = 30.0
QUIET_SHARE = 0.02
KERNELS_SENDERS = 500
IDLE_BUDGET = "<= 150"
FLOOD_BUDGET = "<= 60"
BUSY_BUDGET = "p99 <= 2 000"
MEMORY_BUDGET = "<= 25"


def measure(scope: Scope) -> Iterator[Row]:
    """Yield the rows of each protocol and number of addresses."""
    for protocol, first in PROTOCOLS:
        for size in SIZES:
            case = _Case(protocol, [first + number for number in range(size)], scope)
            yield from asyncio.run(_measure(case))
            yield from _measure_kernel(case)


@dataclass(frozen=True, slots=True)
class _Case:
    protocol: str
    addresses: Sequence[IpAddress]
    scope: Scope

    @property
    def words(self) -> str:
        size = len(self.addresses)
        return f"{size} addresses" if size > 1 else "1 address"


async def _measure(case: _Case) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, network("node", "client") as (namespace, client):
        async with responder(namespace, Path(folder), "node") as node:
            number = node.send(*map(str, case.addresses))
            await node.next(TableApplied, lambda message: message.number == number)
            with Pinger(client, case.addresses) as pinger:
                # The client of the responder must go on reading: it is what keeps the responder fed.
                return await asyncio.to_thread(_ask_responder, pinger, node, case)


def _measure_kernel(case: _Case) -> list[Row]:
    """IPv4 addresses are on `lo`, as one has them there; a solicitation is answered on the interface of the address."""
    with network("node", "client") as (namespace, client):
        place = "128 dev eth0 nodad" if case.protocol == "NDP" else "32 dev lo"
        batch = "\n".join(f"address add {address}/{place}" for address in case.addresses)
        namespace.run(["ip", "-batch", "-"], stdin=batch, timeout_s=120.0)
        with Pinger(client, case.addresses, senders=KERNELS_SENDERS) as pinger:
            return _ask(pinger, case, f"the kernel's {case.protocol} reply")


def _ask_responder(pinger: Pinger, node: Node, case: _Case) -> list[Row]:
    pid = node.process.pid
    _until_quiet(pid)
    before, began = cpu_s(pid), time.monotonic()
    flood = pinger.flood(RATE, FLOOD_S)
    used = (cpu_s(pid) - before) / (time.monotonic() - began)
    rows = _ask(pinger, case, f"{case.protocol} reply", (IDLE_BUDGET, FLOOD_BUDGET))
    share = len(flood.latencies) / flood.sent
    return [
        *rows,
        Row(name=f"{case.protocol} requests answered, {case.words}, {RATE} per second", figure=share * 100, unit="%"),
        Row(name=f"responder's CPU, {case.protocol}, {case.words}, {RATE} per second", figure=used * 100, unit="%"),
        _while_recomputing(pinger, case),
        Row(
            name=f"responder's memory, {case.protocol}, {case.words}",
            figure=memory_mib(pid),
            unit="MiB",
            budget=MEMORY_BUDGET,
        ),
    ]


def _ask(pinger: Pinger, case: _Case, what: str, budgets: tuple[str, str] = ("", "")) -> list[Row]:
    """One at a time, at an even pace, as many as can be."""
    pinger.one_by_one(20, IDLE_PAUSE_S)
    idle = pinger.one_by_one(case.scope.times(IDLE_REQUESTS), IDLE_PAUSE_S)
    flood = pinger.flood(RATE, FLOOD_S)
    rate = pinger.saturate(FLOOD_S)
    return [
        row_of(f"{what}, {case.words}, one at a time", _us(idle), "us", budget=budgets[0]),
        row_of(
            f"{what}, {case.words}, {RATE} per second",
            _us(flood.latencies),
            "us",
            budget=budgets[1],
            note=_offered(flood),
        ),
        Row(name=f"{what}, {case.words}, at most", figure=rate, unit="/s", note="64 on their way, pinger has a core"),
    ]


def _while_recomputing(pinger: Pinger, case: _Case) -> Row:
    """A speaker's work in a process of its own, on the cores that responder and pinger have."""
    with _recomputing():
        flood = pinger.flood(BUSY_RATE, BUSY_S)
    name = f"{case.protocol} reply, {case.words}, while the speaker recomputes 10 000 Services"
    return row_of(name, _us(flood.latencies), "us", budget=BUSY_BUDGET, note=_offered(flood))


@contextlib.contextmanager
def _recomputing() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-m", "tests.bench.recomputation"], stdout=subprocess.PIPE) as busy:
        assert busy.stdout is not None
        try:
            busy.stdout.readline()
            yield
        finally:
            busy.kill()


def _until_quiet(pid: int) -> None:
    """The announcements of a new table are over: that they are sent is another measurement."""
    deadline = time.monotonic() + QUIET_LIMIT_S
    share = 1.0
    while share > QUIET_SHARE and time.monotonic() < deadline:
        before = cpu_s(pid)
        time.sleep(QUIET_S)
        share = (cpu_s(pid) - before) / QUIET_S


def _us(latencies: Sequence[float]) -> list[float]:
    return [each * 1e6 for each in latencies]


def _offered(flood: Flood) -> str:
    return f"{flood.sent / flood.duration_s:,.0f}/s offered, {len(flood.latencies) / flood.sent:.0%} answered".replace(
        ",", " ", 1
    )
