"""The responder's interfaces: a socket each, what it answers, and the announcements that are sent unasked.

Two things are set from outside, the links and the entries. The difference to what is open is computed at each change:
a socket per eligible link, a table per socket, a place in the schedule per (interface, address). Work is bounded per
wake-up, so that a flooded interface or a burst of announcements does not keep the others waiting.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

import structlog

from orchestrator.apply.frames import ArpSocket
from orchestrator.apply.links import Links
from orchestrator.decide.node_plan import Layer2Address
from orchestrator.fsm.gratuitous import Place, Schedule, announcements
from orchestrator.fsm.interfaces import DEFAULT_EXCLUSIONS, Eligibility, Link, eligibility, exclusion
from orchestrator.fsm.responder import Claim, DropReason, InterfaceTable, WireOrders, answer, claim, interface_table
from orchestrator.fsm.tally import Tally
from orchestrator.net.link import MacAddress
from orchestrator.packet import arp

FRAMES_PER_WAKE_UP = 64
ANNOUNCEMENTS_PER_WAKE_UP = 32
"""1.5 ms of work, for which requests wait."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Port:
    """An interface that answers."""

    link: Link
    mac: MacAddress
    socket: ArpSocket
    table: InterfaceTable


class Wire:
    """All that touches the wire. Runs inside the event loop; `on_claims` is told when others claim our addresses."""

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
        self._ports: dict[int, _Port] = {}
        self._macs: frozenset[bytes] = frozenset()
        self._schedule = Schedule()
        self._first: set[bytes] = set()
        self._timer: asyncio.TimerHandle | None = None

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
                port.table = interface_table(orders, port.link.name, port.mac)
        announced = _announced(orders)
        self._first = (self._first | (announced - _announced(before))) & announced
        self._reconcile()

    def answered(self) -> frozenset[bytes]:
        """The addresses that some interface answers for, as octets."""
        return frozenset(address for port in self._ports.values() for address in port.table.heads)

    def release(self, addresses: frozenset[bytes]) -> None:
        """Have nothing to do with these any more."""
        self._orders = self._orders.without(addresses)
        self._first -= addresses
        for index, port in self._ports.items():
            port.table = port.table.without(addresses)
            self._schedule.stop(Place(index, address) for address in addresses)

    def announce(self, addresses: Iterable[bytes]) -> None:
        """Announce these at once, once, on each interface that answers for them."""
        for address in addresses:
            for index, port in self._ports.items():
                if address in port.table.heads:
                    self._send_announcement(Place(index, address))

    def ask(self, entries: Iterable[Layer2Address]) -> None:
        """Ask on the interfaces of each entry who has it, without saying that we want it (RFC 5227 §2.1.1)."""
        for entry in entries:
            for port in self._ports.values():
                if isinstance(entry.address, IPv4Address) and (
                    entry.interfaces is None or port.link.name in entry.interfaces
                ):
                    self._send(port, arp.probe(port.mac, entry.address))

    def has_carrier(self, interfaces: tuple[str, ...] | None) -> bool:
        """Return whether one of these interfaces (None: any) is eligible and has carrier."""
        return any(
            port.link.carrier and (interfaces is None or port.link.name in interfaces) for port in self._ports.values()
        )

    def groups(self) -> Mapping[str, int]:
        """How many solicited-node groups each interface is a member of."""
        return {}

    def close(self) -> None:
        for index in tuple(self._ports):
            self._shut(index)
        if self._timer is not None:
            self._timer.cancel()

    def _reconcile(self) -> None:
        wanted = self._wanted()
        for index in self._ports.keys() - wanted.keys():
            self._shut(index)
        for index, link in wanted.items():
            self._update(index, link)
        self._announce_new()

    def _wanted(self) -> Links:
        return {
            index: link
            for index, link in self._links.items()
            if eligibility(link, self._orders.excluded) is Eligibility.ELIGIBLE
        }

    def _update(self, index: int, link: Link) -> None:
        port = self._ports.get(index)
        if port is None:
            self._open(link)
        elif port.link != link:
            self._change(port, link)

    def _open(self, link: Link) -> None:
        """A link that is gone already will be told by netlink."""
        assert link.mac is not None, "an eligible link has a MAC address"
        try:
            opened = ArpSocket(link.index)
        except OSError as error:
            log.warning("interface not usable", interface=link.name, reason=str(error))
            return
        port = _Port(link, link.mac, opened, interface_table(self._orders, link.name, link.mac))
        self._ports[link.index] = port
        self._loop.add_reader(opened, self._read, port)
        log.info("interface answers ARP", interface=link.name, mac=str(link.mac))

    def _change(self, port: _Port, link: Link) -> None:
        """A new name may bring other addresses, a new MAC other replies; MAC or carrier are news for the network."""
        assert link.mac is not None, "an eligible link has a MAC address"
        if (port.link.name, port.mac) != (link.name, link.mac):
            port.table = interface_table(self._orders, link.name, link.mac)
        if port.mac != link.mac or (link.carrier and not port.link.carrier):
            self._schedule.stop(self._places_of(link.index))
        port.link, port.mac = link, link.mac

    def _shut(self, index: int) -> None:
        port = self._ports.pop(index)
        self._loop.remove_reader(port.socket)
        port.socket.close()
        self._schedule.stop(self._places_of(index))
        log.info("interface no longer answers ARP", interface=port.link.name)

    def _places_of(self, index: int) -> tuple[Place, ...]:
        return tuple(place for place in self._schedule.places if place.interface == index)

    def _announce_new(self) -> None:
        quiet = self._orders.quiet
        wanted = {
            Place(index, address) for index, port in self._ports.items() for address in port.table.heads.keys() - quiet
        }
        self._schedule.stop(self._schedule.places - wanted)
        self._schedule.start(sorted(wanted - self._schedule.places), self._loop.time())
        self._announce()

    def _announce(self) -> None:
        self._is_current()  # it may take the addresses away, which plans anew
        if self._timer is not None:
            self._timer.cancel()
        for place in self._schedule.due(self._loop.time(), ANNOUNCEMENTS_PER_WAKE_UP):
            self._send_announcement(place)
        next_at = self._schedule.next_at()
        self._timer = None if next_at is None else self._loop.call_at(next_at, self._announce)

    def _send_announcement(self, place: Place) -> None:
        port = self._ports[place.interface]
        for frame in announcements(port.mac, place.address):
            if self._send(port, frame):
                self._tally.gratuitous[place.address] += 1
        if place.address in self._first:
            self._first.discard(place.address)
            self._on_first_announced(place.address, self._loop.time())

    def _send(self, port: _Port, frame: bytes) -> bool:
        taken = port.socket.send(frame)
        if not taken:
            self._tally.drops[DropReason.ERROR] += 1
        return taken

    def _drop_backlog(self) -> None:
        """What was asked while this process slept was asked of another one."""
        for port in self._ports.values():
            while port.socket.receive() is not None:
                self._tally.drops[DropReason.PAUSED] += 1

    def _read(self, port: _Port) -> None:
        """The rest is read at the next turn of the loop, after the other sockets had theirs."""
        if not self._is_current():
            self._drop_backlog()
            return
        claims = []
        for _ in range(FRAMES_PER_WAKE_UP):
            frame = port.socket.receive()
            if frame is None:
                break
            self._respond(port, frame)
            if claimed := claim(frame, port.table, self._macs):
                claims.append(claimed)
        if claims:
            self._on_claims(claims)

    def _respond(self, port: _Port, frame: bytes) -> None:
        reply = answer(frame, port.table)
        if isinstance(reply, DropReason):
            self._tally.drops[reply] += 1
            return
        address = frame[arp.TARGET_ADDRESS]
        self._tally.requests[address] += 1
        if self._send(port, reply):
            self._tally.responses[address] += 1


def _announced(orders: WireOrders) -> frozenset[bytes]:
    return frozenset(entry.address.packed for entry in orders.answered) - orders.quiet
