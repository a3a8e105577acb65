"""The responder's process: orders from the speaker, links from netlink, heartbeats from the other nodes, frames on the wire.

It decides nothing: the table says what to answer, `fsm.holdings` what that comes to in the face of others' claims. This
node's role (`fsm.membership`) may hold it back, so that an address has one owner. It goes on when the speaker's
connection is lost.

Leaving, on the speaker's word or SIGTERM, is make-before-break: peers are told, each address is answered until its new
owner's announcement is seen, or for 1 s.
"""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from orchestrator.apply.control import LineConnection, serve_lines
from orchestrator.apply.links import Links as LinkInventory
from orchestrator.apply.links import watch_links
from orchestrator.errors import DaemonError, InvalidConfig
from orchestrator.fsm.contests import Speaker
from orchestrator.fsm.interfaces import Link, can_serve, eligibility
from orchestrator.fsm.membership import Outlook, Role
from orchestrator.fsm.orders import Orders, parse_addresses, parse_table
from orchestrator.fsm.responder import Claim
from orchestrator.fsm.responder_api import (
    Defend,
    Entry,
    Leave,
    LinkReport,
    Links,
    Liveness,
    Table,
    TableApplied,
    TableRefused,
    ToSpeaker,
    decode_for_responder,
    encode,
)
from orchestrator.fsm.tally import Tally
from orchestrator.net.addresses import parse_address
from orchestrator.runtime.holding import Keeper
from orchestrator.runtime.mesh import Mesh
from orchestrator.runtime.wire import Wire
from orchestrator.settings import RunFolder

