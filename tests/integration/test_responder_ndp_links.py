"""NDP when links change: what is answered, which groups are joined, and that clients are told anew at once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from orchestrator.fsm.responder_api import Counters, Entry, TableApplied
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from tests.support.neighbors import ip, known, lan, mac_of, ndisc, remember
from tests.support.responders import Node, eventually, responder

__all__ = ["lan"]

OURS, NAMED = "2001:db8::10", "2001:db8::11"
FORMER = "02:00:00:00:00:99"


@pytest_asyncio.fixture
async def node(lan: tuple[Namespace, Namespace], tmp_path: Path) -> AsyncIterator[Node]:
    """Answers on every interface, for one address on `wan0` only."""
    async with responder(lan[0], tmp_path, "node") as running:
        running.send_entries(Entry(OURS), Entry(NAMED, ("wan0",)))
        await running.next(TableApplied)
        await joined(running, "eth0", 1)
        yield running


async def joined(node: Node, interface: str, groups: int) -> None:
    await node.next(Counters, lambda counters: counters.groups.get(interface) == groups)


async def told_anew(client: Namespace, owner: Namespace, address: str, interface: str = "eth0") -> None:
    """Wait until the client's kernel has the owner's MAC, without asking."""
    await eventually(lambda: known(client, address)[0] == str(mac_of(owner, interface)))


async def test_link_that_appears_joins_and_announces(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    ip(namespace, "link add link eth0 name wan0 type macvlan mode bridge")
    remember(client, NAMED, FORMER, "stale")
    namespaces.set_up(namespace, "wan0")
    await node.next(Counters, lambda counters: counters.groups == {"eth0": 1, "wan0": 2})
    await told_anew(client, namespace, NAMED, "wan0")
    assert ndisc(client, NAMED, wait_ms=5000) == str(mac_of(namespace, "wan0"))


async def test_link_that_goes_leaves_its_groups(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    ip(namespace, "link add link eth0 name wan0 type macvlan mode bridge")
    namespaces.set_up(namespace, "wan0")
    await joined(node, "wan0", 2)
    ip(namespace, "link del wan0")
    await node.next(Counters, lambda counters: counters.groups == {"eth0": 1, "wan0": 0})
    assert ndisc(client, NAMED) == ""
    assert ndisc(client, OURS, wait_ms=5000) == str(mac_of(namespace))


async def test_link_that_goes_down_and_up_is_announced_anew(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    namespaces.set_down(namespace, "eth0")
    await joined(node, "eth0", 0)
    remember(client, OURS, FORMER, "stale")
    namespaces.set_up(namespace, "eth0")
    await joined(node, "eth0", 1)
    await told_anew(client, namespace, OURS)


async def test_new_name_brings_the_addresses_of_that_name(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    namespaces.set_down(namespace, "eth0")
    ip(namespace, "link set eth0 name wan0")
    remember(client, NAMED, FORMER, "stale")
    namespaces.set_up(namespace, "wan0")
    await joined(node, "wan0", 2)
    await told_anew(client, namespace, NAMED, "wan0")


async def test_changed_mac_is_announced_and_answered(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    await eventually(lambda: bool(ndisc(client, OURS)))
    remember(client, OURS, FORMER, "stale")
    ip(namespace, "link set eth0 address 02:00:00:00:00:77")
    await told_anew(client, namespace, OURS)
    assert ndisc(client, OURS, wait_ms=5000) == "02:00:00:00:00:77"


async def test_enslaved_link_is_left_to_its_master(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    namespaces.bridge(namespace, "lan0")
    remember(client, OURS, FORMER, "stale")
    namespaces.attach(namespace, "eth0", "lan0")
    await joined(node, "lan0", 1)
    await told_anew(client, namespace, OURS, "lan0")
    ip(namespace, "link set eth0 nomaster")
    await joined(node, "eth0", 1)
    await told_anew(client, namespace, OURS)


async def test_link_without_link_local_address_carries_arp_only(lan: tuple[Namespace, Namespace], node: Node) -> None:
    namespace, client = lan
    [link_local] = [word for word in ip(namespace, "-6 address show dev eth0").split() if word.startswith("fe80")]
    ip(namespace, f"address del {link_local} dev eth0")
    await joined(node, "eth0", 0)
    assert ndisc(client, OURS) == ""
    remember(client, OURS, FORMER, "stale")
    ip(namespace, f"address add {link_local} dev eth0")
    await joined(node, "eth0", 1)
    await told_anew(client, namespace, OURS)
    assert ndisc(client, OURS, wait_ms=5000) == str(mac_of(namespace))
