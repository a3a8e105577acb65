"""Whatever happens to a link, the right thing happens at once."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.fsm.interfaces import Eligibility
from orchestrator.fsm.responder_api import Entry, LinkReport, Links, TableApplied
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from tests.support.responders import Node, answers, eventually, is_silent, neighbor, network, responder, send_datagram

OURS = "192.0.2.10"


@pytest.fixture
def lan() -> Iterator[tuple[Namespace, Namespace]]:
    with network("node", "client") as (node, client):
        yield node, client


@pytest_asyncio.fixture
async def node(lan: tuple[Namespace, Namespace], tmp_path: Path) -> AsyncIterator[Node]:
    async with responder(lan[0], tmp_path, "node") as running:
        running.send(OURS)
        await running.next(TableApplied)
        yield running


async def reported(node: Node, name: str, eligibility: Eligibility | None) -> LinkReport | None:
    """Wait until the link of this name is reported so; None: until there is none."""

    def found(links: Links) -> LinkReport | None:
        return next((link for link in links.interfaces if link.name == name), None)

    def fits(links: Links) -> bool:
        link = found(links)
        return link is None if eligibility is None else link is not None and link.eligibility is eligibility

    return found(await node.next(Links, fits))


def ip(namespace: Namespace, command: str) -> None:
    namespace.run(["ip", *command.split()])


async def test_link_that_goes_down_and_comes_back_is_answered_and_announced(
    lan: tuple[Namespace, Namespace], node: Node
) -> None:
    namespace, client = lan
    namespaces.set_down(namespace, "eth0")
    await reported(node, "eth0", Eligibility.DOWN)
    client.run(["ip", "neighbor", "replace", OURS, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "stale"])
    namespaces.set_up(namespace, "eth0")
    await reported(node, "eth0", Eligibility.ELIGIBLE)
    mac = namespaces.mac_address(namespace, "eth0")
    await eventually(lambda: neighbor(client, OURS) == mac)
    assert answers(client, OURS)


async def test_link_that_is_enslaved_is_left_to_its_master(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    namespaces.bridge(namespace, "lan0")
    await reported(node, "lan0", Eligibility.ELIGIBLE)
    namespaces.attach(namespace, "eth0", "lan0")
    await reported(node, "eth0", Eligibility.ENSLAVED)
    mac = namespaces.mac_address(namespace, "lan0")
    send_datagram(client, OURS)
    await eventually(lambda: neighbor(client, OURS) == mac)
    ip(namespace, "link set eth0 nomaster")
    await reported(node, "eth0", Eligibility.ELIGIBLE)
    await eventually(lambda: answers(client, OURS))


async def test_changed_mac_is_announced(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    send_datagram(client, OURS)
    old = namespaces.mac_address(namespace, "eth0")
    await eventually(lambda: neighbor(client, OURS) == old)
    new = "02:00:00:00:00:77"
    ip(namespace, f"link set eth0 address {new}")
    await eventually(lambda: neighbor(client, OURS) == new)
    assert answers(client, OURS)


async def test_renamed_link_takes_the_addresses_of_its_new_name(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    other = "192.0.2.11"
    number = node.send_entries(Entry(OURS, ("eth0",)), Entry(other, ("lan0",)))
    await node.next(TableApplied, lambda message: message.number == number)
    assert answers(client, OURS)
    assert is_silent(client, other)
    namespaces.set_down(namespace, "eth0")
    ip(namespace, "link set eth0 name lan0")
    namespaces.set_up(namespace, "lan0")
    await reported(node, "lan0", Eligibility.ELIGIBLE)
    await eventually(lambda: answers(client, other))
    assert is_silent(client, OURS)


async def test_link_that_appears_answers_and_link_that_goes_is_forgotten(
    lan: tuple[Namespace, Namespace], node: Node
) -> None:
    namespace, client = lan
    namespaces.connect(namespace, "lan1", client, "eth1")
    link = await reported(node, "lan1", Eligibility.ELIGIBLE)
    assert link is not None
    await eventually(lambda: client.run(["arping", "-c1", "-w1", "-I", "eth1", OURS], check=False).returncode == 0)
    ip(namespace, "link del lan1")
    await reported(node, "lan1", None)
    assert answers(client, OURS)


async def test_link_without_arp_and_excluded_link_do_not_answer(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    ip(namespace, "link set eth0 arp off")
    await reported(node, "eth0", Eligibility.NO_ARP)
    assert is_silent(client, OURS)
    ip(namespace, "link set eth0 arp on")
    await reported(node, "eth0", Eligibility.ELIGIBLE)
    node.send(OURS, exclude=("^eth",))
    await reported(node, "eth0", Eligibility.EXCLUDED)
    assert is_silent(client, OURS)


async def test_addresses_of_links_are_reported_as_they_come_and_go(
    lan: tuple[Namespace, Namespace], node: Node
) -> None:
    namespace, _ = lan

    def has(prefix: str, links: Links) -> bool:
        return any(prefix in link.prefixes for link in links.interfaces if link.name == "eth0")

    namespaces.add_address(namespace, "eth0", "198.51.100.1/24")
    await node.next(Links, lambda links: has("198.51.100.1/24", links))
    namespaces.remove_address(namespace, "eth0", "198.51.100.1/24")
    await node.next(Links, lambda links: not has("198.51.100.1/24", links))


async def test_ipv6_address_counts_once_nobody_else_has_it(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    namespaces.add_address(client, "eth0", "2001:db8::1/64")
    ip(namespace, "address add 2001:db8::1/64 dev eth0")
    await eventually(lambda: "dadfailed" in shown(namespace, "2001:db8::1"))
    ip(namespace, "address add 2001:db8::2/64 dev eth0")
    told = await node.next(Links, lambda links: "2001:db8::2/64" in prefixes(links, "eth0"))
    assert "tentative" not in shown(namespace, "2001:db8::2")
    assert "2001:db8::1/64" not in prefixes(told, "eth0")


def shown(namespace: Namespace, address: str) -> str:
    return namespace.run(["ip", "-6", "-oneline", "address", "show", "to", address]).stdout


async def test_overflow_of_the_kernels_queue_is_made_good(lan: tuple[Namespace, Namespace], node: Node) -> None:
    """A process that is stopped for a while misses events; the links are read anew."""
    namespace, client = lan
    node.process.send_signal(signal.SIGSTOP)
    passing = (f"198.51.100.{number}/32 dev eth0" for number in range(1, 251))
    once = "\n".join(f"address add {address}\naddress del {address}" for address in passing)
    await asyncio.to_thread(namespace.run, ["ip", "-batch", "-"], stdin="\n".join([once] * 20), timeout_s=30.0)
    namespaces.add_address(namespace, "eth0", "203.0.113.1/24")
    node.process.send_signal(signal.SIGCONT)
    final = ("192.0.2.1/24", "203.0.113.1/24")
    await node.next(Links, lambda links: tuple(each for each in prefixes(links, "eth0") if ":" not in each) == final)
    assert answers(client, OURS)
    assert "read anew" in (node.folder / "node.log").read_text()


def prefixes(links: Links, name: str) -> tuple[str, ...]:
    return next((link.prefixes for link in links.interfaces if link.name == name), ())


async def test_hundreds_of_events_end_in_the_right_state(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    batch = "\n".join(f"link add lan{number} type bridge\nlink set lan{number} up" for number in range(200))
    await asyncio.to_thread(namespace.run, ["ip", "-batch", "-"], stdin=batch)
    batch = "\n".join(f"link del lan{number}" for number in range(199))
    await asyncio.to_thread(namespace.run, ["ip", "-batch", "-"], stdin=batch)
    final = {"eth0", "lan199", "lo"}
    await node.next(Links, lambda links: {link.name for link in links.interfaces} == final)
    assert answers(client, OURS)
