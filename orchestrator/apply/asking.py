"""Asks on the wire who has an address, as a neighbor would: ARP requests, Neighbor Solicitations.

The questions come from the interface's own address, so that nobody learns anything that is not so. Needs CAP_NET_RAW.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from orchestrator.apply.frames import FrameSocket
from orchestrator.apply.links import Links, watch_links
from orchestrator.fsm.asking import Reply, sender
from orchestrator.fsm.interfaces import Link
from orchestrator.net.addresses import IpAddress, family_of
from orchestrator.net.link import MacAddress
from orchestrator.packet import arp, ndp

LINGER_S = 0.25
"""How long a second answer is waited for after the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What goes out on one interface; `answer` returns who answers with a frame, None if it is about something else."""

    link: Link
    socket: FrameSocket
    frame: bytes
    answer: Callable[[bytes], MacAddress | None]


async def read_links() -> Links:
    """Return the network interfaces of this node."""
    read: asyncio.Future[Links] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch_links(lambda links: None if read.done() else read.set_result(links)))
        links = await read
        watching.cancel()
    return links


def ask(address: IpAddress, links: Sequence[Link], *, count: int, timeout_s: float) -> tuple[Reply, ...]:
    """Ask `count` times on all of the links and return the answers in order. Raises OSError.

    A question is open for `timeout_s`, or for LINGER_S after the first answer: there may be a second.
    """
    with ExitStack() as stack:
        questions = [_question(address, link, stack) for link in links]
        return tuple(reply for number in range(count) for reply in _replies(questions, number, timeout_s))


def _question(address: IpAddress, link: Link, stack: ExitStack) -> _Question:
    """Without an address of its own the interface asks as one that looks for a free address does."""
    assert link.mac is not None, "links without a MAC are not asked on"
    own = sender(address, link)
    if isinstance(address, IPv4Address):
        source = own if isinstance(own, IPv4Address) else IPv4Address(0)
        frame = arp.request(link.mac, source, address)
    else:
        frame = _solicitation(link.mac, own, address) if isinstance(own, IPv6Address) else ndp.probe(link.mac, address)
    opened = stack.enter_context(closing(FrameSocket(link.index, family_of(address))))
    return _Question(link=link, socket=opened, frame=frame, answer=lambda octets: _answer(octets, address))


def _solicitation(mac: MacAddress, source: IPv6Address, target: IPv6Address) -> bytes:
    group = ndp.solicited_node(target.packed)
    asking = ndp.Solicitation(source=source, destination=IPv6Address(group), target=target, source_mac=mac)
    return ndp.frame(asking, mac, ndp.group_mac(group))


def _answer(frame: bytes, address: IpAddress) -> MacAddress | None:
    """Announcements count as well: who makes them has the address, whoever they are for."""
    match arp.decode_frame(frame) if address.version == 4 else ndp.decode_frame(frame):
        case arp.ArpPacket(operation=arp.Operation.REPLY, sender_mac=mac, sender_address=about) if about == address:
            return mac
        case ndp.Advertisement(target=about, target_mac=told) if about == address:
            return told or MacAddress(frame[ndp.SOURCE_MAC])
        case _:
            return None


def _replies(questions: Sequence[_Question], number: int, timeout_s: float) -> Iterator[Reply]:
    with selectors.DefaultSelector() as selector:
        for question in questions:
            selector.register(question.socket, selectors.EVENT_READ, question)
            _drain(question.socket)
        sent = time.monotonic()
        for question in questions:
            question.socket.send(question.frame)
        deadline = sent + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                question, now = key.data, time.monotonic()
                for mac in _answers(question):
                    deadline = min(deadline, now + LINGER_S)
                    yield Reply(mac=mac, interface=question.link.name, question=number, after_s=now - sent)


def _answers(question: _Question) -> Iterator[MacAddress]:
    while (frame := question.socket.receive()) is not None:
        mac = question.answer(frame)
        if mac is not None:
            yield mac


def _drain(waiting: FrameSocket) -> None:
    """What arrived before the question is no answer to it."""
    while waiting.receive() is not None:
        continue
