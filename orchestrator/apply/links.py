"""The network interfaces of this node, from netlink: one dump, then events. Never polled.

The subscription begins before the dump, so nothing is missed; what happened in between is seen twice, in order, which
ends in the same state. When the kernel's queue overflows both begin anew.

An IPv6 address counts once duplicate address detection has passed it: the kernel tells of it again then.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

import structlog

from orchestrator.apply.netlink import Batch, NetlinkSocket
from orchestrator.fsm.interfaces import Link
from orchestrator.packet import rtnetlink
from orchestrator.packet.netlink import Message
from orchestrator.packet.rtnetlink import AddressFlag, AddressMessage, Change, LinkFlag, LinkMessage

log = structlog.get_logger()

GROUPS = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""
DATAGRAMS_PER_WAKE_UP = 64

AGAIN_S = 0.1
"""Whatever made so many events is not over yet. A policy of tenacity would cost the responder 0.7 MiB to say this."""

Links = Mapping[int, Link]
"""Every link of the namespace by its index."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All links; `after` returns the inventory once a netlink message has told of a change."""

    links: Links

    def after(self, message: Message) -> "Inventory":
        match rtnetlink.decode(message):
            case LinkMessage(partial=False, change=Change.THERE) as told:
                return self._with(_link(told, self.links.get(told.index)))
            case LinkMessage(partial=False) as told:
                return Inventory({index: link for index, link in self.links.items() if index != told.index})
            case AddressMessage() as told if link := self.links.get(told.index):
                return self._with(_with_address(link, told))
        return self

    def _with(self, link: Link) -> "Inventory":
        return Inventory({**self.links, link.index: link})


def _link(told: LinkMessage, known: Link | None) -> Link:
    return Link(
        index=told.index,
        name=told.name,
        mac=told.mac,
        up=bool(told.flags & LinkFlag.UP),
        carrier=bool(told.flags & LinkFlag.LOWER_UP),
        broadcast=bool(told.flags & LinkFlag.BROADCAST),
        no_arp=bool(told.flags & LinkFlag.NO_ARP),
        master=told.master,
        addresses=known.addresses if known else (),
    )


def _with_address(link: Link, told: AddressMessage) -> Link:
    others = tuple(known for known in link.addresses if known != told.address)
    usable = told.change is Change.THERE and not told.flags & (AddressFlag.TENTATIVE | AddressFlag.DUPLICATE)
    added = (told.address,) if usable else ()
    return replace(link, addresses=tuple(sorted((*others, *added), key=str)))


async def _dump() -> Inventory:
    """On a socket of its own: an event that arrives meanwhile stays in the subscription's queue."""
    inventory = Inventory({})
    with NetlinkSocket() as asking:
        for request in (rtnetlink.dump_links(), rtnetlink.dump_addresses()):
            for batch in asking.ask(request):
                for message in batch:
                    inventory = inventory.after(message)
                await asyncio.sleep(0)
    return inventory


async def _until_readable(events: NetlinkSocket) -> None:
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(events, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(events)


async def _watch(on_change: Callable[[Links], None]) -> NoReturn:
    """Raises OSError: ENOBUFS when events were lost."""
    with NetlinkSocket(GROUPS) as events:
        inventory = await _dump()
        on_change(inventory.links)
        while True:
            await _until_readable(events)
            inventory = _read(events, inventory, on_change)


def _read(events: NetlinkSocket, inventory: Inventory, on_change: Callable[[Links], None]) -> Inventory:
    """What is left waits for the next turn of the loop."""
    for _ in range(DATAGRAMS_PER_WAKE_UP):
        if (batch := events.receive()) is None:
            break
        inventory = _taken_in(inventory, batch, on_change)
    return inventory


def _taken_in(inventory: Inventory, batch: Batch, on_change: Callable[[Links], None]) -> Inventory:
    """Each change is told by itself: a link that went down and came back is news, though it is as before."""
    for message in batch:
        before, inventory = inventory, inventory.after(message)
        if inventory.links != before.links:
            on_change(inventory.links)
    return inventory


async def watch_links(on_change: Callable[[Links], None]) -> NoReturn:
    """Call `on_change` with all links, now and whenever something about one of them changed, until cancelled."""
    while True:
        try:
            await _watch(on_change)
        except OSError as error:
            log.warning("interfaces are read anew", reason=str(error))
        await asyncio.sleep(AGAIN_S)
