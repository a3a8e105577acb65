from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.fsm.interfaces import Eligibility
from orchestrator.fsm.responder_api import Counters, Entry, LinkReport, Links, TableApplied, TableRefused
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from tests.support.responders import Node, answers, eventually, is_silent, neighbor, network, responder, send_datagram

OURS = "192.0.2.10"
NOT_OURS = "192.0.2.99"


@pytest.fixture
def lan() -> Iterator[tuple[Namespace, Namespace]]:
    with network("node", "client") as (node, client):
        yield node, client


async def applied(node: Node, number: int) -> None:
    await node.next(TableApplied, lambda message: message.number == number)


async def test_answers_for_its_addresses_only(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, client = lan
    async with responder(namespace, tmp_path, "node") as node:
        await applied(node, node.send(OURS))
        assert answers(client, OURS)
        assert is_silent(client, NOT_OURS)
        counters = await node.next(Counters, lambda message: bool(message.drops))
        assert counters.drops["addressNotAnnounced"] >= 1


async def test_kernel_neighbor_learns_the_address(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, client = lan
    async with responder(namespace, tmp_path, "node") as node:
        await applied(node, node.send(OURS))
        mac = namespaces.mac_address(namespace, "eth0")
        send_datagram(client, OURS)
        await eventually(lambda: neighbor(client, OURS) == mac)


async def test_address_that_is_taken_from_the_table_is_no_longer_answered(
    lan: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    namespace, client = lan
    async with responder(namespace, tmp_path, "node") as node:
        await applied(node, node.send(OURS, NOT_OURS))
        assert answers(client, NOT_OURS)
        await applied(node, node.send(OURS))
        assert is_silent(client, NOT_OURS)
        assert answers(client, OURS)


async def test_address_is_answered_on_its_interfaces_only(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, client = lan
    async with responder(namespace, tmp_path, "node") as node:
        await applied(node, node.send_entries(Entry(OURS, ("lan0",)), Entry(NOT_OURS, ("eth0",))))
        assert answers(client, NOT_OURS)
        assert is_silent(client, OURS)
        counters = await node.next(Counters, lambda message: "interfaceNotMatching" in message.drops)
        assert counters.drops["interfaceNotMatching"] >= 1


async def test_existing_neighbor_entry_is_replaced_by_the_announcement(
    lan: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    namespace, client = lan
    client.run(["ip", "neighbor", "replace", OURS, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "stale"])
    async with responder(namespace, tmp_path, "node") as node:
        await applied(node, node.send(OURS))
        mac = namespaces.mac_address(namespace, "eth0")
        await eventually(lambda: neighbor(client, OURS) == mac)
        counters = await node.next(Counters, lambda message: message.addresses != ())
        assert counters.addresses[0].gratuitous >= 2


async def test_table_for_another_node_is_refused(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, client = lan
    async with responder(namespace, tmp_path, "node") as node:
        await applied(node, node.send(OURS))
        number = node.send("192.0.2.300")
        refusal = await node.next(TableRefused)
        assert refusal.number == number
        assert "192.0.2.300" in refusal.reason
        assert answers(client, OURS)


def link_named(name: str, links: Links) -> LinkReport | None:
    return next((link for link in links.interfaces if link.name == name), None)


async def test_links_are_reported_with_their_eligibility(lan: tuple[Namespace, Namespace], tmp_path: Path) -> None:
    namespace, _ = lan
    async with responder(namespace, tmp_path, "node") as node:
        links = await node.next(Links, lambda message: message.interfaces != ())
        assert [(link.name, link.eligibility) for link in links.interfaces] == [
            ("eth0", Eligibility.ELIGIBLE),
            ("lo", Eligibility.EXCLUDED),
        ]
        assert "192.0.2.1/24" in links.interfaces[0].prefixes
        assert links.interfaces[0].mac == namespaces.mac_address(namespace, "eth0")
