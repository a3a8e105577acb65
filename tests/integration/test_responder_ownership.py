"""Who has an address on the wire: strangers, other nodes of ours, nobody."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.fsm.liveness import NodeState
from orchestrator.fsm.responder_api import Claimed, Counters, Entry, Liveness, Mode, Probed, Released, Silent
from orchestrator.lab import namespaces
from tests.support.clusters import OURS, OURS_V6, Cluster, announce, cluster
from tests.support.responders import Node, answers, eventually, is_silent, neighbor, send_datagram

STRANGE_MAC = "02:00:00:00:00:99"
BURST = 5
"""Announcements of a new address (contract 4.6)."""
MANY = 5000
EXCUSED_S = 1.0
"""A responder that had to wait so long for a processor may have been taken for dead, and rightly."""


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path, "ab") as made:
        yield made


@pytest.fixture(params=[OURS, OURS_V6])
def ours(request: pytest.FixtureRequest) -> str:
    address: str = request.param
    return address


async def announced(node: Node, address: str, times: int) -> None:
    """Wait until so many announcements of an address were counted, and no more; one of IPv4 is two frames."""
    frames = times if ":" in address else 2 * times
    counted = 0
    while counted < frames:
        counters = await node.next(Counters)
        counted += sum(each.gratuitous for each in counters.addresses if each.address == address)
    assert counted == frames


async def claim_until(cluster: Cluster, address: str, condition: "asyncio.Future[None]") -> None:
    """Announce an address from the stranger's machine every 50 ms."""
    while not condition.done():
        await asyncio.to_thread(announce, cluster.stranger, address, STRANGE_MAC)
        await asyncio.wait([condition], timeout=0.05)


async def test_stranger_is_reported_and_answered_once_in_ten_seconds(pair: Cluster, ours: str) -> None:
    a, _ = pair.nodes
    await pair.order(a, Entry(ours))
    await announced(a, ours, BURST)
    loop = asyncio.get_running_loop()
    began = loop.time()
    done: asyncio.Future[None] = loop.create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(claim_until(pair, ours, done))
        await a.next(Claimed, lambda told: (told.mac, told.interface, told.node) == (STRANGE_MAC, "eth0", ""))
        for _ in range(3):
            await a.next(Claimed)
        assert loop.time() - began > 2.5
        await announced(a, ours, 1)
        await announced(a, ours, 1)
        assert loop.time() - began > 9.5
        done.set_result(None)
    assert answers(pair.client, ours)


async def test_stranger_is_answered_while_no_speaker_is_there(pair: Cluster, ours: str) -> None:
    a, _ = pair.nodes
    send_datagram(pair.client, ours)
    await pair.order(a, Entry(ours))
    await eventually(lambda: neighbor(pair.client, ours) == pair.macs["a"])
    await announced(a, ours, BURST)
    await a.disconnect()
    announce(pair.stranger, ours, STRANGE_MAC)
    await eventually(lambda: neighbor(pair.client, ours) == pair.macs["a"])


async def test_address_of_a_stranger_is_not_used_until_it_goes(pair: Cluster, ours: str) -> None:
    a, _ = pair.nodes
    namespaces.add_address(pair.stranger, "eth0", f"{ours}/24")
    pair.send(a, Entry(ours, mode=Mode.PROBE))
    stranger_mac = namespaces.mac_address(pair.stranger, "eth0")
    assert await a.next(Probed) == Probed(address=ours, interface="eth0", mac=stranger_mac)
    send_datagram(pair.client, ours)
    await eventually(lambda: neighbor(pair.client, ours) == stranger_mac)
    namespaces.remove_address(pair.stranger, "eth0", f"{ours}/24")
    assert is_silent(pair.client, ours)
    assert await a.next(Probed, limit_s=40.0) == Probed(address=ours)
    assert answers(pair.client, ours)


async def test_free_address_is_used_after_the_probe(pair: Cluster, ours: str) -> None:
    a, _ = pair.nodes
    pair.send(a, Entry(ours, mode=Mode.PROBE))
    assert await a.next(Probed) == Probed(address=ours)
    assert answers(pair.client, ours)


