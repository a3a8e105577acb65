"""The responder's interfaces, and what is sent on them unasked: announcements, words to gateways, joins of groups.

Two things are set from outside, the links and the orders. The difference to what is open is computed at each change:
a port per eligible link, a place in the schedule per (interface, address). Work is bounded per wake-up, so that a
flooded interface, a burst of announcements or of joins does not keep the others waiting.

A process that has slept asks first whether it is still current, before it reads or announces: what waits in its sockets
was meant for the owner of then.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from orchestrator.apply.gateways import gateways
from orchestrator.apply.links import Links
from orchestrator.fsm.gratuitous import Place, Schedule
from orchestrator.fsm.interfaces import (
    DEFAULT_EXCLUSIONS,
    Eligibility,
    Gateway,
    Link,
    eligibility,
    exclusion,
    link_local,
)
from orchestrator.fsm.responder import Claim, WireOrders
from orchestrator.fsm.tally import Tally
from orchestrator.runtime.port import Channel, Port

ANNOUNCEMENTS_PER_WAKE_UP = 32
GROUPS_PER_WAKE_UP = 32
"""1.5 ms of work for announcements, 2 to 5 for joins (the kernel looks through those of the socket), while others wait."""
GATEWAYS_INTERVAL_S = 1.0
"""How old the knowledge of gateways may be."""

log = structlog.get_logger()


class Wire:
    """All that touches the wire. Runs inside the event loop.

    `on_claims` is told when others claim our addresses; `on_first_announced` when an address that was not announced
    before is on the wire, with the monotonic time. `is_current` may call `set_entries`.
    """

    def __init__(
        self,
        tally: Tally,
        on_claims: Callable[[Sequence[Claim]], None],
        is_current: Callable[[], bool],
        on_first_announced: Callable[[bytes, float], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._tally = tally
        self._on_claims = on_claims
        self._is_current = is_current
        self._on_first_announced = on_first_announced
        self._links: Links = {}
        self._orders = WireOrders(excluded=exclusion(DEFAULT_EXCLUSIONS))
        self._ports: dict[int, Port] = {}
        self._macs: frozenset[bytes] = frozenset()
        self._schedule = Schedule()
        self._first: set[bytes] = set()
        self._fresh: set[Place] = set()
        self._gateways: tuple[Gateway, ...] = ()
        self._gateways_until = float("-inf")
        self._announcing: asyncio.TimerHandle | None = None
        self._joining: asyncio.Handle | None = None

    @property
    def excluded(self) -> re.Pattern[str] | None:
        return self._orders.excluded

    def set_links(self, links: Links) -> None:
        """Open, close and rebuild what the change of a link requires."""
        self._links = links
        self._macs = frozenset(link.mac.octets for link in links.values() if link.mac is not None)
        if self._wanted() != {index: port.link for index, port in self._ports.items()}:
            self._reconcile()

    def set_entries(self, orders: WireOrders) -> None:
        """Do this and nothing else; addresses that are new on an interface are announced there at once."""
        before, self._orders = self._orders, orders
        if (orders.answered, orders.watched) != (before.answered, before.watched):
            for port in self._ports.values():
                port.set_orders(orders)
        announced = orders.announced
        self._first = (self._first | (announced - before.announced)) & announced
        self._reconcile()

    def answered(self) -> frozenset[bytes]:
        """The addresses that some interface answers for, as octets."""
        return frozenset().union(*(port.addresses for port in self._ports.values()))

    def release(self, addresses: frozenset[bytes]) -> None:
        """Have nothing to do with these any more."""
        self._orders = self._orders.without(addresses)
        self._first -= addresses
        for index, port in self._ports.items():
            port.set_orders(self._orders)
            self._schedule.stop(Place(index, address) for address in addresses)
        self._plan_groups()

    def announce(self, addresses: Iterable[bytes]) -> None:
        """Announce these at once, once, on each interface that answers for them."""
        wanted = frozenset(addresses)
        for port in self._ports.values():
            for address in sorted(wanted & port.addresses):
                port.announce(address)

    def ask(self, addresses: Iterable[bytes]) -> tuple[bytes, ...]:
        """Ask who has these, each on its interfaces. Return those for which none can."""
        return tuple(address for address in addresses if not self._ask(address))

    def groups(self) -> Mapping[str, int]:
        """How many solicited-node groups each interface is a member of."""
        return {port.link.name: port.memberships.count for port in self._ports.values()}

    def close(self) -> None:
        for index in tuple(self._ports):
            self._shut(index)
        for handle in (self._announcing, self._joining):
            if handle is not None:
                handle.cancel()

    def opened(self, channel: Channel) -> None:
        self._loop.add_reader(channel.socket, self._read, channel)

    def closing(self, channel: Channel) -> None:
        self._loop.remove_reader(channel.socket)

    def _ask(self, address: bytes) -> bool:
        asked = [port.ask(address) for port in self._ports.values()]
        return any(asked)

    # --- links --------------------------------------------------------------------------------------------------------

    def _reconcile(self) -> None:
        wanted = self._wanted()
        for index in self._ports.keys() - wanted.keys():
            self._shut(index)
        for link in wanted.values():
            self._follow(link)
        self._plan_groups()
        self._announce_new()

    def _wanted(self) -> Links:
        return {
            index: link
            for index, link in self._links.items()
            if eligibility(link, self._orders.excluded) is Eligibility.ELIGIBLE
        }

    def _follow(self, link: Link) -> None:
        """A link that is gone already will be told by netlink."""
        port = self._ports.get(link.index)
        try:
            if port is None:
                self._ports[link.index] = Port(link, self._orders, self._tally, self)
                log.info("interface answers", interface=link.name, mac=str(link.mac), ndp=link_local(link) is not None)
            elif port.link != link:
                self._change(port, link)
        except OSError as error:
            log.warning("interface not usable", interface=link.name, reason=str(error))

    def _change(self, port: Port, link: Link) -> None:
        """Name, MAC and carrier are news for the network."""
        before = port.link
        if (before.name, before.mac) != (link.name, link.mac) or (link.carrier and not before.carrier):
            self._schedule.stop(self._places_of(link.index))
        port.set_link(link, self._orders)

    def _shut(self, index: int) -> None:
        port = self._ports.pop(index)
        port.close()
        self._schedule.stop(self._places_of(index))
        log.info("interface no longer answers", interface=port.link.name)

    def _places_of(self, index: int) -> tuple[Place, ...]:
        return tuple(place for place in self._schedule.places if place.interface == index)

    # --- groups -------------------------------------------------------------------------------------------------------

    def _plan_groups(self) -> None:
        if self._joining is None:
            self._joining = self._loop.call_soon(self._follow_groups)

    def _follow_groups(self) -> None:
        self._joining = None
        if sum(self._proceed(port) for port in self._ports.values()):
            self._plan_groups()

    def _proceed(self, port: Port) -> int:
        """A group that cannot be joined is tried again at the next change of links or orders."""
        try:
            return port.memberships.proceed(GROUPS_PER_WAKE_UP)
        except OSError as error:
            log.warning("multicast group not joined", interface=port.link.name, reason=str(error))
            return 1

    # --- announcements ------------------------------------------------------------------------------------------------

    def _announce_new(self) -> None:
        quiet = self._orders.quiet
        wanted = {Place(index, address) for index, port in self._ports.items() for address in port.addresses - quiet}
        new = wanted - self._schedule.places
        self._schedule.stop(self._schedule.places - wanted)
        self._schedule.start(sorted(new), self._loop.time())
        self._fresh = (self._fresh | new) & wanted
        self._announce()

    def _announce(self) -> None:
        self._is_current()  # it may take addresses away, which plans anew
        if self._announcing is not None:
            self._announcing.cancel()
        for place in self._schedule.due(self._loop.time(), ANNOUNCEMENTS_PER_WAKE_UP):
            self._announce_at(place)
        for told in (self._first, self._fresh):
            if not told:
                told.clear()  # a set from which 5000 were taken keeps their room, half a MiB, until it is cleared
        next_at = self._schedule.next_at()
        self._announcing = None if next_at is None else self._loop.call_at(next_at, self._announce)

    def _announce_at(self, place: Place) -> None:
        port = self._ports[place.interface]
        if not port.announce(place.address):
            return
        if place.address in self._first:
            self._first.discard(place.address)
            self._on_first_announced(place.address, self._loop.time())
        if place in self._fresh:
            self._fresh.discard(place)
            for gateway in self._gateways_of(place.interface):
                port.poke(place.address, gateway)

    def _gateways_of(self, index: int) -> tuple[Gateway, ...]:
        if self._loop.time() >= self._gateways_until:
            self._gateways_until = self._loop.time() + GATEWAYS_INTERVAL_S
            try:
                self._gateways = gateways(self._ports)
            except OSError as error:
                log.warning("gateways not known", reason=str(error))
        return tuple(gateway for gateway in self._gateways if gateway.interface == index)

    # --- frames -------------------------------------------------------------------------------------------------------

    def _read(self, channel: Channel) -> None:
        if not self._is_current():
            self._drop_backlog()
        elif claims := channel.read(self._macs):
            self._on_claims(claims)

    def _drop_backlog(self) -> None:
        for port in self._ports.values():
            for channel in port.channels.values():
                channel.drop_backlog()
