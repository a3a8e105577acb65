"""The responder's process: orders from the speaker, links from netlink, heartbeats from the other nodes, ARP on the wire.

It decides nothing: the table says what to answer. It holds back in two cases only, both so that an address has one
owner: until the peers have had their first word after a start, and while one of them says that this node is to stand
by (`fsm.liveness`). It goes on when the speaker's connection is lost.

Leaving, on the speaker's word or SIGTERM, is make-before-break: peers are told, each address is answered until its new
owner's announcement is seen, or for 1 s.
"""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import structlog

from orchestrator.apply.control import LineConnection, serve_lines
from orchestrator.apply.links import Links as LinkInventory
from orchestrator.apply.links import watch_links
from orchestrator.errors import DaemonError, InvalidConfig
from orchestrator.fsm.interfaces import Link, eligibility
from orchestrator.fsm.membership import Outlook, Role
from orchestrator.fsm.orders import Orders, parse_table
from orchestrator.fsm.responder import Claim, WireOrders
from orchestrator.fsm.responder_api import (
    Leave,
    LinkReport,
    Links,
    Liveness,
    Released,
    Table,
    TableApplied,
    TableRefused,
    ToSpeaker,
    decode_for_responder,
    encode,
)
from orchestrator.fsm.tally import Tally
from orchestrator.runtime.mesh import Mesh
from orchestrator.runtime.wire import Wire
from orchestrator.settings import RunFolder

LEAVE_LIMIT_S = 1.0
COUNTERS_INTERVAL_S = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponderSettings:
    """Everything else comes with the table."""

    run: RunFolder
    node: str
    log_level: str = "info"


class Responder:
    """Joins mesh and wire. Runs inside the event loop."""

    def __init__(self, node: str) -> None:
        tally = Tally()
        self._loop = asyncio.get_running_loop()
        self._node = node
        self._tally = tally
        self._mesh = Mesh(node, tally, self._outlook_changed)
        self._wire = Wire(tally, self._claimed, self._mesh.is_current, self._first_announced)
        self._links: tuple[Link, ...] | None = None
        self._orders: Orders | None = None
        self._unconfirmed = False
        self._connection: LineConnection | None = None
        self._leave_timer: asyncio.TimerHandle | None = None
        self._gone = asyncio.Event()

    async def converse(self, connection: LineConnection) -> None:
        """Serve one speaker until its connection ends."""
        self._connection = connection
        log.info("speaker connected")
        try:
            self._report_links()
            self._report_liveness()
            async for line in connection.lines():
                self._obey(line)
        finally:
            self._connection = None
            log.info("speaker disconnected, answering goes on")

    def links_changed(self, links: LinkInventory) -> None:
        self._links = tuple(sorted(links.values(), key=lambda link: link.name))
        self._wire.set_links(links)
        self._report_links()
        self._enforce()

    async def report_counters(self) -> None:
        """Send increments every second while a speaker listens."""
        while True:
            await asyncio.sleep(COUNTERS_INTERVAL_S)
            if self._connection is not None and (counters := self._tally.take()):
                self._send(counters)

    async def depart(self) -> None:
        """Leave, and return when nothing is answered any more."""
        self._leave()
        await self._gone.wait()

    def close(self) -> None:
        self._mesh.close()
        self._wire.close()

    def _send(self, message: ToSpeaker) -> None:
        if self._connection is not None:
            self._connection.send(encode(message))

    def _obey(self, line: bytes) -> None:
        try:
            message = decode_for_responder(line)
        except DaemonError as error:
            log.error("message of the speaker not understood", reason=error.output)
            return
        match message:
            case Table():
                self._take_table(message)
            case Leave():
                self._leave()

    def _take_table(self, table: Table) -> None:
        try:
            orders = parse_table(table, self._node, self._orders.parsed if self._orders else {})
            self._accept(orders)
        except (InvalidConfig, OSError) as error:
            log.error("table refused", reason=str(error), number=table.number)
            self._send(TableRefused(number=table.number, reason=str(error)))

    def _accept(self, orders: Orders) -> None:
        """Put the orders in force. Raises OSError, with nothing changed."""
        before = (self._orders, self._unconfirmed)
        self._orders, self._unconfirmed = orders, True
        try:
            self._mesh.configure(orders.mesh)
        except OSError:
            self._orders, self._unconfirmed = before
            raise
        self._stop_leaving()
        self._enforce()

    def _enforce(self) -> None:
        """Put the entries in force as far as this node's role allows it."""
        outlook = self._mesh.outlook
        if self._orders is None or self._links is None or outlook is None or outlook.role is Role.LEAVING:
            return
        entries = self._orders.entries if outlook.role.serves else ()
        before = self._wire.excluded
        self._wire.set_entries(WireOrders(answered=entries, excluded=self._orders.excluded))
        if before != self._orders.excluded:
            self._report_links()
        if self._unconfirmed and outlook.role is not Role.SETTLING:
            self._confirm(self._orders)

    def _confirm(self, orders: Orders) -> None:
        self._unconfirmed = False
        log.info("table applied", number=orders.number, addresses=len(orders.parsed))
        self._send(TableApplied(number=orders.number))

    def _outlook_changed(self, outlook: Outlook) -> None:
        states = {node: state.value for node, state in outlook.states.items()}
        log.info("nodes", states=states, alive=outlook.alive, role=outlook.role.value)
        self._enforce()
        self._report_liveness()

    def _report_liveness(self) -> None:
        if (outlook := self._mesh.outlook) is not None:
            self._send(Liveness(states=dict(outlook.states), alive=outlook.alive, role=outlook.role))

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

    def _leave(self) -> None:
        if self._leave_timer is not None:
            return
        log.info("leaving", addresses=len(self._wire.answered()))
        entries = self._orders.entries if self._orders is not None else ()
        quiet = frozenset(entry.address.packed for entry in entries)
        self._wire.set_entries(WireOrders(answered=entries, quiet=quiet, excluded=self._wire.excluded))
        self._leave_timer = self._loop.call_later(LEAVE_LIMIT_S, self._release_rest)
        self._mesh.leave()
        if not self._wire.answered():
            self._gone.set()

    def _stop_leaving(self) -> None:
        """A speaker that sends a table wants this node back."""
        if self._leave_timer is not None:
            self._leave_timer.cancel()
            self._leave_timer = None
            self._gone.clear()

    def _claimed(self, claims: Sequence[Claim]) -> None:
        """Others announce addresses of ours; what to do about it while we stay is for the conflict rules to say."""
        if self._leave_timer is not None:
            self._release({claimed.address: str(claimed.mac) for claimed in claims})

    def _first_announced(self, address: bytes, now: float) -> None:
        log.debug("address announced", address=str(ip_address(address)), at_s=now)

    def _release_rest(self) -> None:
        self._release(dict.fromkeys(self._wire.answered(), ""))

    def _release(self, owners: Mapping[bytes, str]) -> None:
        """Answer no longer for the addresses whose new owners' MACs these are."""
        self._wire.release(frozenset(owners))
        for address, owner_mac in sorted(owners.items()):
            text = str(ip_address(address))
            log.info("address released", address=text, mac=owner_mac)
            self._send(Released(address=text, owner_mac=owner_mac))
        if not self._wire.answered():
            self._gone.set()


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