async def test_owner_among_our_nodes_is_no_obstacle_to_first_use(pair: Cluster, ours: str) -> None:
    a, b = pair.nodes
    await pair.order(b, Entry(ours))
    pair.send(a, Entry(ours, mode=Mode.PROBE))
    assert await a.next(Probed) == Probed(address=ours)


async def test_node_of_ours_that_claims_is_reported_by_name_and_told_off_on_word(pair: Cluster, ours: str) -> None:
    a, b = pair.nodes
    send_datagram(pair.client, ours)
    await pair.order(a, Entry(ours))
    await announced(a, ours, BURST)
    await pair.order(b, Entry(ours))
    claimed = await a.next(Claimed)
    assert claimed == Claimed(address=ours, interface="eth0", mac=pair.macs["b"], node="b")
    await announced(b, ours, BURST)
    await eventually(lambda: neighbor(pair.client, ours) == pair.macs["b"])
    a.client.defend((ours,))
    await eventually(lambda: neighbor(pair.client, ours) == pair.macs["a"])


async def test_watched_address_is_left_to_the_other_until_that_is_silent(pair: Cluster, ours: str) -> None:
    a, b = pair.nodes
    await pair.order(b, Entry(ours))
    await pair.order(a, Entry(ours, mode=Mode.WATCH))
    send_datagram(pair.client, ours)
    await eventually(lambda: neighbor(pair.client, ours) == pair.macs["b"])
    for _ in range(3):
        await b.next(Counters, lambda told: any(each.requests > 0 for each in told.addresses))
    pair.send(b)
    assert await a.next(Silent) == Silent(address=ours)
    assert is_silent(pair.client, ours)
    await pair.order(a, Entry(ours))
    assert answers(pair.client, ours)


async def test_release_without_a_new_owner_ends_after_a_second(pair: Cluster, ours: str) -> None:
    a, _ = pair.nodes
    await pair.order(a, Entry(ours))
    pair.send(a, Entry(ours, mode=Mode.RELEASE))
    began = asyncio.get_running_loop().time()
    assert await a.next(Released) == Released(address=ours)
    assert 0.9 < asyncio.get_running_loop().time() - began < 3.0
    assert is_silent(pair.client, ours)


async def test_speaker_that_comes_later_is_told_what_was_found(pair: Cluster) -> None:
    a, _ = pair.nodes
    await pair.order(a, Entry(OURS, mode=Mode.PROBE))
    await a.next(Probed)
    await a.disconnect()
    async with asyncio.TaskGroup() as tasks:
        again = tasks.create_task(a.client.run())
        assert await a.next(Probed) == Probed(address=OURS)
        again.cancel()


async def test_thousands_of_probes_leave_arp_answered(pair: Cluster) -> None:
    a, _ = pair.nodes
    many = tuple(Entry(str(ip_address("10.1.0.0") + number), mode=Mode.PROBE) for number in range(MANY))
    await pair.order(a, Entry(OURS))
    delayed_s = delay_s(a.process.pid)
    pair.send(a, Entry(OURS), *many)
    arping = ["arping", "-c", "5", "-w", "10", "-I", "eth0", OURS]
    done = await asyncio.to_thread(pair.client.run, arping, check=False, timeout_s=20.0)
    assert "Received 5 response" in done.stdout or delay_s(a.process.pid) - delayed_s > EXCUSED_S
    free: set[str] = set()
    while len(free) < MANY:
        probed = await a.next(Probed)
        assert probed.mac == ""
        free.add(probed.address)


def delay_s(pid: int) -> float:
    """How long a process has been ready to run, but had no processor (proc(5), schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


async def test_failover_is_measured_from_the_last_sign_of_the_dead_owner(pair: Cluster) -> None:
    a, b = pair.nodes
    await pair.order(a, Entry(OURS))
    a.process.kill()
    await b.next(Liveness, lambda liveness: liveness.states["a"] is NodeState.DOWN)
    await pair.order(b, Entry(OURS, previous="a"))
    counters = await b.next(Counters, lambda told: told.failovers_s != ())
    assert len(counters.failovers_s) == 1
    assert 0.2 < counters.failovers_s[0] < 3.0
