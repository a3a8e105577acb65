"""The wire by itself, in a namespace: what others claim, what it asks, and what it does after it has slept."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import ip_address

import pytest

from orchestrator.apply.links import watch_links
from orchestrator.fsm.responder import Claim, DropReason, Interfaces, WireOrders
from orchestrator.fsm.tally import Tally
from orchestrator.lab.namespaces import Namespace
from orchestrator.net.addresses import IpAddress
from orchestrator.runtime.wire import ANNOUNCEMENTS_PER_WAKE_UP, Wire
from tests.support.neighbors import lan, mac_of, ndisc
from tests.support.responders import answers, eventually

__all__ = ["lan"]

OURS, THEIRS = ip_address("2001:db8::10"), ip_address("2001:db8::2")
OURS_V4, THEIRS_V4 = ip_address("192.0.2.10"), ip_address("192.0.2.2")


class Bench:
    """A wire and what it told."""

    def __init__(self) -> None:
        self.current = True
        self.claims: list[Claim] = []
        self.first: list[bytes] = []
        self.tally = Tally()
        self.wire = Wire(self.tally, self._claimed, lambda: self.current, lambda address, _: self.first.append(address))

    def _claimed(self, claims: Sequence[Claim]) -> None:
        self.claims.extend(claims)


def run_in(namespace: Namespace, act: Callable[[Bench], Awaitable[None]]) -> None:
    """Run an event loop with a wire inside the namespace; it follows the links there."""

    async def main() -> None:
        bench = Bench()
        try:
            async with asyncio.TaskGroup() as tasks:
                links = tasks.create_task(watch_links(bench.wire.set_links))
                await eventually(lambda: "eth0" in bench.wire.groups())
                await act(bench)
                links.cancel()
        finally:
            bench.wire.close()

    namespace.inside(lambda: asyncio.run(main()))


def entries(*addresses: IpAddress) -> Mapping[bytes, Interfaces]:
    return {address.packed: None for address in addresses}


def test_asked_owner_of_a_watched_address_claims_it(lan: tuple[Namespace, Namespace]) -> None:
    """Of each family: the kernel of the client has the address, and answers a probe."""
    node, client = lan
    watched = entries(THEIRS, THEIRS_V4)

    async def act(bench: Bench) -> None:
        bench.wire.set_entries(WireOrders(watched=watched))

        def claimed() -> bool:
            return {claim.address for claim in bench.claims} == {THEIRS.packed, THEIRS_V4.packed}

        await eventually(lambda: bench.wire.groups() == {"eth0": 1})
        bench.wire.ask(watched)
        await eventually(claimed)
        assert {(claim.mac, claim.interface) for claim in bench.claims} == {(mac_of(client), "eth0")}
        assert bench.wire.answered() == frozenset()

    run_in(node, act)


@pytest.mark.parametrize("current", [True, False])
def test_backlog_of_a_process_that_slept_is_dropped(lan: tuple[Namespace, Namespace], current: bool) -> None:
    node, client = lan

    async def act(bench: Bench) -> None:
        bench.wire.set_entries(WireOrders(answered=entries(OURS, OURS_V4)))
        await eventually(lambda: bool(ndisc(client, str(OURS))))
        bench.current = current
        assert bool(await asyncio.to_thread(ndisc, client, str(OURS))) is current
        assert (bench.tally.drops[DropReason.PAUSED] > 0) is not current

    run_in(node, act)


def test_quiet_address_is_answered_but_announced_on_word_only(lan: tuple[Namespace, Namespace]) -> None:
    node, client = lan
    quiet = frozenset({OURS.packed, OURS_V4.packed})

    async def act(bench: Bench) -> None:
        bench.wire.set_entries(WireOrders(answered=entries(OURS, OURS_V4), quiet=quiet))
        await eventually(lambda: bool(ndisc(client, str(OURS))) and answers(client, str(OURS_V4)))
        assert (bench.first, bench.tally.gratuitous.total()) == ([], 0)
        bench.wire.announce(quiet)
        assert bench.tally.gratuitous == {OURS.packed: 1, OURS_V4.packed: 2}
        bench.wire.set_entries(WireOrders(answered=entries(OURS, OURS_V4)))
        assert sorted(bench.first) == sorted(quiet)

    run_in(node, act)


def test_released_address_is_forgotten(lan: tuple[Namespace, Namespace]) -> None:
    node, client = lan

    async def act(bench: Bench) -> None:
        bench.wire.set_entries(WireOrders(answered=entries(OURS, OURS_V4)))
        await eventually(lambda: bench.wire.groups() == {"eth0": 1})
        bench.wire.release(frozenset({OURS.packed}))
        assert bench.wire.answered() == {OURS_V4.packed}
        await eventually(lambda: bench.wire.groups() == {"eth0": 0})
        assert await asyncio.to_thread(ndisc, client, str(OURS)) == ""

    run_in(node, act)


def test_burst_of_thousands_reaches_the_wire_in_turns(lan: tuple[Namespace, Namespace]) -> None:
    """5000 addresses of each family: meanwhile the loop has other work done, and each is announced once at first."""
    node, _ = lan
    many = [ip_address(first) + number for first in ("2001:db8::1:0", "198.18.0.0") for number in range(5000)]

    async def act(bench: Bench) -> None:
        await eventually(lambda: bench.wire.groups() == {"eth0": 0})
        bench.wire.set_entries(WireOrders(watched=entries(OURS)))
        await eventually(lambda: bench.wire.groups() == {"eth0": 1})
        bench.wire.set_entries(WireOrders(answered=entries(*many)))
        turns = 0
        while len(bench.first) < len(many):
            await asyncio.sleep(0)
            turns += 1
        assert turns >= len(many) // ANNOUNCEMENTS_PER_WAKE_UP
        assert sorted(bench.first) == sorted(address.packed for address in many)
        await eventually(lambda: bench.wire.groups() == {"eth0": 5000})

    run_in(node, act)