COUNTERS_INTERVAL_S = 1.0
ENTRIES_AT_ONCE = 128
"""Parsing 5000 takes 50 ms, much more on a busy machine: without a heartbeat meanwhile this node would be taken for dead."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponderSettings:
    """Everything else comes with the table."""

    run: RunFolder
    node: str
    log_level: str = "info"


class Responder:
    """Joins mesh, wire and holdings. Runs inside the event loop."""

    def __init__(self, node: str) -> None:
        tally = Tally()
        self._node = node
        self._tally = tally
        self._mesh = Mesh(node, tally, self._outlook_changed)
        self._wire = Wire(tally, self._claimed, self._mesh.is_current, self._first_announced)
        self._keeper = Keeper(self._wire, self._send)
        self._links: tuple[Link, ...] | None = None
        self._orders: Orders | None = None
        self._unconfirmed = False
        self._leaving = False
        self._departing = False
        self._connection: LineConnection | None = None
        self._is_new_speaker = False
        self._groups: dict[str, int] = {}

    async def converse(self, connection: LineConnection) -> None:
        """Serve one speaker until its connection ends."""
        self._connection, self._is_new_speaker, self._groups = connection, True, {}
        log.info("speaker connected")
        try:
            self._report_links()
            self._report_liveness()
            async for line in connection.lines():
                await self._obey(line)
        finally:
            self._connection = None
            log.info("speaker disconnected, answering goes on")

    def links_changed(self, links: LinkInventory) -> None:
        self._links = tuple(sorted(links.values(), key=lambda link: link.name))
        self._wire.set_links(links)
        self._report_links()
        self._enforce()
        self._check_carrier()

    async def report_counters(self) -> None:
        """Send increments every second while a speaker listens."""
        while True:
            await asyncio.sleep(COUNTERS_INTERVAL_S)
            if self._connection is not None:
                self._read_groups()
                if counters := self._tally.take():
                    self._send(counters)

    async def depart(self) -> None:
        """Leave, and return when nothing is answered any more."""
        self._departing = True
        self._leave()
        await self._keeper.nothing_answered.wait()

    def close(self) -> None:
        self._keeper.close()
        self._mesh.close()
        self._wire.close()

    def _send(self, message: ToSpeaker) -> None:
        if self._connection is not None:
            self._connection.send(encode(message))

    async def _obey(self, line: bytes) -> None:
        try:
            message = decode_for_responder(line)
        except DaemonError as error:
            log.error("message of the speaker not understood", reason=error.output)
            return
        match message:
            case Table():
                await self._take_table(message)
            case Leave():
                self._leave()
            case Defend(addresses):
                self._defend(addresses)

    async def _take_table(self, table: Table) -> None:
        try:
            self._accept(parse_table(table, self._node, await self._parse_addresses(table)))
        except (InvalidConfig, OSError) as error:
            log.error("table refused", reason=str(error), number=table.number)
            self._send(TableRefused(number=table.number, reason=str(error)))

    async def _parse_addresses(self, table: Table) -> dict[Entry, bytes]:
        """Parse what is new in a table, and let others have their turn in between."""
        entries = self._orders.entries if self._orders is not None else {}
        known = {entry: address for address, entry in entries.items()}
        parsed: dict[Entry, bytes] = {}
        for first in range(0, len(table.entries), ENTRIES_AT_ONCE):
            parsed |= parse_addresses(table.entries[first : first + ENTRIES_AT_ONCE], known)
            await asyncio.sleep(0)
        return parsed

    def _accept(self, orders: Orders) -> None:
        """Put the orders in force. Raises OSError, with nothing changed. A speaker that sends them takes its leave back."""
        before = (self._orders, self._unconfirmed, self._leaving)
        self._orders, self._unconfirmed, self._leaving = orders, True, self._departing
        try:
            self._mesh.configure(orders.mesh)
        except OSError:
            self._orders, self._unconfirmed, self._leaving = before
            raise
        if self._is_new_speaker:
            self._is_new_speaker = False
            self._keeper.tell_again()
        self._enforce()
        self._check_carrier()

    def _defend(self, addresses: Sequence[str]) -> None:
        try:
            self._keeper.defend([parse_address(address).packed for address in addresses])
        except InvalidConfig as error:
            log.error("message of the speaker not understood", reason=str(error))

    def _enforce(self) -> None:
        """Put the entries in force as far as this node's role allows it."""
        role = self._role()
        if self._orders is None or self._links is None or role is None:
            return
        before = self._wire.excluded
        self._keeper.order(self._orders, role)
        if before != self._orders.excluded:
            self._report_links()
        if self._unconfirmed and role is not Role.SETTLING:
            self._confirm(self._orders)

    def _role(self) -> Role | None:
        """What this node may do; None before the first orders.

        Who stands by serves what nobody else may own, if the orders were given in that knowledge.
        """
        if self._mesh.outlook is None or self._orders is None:
            return None
        if self._leaving:
            return Role.LEAVING
        role = self._mesh.outlook.role
        return Role.ACTIVE if role is Role.STANDBY and self._orders.for_reserve else role

    def _check_carrier(self) -> None:
        """A node that can reach nobody on the announcing interfaces leaves its addresses to the others."""
        if self._orders is not None and self._links is not None:
            self._mesh.set_able(can_serve(self._links, self._orders.interfaces, self._orders.excluded))

    def _confirm(self, orders: Orders) -> None:
        self._unconfirmed = False
        log.info("table applied", number=orders.number, addresses=len(orders.entries))
        self._send(TableApplied(number=orders.number))

    def _outlook_changed(self, outlook: Outlook) -> None:
        states = {node: state.value for node, state in outlook.states.items()}
        log.info("nodes", states=states, alive=outlook.alive, role=outlook.role.value)
        self._enforce()
        self._report_liveness()

    def _report_liveness(self) -> None:
        if (outlook := self._mesh.outlook) is not None:
            states = dict(outlook.states)
            self._send(Liveness(states=states, alive=outlook.alive, role=outlook.role, reserve=outlook.reserve))

    def _report_links(self) -> None:
        if self._links is not None:
            self._send(Links(interfaces=tuple(self._report_of(link) for link in self._links)))

    def _report_of(self, link: Link) -> LinkReport:
        return LinkReport(
            name=link.name,
            index=link.index,
            mac="" if link.mac is None else str(link.mac),
            carrier=link.carrier,
            eligibility=eligibility(link, self._wire.excluded),
            prefixes=tuple(str(address) for address in link.addresses),
        )

    def _read_groups(self) -> None:
        """Note how many groups all interfaces have joined if that changed; one that is gone has none."""
        groups = dict(self._wire.groups())
        if groups != self._groups:
            self._tally.groups = {**dict.fromkeys(self._groups, 0), **groups}
            self._groups = groups

    def _leave(self) -> None:
        """First announce no more, then tell the peers: the first announcement after that is the new owner's."""
        if self._leaving:
            return
        log.info("leaving", addresses=len(self._wire.answered()))
        self._leaving = True
        self._enforce()
        self._mesh.leave()

    def _claimed(self, claims: Sequence[Claim]) -> None:
        self._keeper.hear(claims, Speaker.AWAY if self._connection is None else Speaker.CONNECTED)

    def _first_announced(self, address: bytes, now: float) -> None:
        """Measure a failover: from the last sign of an owner that failed to our first announcement of its address."""
        failed_at = self._mesh.failed_at(self._keeper.predecessor(address))
        if failed_at is not None:
            self._tally.failovers_s.append(now - failed_at)


async def run(settings: ResponderSettings) -> None:
    """Answer until SIGTERM or SIGINT, then leave."""
    responder = Responder(settings.node)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            background = (
                tasks.create_task(serve_lines(settings.run.responder_socket, responder.converse)),
                tasks.create_task(watch_links(responder.links_changed)),
                tasks.create_task(responder.report_counters()),
            )
            await stop.wait()
            await responder.depart()
            for task in background:
                task.cancel()
    finally:
        responder.close()
