"""The network interfaces of this node, from netlink: one dump, then events. Never polled.

The subscription begins before the dump, so nothing is missed; what happened in between is seen twice, in order, which
ends in the same state. When the kernel's queue overflows both begin anew.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Any, NoReturn, Protocol, cast

import structlog
from pyroute2.iproute.linux import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_LINK
from tenacity import RetryCallState, retry, retry_if_exception_type, wait_exponential_jitter

from orchestrator.errors import InvalidConfig
from orchestrator.fsm.interfaces import Link
from orchestrator.net.link import MacAddress

log = structlog.get_logger()

GROUPS = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
AF_BRIDGE = 7
"""Events of this family tell what a bridge thinks of a port; a DELLINK among them means that the port left it."""

IFF_UP, IFF_BROADCAST, IFF_NOARP, IFF_LOWER_UP = 0x1, 0x2, 0x80, 0x10000
"""linux/if.h"""

Links = Mapping[int, Link]
"""Every link of the namespace by its index."""


class Message(Protocol):
    """What is used of pyroute2's messages."""

    def __getitem__(self, key: str) -> Any: ...
    def get(self, key: str) -> Any: ...


class Netlink(Protocol):
    """The calls of pyroute2.AsyncIPRoute that are used; its own annotations hide them behind a mixin."""

    async def bind(self, *, groups: int) -> None: ...
    def get(self) -> AsyncIterator[Message]: ...
    def link(self, command: str) -> Awaitable[AsyncIterator[Message]]: ...
    def addr(self, command: str) -> Awaitable[AsyncIterator[Message]]: ...


def _mac(text: str | None) -> MacAddress | None:
    """Tunnels have hardware addresses of other lengths, or none."""
    try:
        return MacAddress.parse(text) if text else None
    except InvalidConfig:
        return None


def _link(message: Message, addresses: tuple[IPv4Interface | IPv6Interface, ...]) -> Link:
    flags = message["flags"]
    return Link(
        index=message["index"],
        name=message.get("ifname"),
        mac=_mac(message.get("address")),
        up=bool(flags & IFF_UP),
        carrier=bool(flags & IFF_LOWER_UP),
        broadcast=bool(flags & IFF_BROADCAST),
        no_arp=bool(flags & IFF_NOARP),
        master=message.get("master"),
        addresses=addresses,
    )


@dataclass(frozen=True, slots=True)
class Inventory:
    """All links; `after` returns the inventory once a netlink message has told of a change."""

    links: Links

    def after(self, message: Message) -> "Inventory":
        match message["event"]:
            case "RTM_NEWLINK" | "RTM_DELLINK" if message["family"] == AF_BRIDGE:
                return self
            case "RTM_NEWLINK":
                known = self.links.get(message["index"])
                return self._with(_link(message, known.addresses if known else ()))
            case "RTM_DELLINK":
                return Inventory({index: link for index, link in self.links.items() if index != message["index"]})
            case "RTM_NEWADDR" | "RTM_DELADDR" if link := self.links.get(message["index"]):
                return self._with(_with_address(link, message))
        return self

    def _with(self, link: Link) -> "Inventory":
        return Inventory({**self.links, link.index: link})


def _with_address(link: Link, message: Message) -> Link:
    """A point-to-point IPv4 address has ours in `local`, the other end in `address`."""
    address = ip_interface((message.get("local") or message.get("address"), message["prefixlen"]))
    others = tuple(known for known in link.addresses if known != address)
    added = (address,) if message["event"] == "RTM_NEWADDR" else ()
    return replace(link, addresses=tuple(sorted((*others, *added), key=str)))


def _log_retry(state: RetryCallState) -> None:
    reason = state.outcome.exception() if state.outcome is not None else None
    log.warning("interfaces are read anew", reason=str(reason))


@contextlib.asynccontextmanager
async def _open() -> AsyncIterator[Netlink]:
    async with AsyncIPRoute() as opened:  # type: ignore[no-untyped-call]  # pyroute2's constructor has no annotations
        yield cast("Netlink", opened)


async def _dump() -> Inventory:
    """On a socket of its own: an event that arrives meanwhile stays in the subscription's queue."""
    inventory = Inventory({})
    async with _open() as netlink:
        for request in (netlink.link, netlink.addr):
            async for message in await request("dump"):
                inventory = inventory.after(message)
    return inventory


@retry(
    retry=retry_if_exception_type((OSError, NetlinkError)),
    wait=wait_exponential_jitter(multiplier=0.05, max=2.0),
    before_sleep=_log_retry,
)
async def watch_links(on_change: Callable[[Links], None]) -> NoReturn:
    """Call `on_change` with all links, now and whenever something about one of them changed, until cancelled."""
    async with _open() as netlink:
        await netlink.bind(groups=GROUPS)
        inventory = await _dump()
        on_change(inventory.links)
        while True:
            async for message in netlink.get():
                before, inventory = inventory, inventory.after(message)
                if inventory.links != before.links:
                    on_change(inventory.links)
