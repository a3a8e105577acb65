"""The responder's interfaces: a socket each, what it answers, and the announcements that are sent unasked.

Two things are set from outside, the links and the entries. The difference to what is open is computed at each change:
a socket per eligible link, a table per socket, a place in the schedule per (interface, address). Work is bounded per
wake-up, so that a flooded interface or a burst of announcements does not keep the others waiting.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from orchestrator.apply.frames import ArpSocket
from orchestrator.apply.links import Links
from orchestrator.decide.node_plan import Layer2Address
from orchestrator.fsm.gratuitous import Place, Schedule, announcements
from orchestrator.fsm.interfaces import DEFAULT_EXCLUSIONS, Eligibility, Link, eligibility, exclusion
from orchestrator.fsm.responder import Claim, DropReason, InterfaceTable, answer, claim, interface_table
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

    def __init__(self, tally: Tally, on_claims: Callable[[Sequence[Claim]], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._tally = tally
        self._on_claims = on_claims
        self._links: Links = {}
        self._excluded = exclusion(DEFAULT_EXCLUSIONS)
        self._entries: tuple[Layer2Address, ...] = ()
        self._ports: dict[int, _Port] = {}
        self._macs: frozenset[bytes] = frozenset()
        self._schedule = Schedule()
        self._silent = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def excluded(self) -> re.Pattern[str] | None:
        return self._excluded

    def set_links(self, links: Links) -> None:
        """Open, close and rebuild what the change of a link requires."""
        self._links = links
        self._macs = frozenset(link.mac.octets for link in links.values() if link.mac is not None)
        if self._wanted() != {index: port.link for index, port in self._ports.items()}:
            self._reconcile()

    def set_entries(self, entries: tuple[Layer2Address, ...], excluded: re.Pattern[str] | None) -> None:
        """Answer for these; addresses that are new on an interface are announced there at once."""
        changed = entries != self._entries
        self._entries, self._excluded, self._silent = entries, excluded, False
        if changed:
            for port in self._ports.values():
                port.table = interface_table(entries, port.link.name, port.mac)
        self._reconcile()

    def answered(self) -> frozenset[bytes]:
        """The addresses that some interface answers for, as octets."""
        return frozenset(address for port in self._ports.values() for address in port.table.heads)

    def fall_silent(self) -> None:
        """Go on answering, but announce nothing unasked any more, until the entries are set again."""
        self._silent = True
        self._schedule.stop(tuple(self._schedule.places))

    def release(self, addresses: frozenset[bytes]) -> None:
        """Stop answering for these."""
        self._entries = tuple(entry for entry in self._entries if entry.address.packed not in addresses)
        for port in self._ports.values():
            port.table = port.table.without(addresses)

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
            if eligibility(link, self._excluded) is Eligibility.ELIGIBLE
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
        port = _Port(link, link.mac, opened, interface_table(self._entries, link.name, link.mac))
        self._ports[link.index] = port
        self._loop.add_reader(opened, self._read, port)
        log.info("interface answers ARP", interface=link.name, mac=str(link.mac))

    def _change(self, port: _Port, link: Link) -> None:
        """A new name may bring other addresses, a new MAC other replies; MAC or carrier are news for the network."""
        assert link.mac is not None, "an eligible link has a MAC address"
        if (port.link.name, port.mac) != (link.name, link.mac):
            port.table = interface_table(self._entries, link.name, link.mac)
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
        if self._silent:
            return
        wanted = {Place(index, address) for index, port in self._ports.items() for address in port.table.heads}
        self._schedule.stop(self._schedule.places - wanted)
        self._schedule.start(sorted(wanted - self._schedule.places), self._loop.time())
        self._announce()

    def _announce(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for place in self._schedule.due(self._loop.time(), ANNOUNCEMENTS_PER_WAKE_UP):
            self._send_announcement(place)
        next_at = self._schedule.next_at()
        self._timer = None if next_at is None else self._loop.call_at(next_at, self._announce)

    def _send_announcement(self, place: Place) -> None:
        port = self._ports[place.interface]
        for frame in announcements(port.mac, place.address):
            if port.socket.send(frame):
                self._tally.gratuitous[place.address] += 1
            else:
                self._tally.drops[DropReason.ERROR] += 1

    def _read(self, port: _Port) -> None:
        """The rest is read at the next turn of the loop, after the other sockets had theirs."""
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
        if port.socket.send(reply):
            self._tally.responses[address] += 1
        else:
            self._tally.drops[DropReason.ERROR] += 1
