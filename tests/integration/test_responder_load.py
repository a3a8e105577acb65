"""Floods and garbage: the other interface and the control plane do not notice; every frame is counted."""

import random
import socket
from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from threading import Event, Thread

import pytest
import pytest_asyncio

from orchestrator.apply.frames import FrameSocket
from orchestrator.fsm.responder import DropReason
from orchestrator.fsm.responder_api import Counters, TableApplied
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.net.addresses import IpFamily
from orchestrator.net.link import MacAddress
from orchestrator.packet import arp, ndp
from orchestrator.packet.ndp import Solicitation
from tests.support.neighbors import lan, listening, mac_of, ndisc
from tests.support.responders import Node, answers, eventually, responder

__all__ = ["lan"]

OURS, OURS_V4 = "2001:db8::10", "192.0.2.10"
FLOODER = MacAddress.parse("02:00:00:00:00:66")
SEED = 20261121
REQUEST = arp.request(FLOODER, IPv4Address("192.0.2.66"), IPv4Address("192.0.2.99"))
SOLICITED = ndp.frame(
    Solicitation(
        source=IPv6Address("fe80::66"),
        destination=IPv6Address("ff02::1:ff00:99"),
        target=IPv6Address("2001:db8::99"),
        source_mac=FLOODER,
    ),
    FLOODER,
    MacAddress.parse("33:33:ff:00:00:99"),
)


@pytest_asyncio.fixture
async def node(lan: tuple[Namespace, Namespace], tmp_path: Path) -> AsyncIterator[Node]:
    async with responder(lan[0], tmp_path, "node") as running:
        running.send(OURS, OURS_V4)
        await running.next(TableApplied)
        await eventually(lambda: bool(ndisc(lan[1], OURS)))
        yield running


@pytest.fixture
def flood(lan: tuple[Namespace, Namespace]) -> Iterator[None]:
    """Requests and solicitations for another address, as fast as one thread sends, on a second link of the node."""
    namespace, client = lan
    namespaces.connect(namespace, "eth1", client, "eth1")
    opened = client.inside(lambda: [FrameSocket(socket.if_nametoindex("eth1"), family) for family in IpFamily])
    stop = Event()

    def send() -> None:
        while not stop.is_set():
            for channel, frame in zip(opened, (REQUEST, SOLICITED), strict=True):
                channel.send(frame)

    sender = Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        stop.set()
        sender.join()
        for channel in opened:
            channel.close()


async def test_flood_on_one_interface_starves_nobody(lan: tuple[Namespace, Namespace], node: Node, flood: None) -> None:
    unknown = DropReason.ADDRESS_NOT_ANNOUNCED.value
    await node.next(Counters, lambda counters: counters.drops.get(unknown, 0) > 1000)
    assert ndisc(lan[1], OURS, wait_ms=5000) == str(mac_of(lan[0]))
    assert answers(lan[1], OURS_V4)
    number = node.send(OURS, OURS_V4, "192.0.2.11")
    await node.next(TableApplied, lambda applied: applied.number == number)
    assert answers(lan[1], "192.0.2.11")
    await node.next(Counters, lambda counters: counters.drops.get(unknown, 0) > 1000)


async def test_mutilated_frames_are_counted_and_answered_by_nothing_else(
    lan: tuple[Namespace, Namespace], node: Node
) -> None:
    chance = random.Random(SEED)
    for family, frame in ((IpFamily.IPV4, REQUEST), (IpFamily.IPV6, SOLICITED)):
        channel = listening(lan[1], family)
        for _ in range(3000):
            channel.send(_mutilated(frame, chance))
        channel.close()
    malformed = DropReason.MALFORMED.value
    await node.next(Counters, lambda counters: counters.drops.get(malformed, 0) > 100)
    assert ndisc(lan[1], OURS, wait_ms=5000) == str(mac_of(lan[0]))
    assert answers(lan[1], OURS_V4)
    assert node.process.poll() is None


def _mutilated(frame: bytes, chance: random.Random) -> bytes:
    """Some octets behind the Ethernet header changed, and sometimes the end cut off or something added."""
    octets = bytearray(frame)
    for _ in range(chance.randrange(1, 8)):
        octets[chance.randrange(14, len(octets))] = chance.randrange(256)
    end = chance.choice((len(octets), len(octets), chance.randrange(20, len(octets))))
    return bytes(octets[:end]) + chance.randbytes(chance.choice((0, 0, 30)))
