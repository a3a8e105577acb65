"""The speaker's side of the responder's socket.

Level-driven: the last table is kept and sent again after every connect, so a responder that was restarted knows at
once what it has to do, whatever it was doing before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog

from orchestrator.apply.control import LineConnection
from orchestrator.apply.reconnecting import keep_connected
from orchestrator.errors import DaemonError
from orchestrator.fsm.responder_api import Defend, Leave, Table, ToSpeaker, decode_for_speaker, encode

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Connected:
    """The responder is there; the last table was sent to it."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The responder is gone or restarts; what it reported before may no longer be true."""


ResponderEvent = ToSpeaker | Connected | Disconnected


class ResponderClient:
    """Keeps a responder fed. `on_event` is called in the event loop, in the order of arrival; it must not block.

    An asyncio.Queue's `put_nowait` is a fitting `on_event`.
    """

    def __init__(self, socket_path: Path, on_event: Callable[[ResponderEvent], None]) -> None:
        self._path = socket_path
        self._on_event = on_event
        self._table: Table | None = None
        self._leaving = False
        self._connection: LineConnection | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def run(self) -> NoReturn:
        """Connect, and connect again after each loss, until cancelled."""
        await keep_connected(self._path, self._session)

    def send(self, table: Table) -> None:
        """Make `table` the one in force: now, or as soon as the responder is there. Takes a leave back."""
        self._table = table
        self._leaving = False
        self._transmit(table)

    def leave(self) -> None:
        """Hand the addresses over: the responder ends its part with one Released per address."""
        self._leaving = True
        self._transmit(Leave())

    def defend(self, addresses: tuple[str, ...]) -> None:
        """Announce these once. A responder that is not there will announce them anyway when it comes."""
        self._transmit(Defend(addresses=addresses))

    def _transmit(self, message: Table | Leave | Defend) -> None:
        if self._connection is not None:
            self._connection.send(encode(message))

    async def _session(self, connection: LineConnection) -> None:
        self._connection = connection
        try:
            self._greet()
            async for line in connection.lines():
                self._deliver(line)
        finally:
            self._connection = None
            self._on_event(Disconnected())

    def _greet(self) -> None:
        """A responder that is told to leave must not be given a table again: that would take the leave back."""
        if self._leaving:
            self._transmit(Leave())
        elif self._table is not None:
            self._transmit(self._table)
        self._on_event(Connected())

    def _deliver(self, line: bytes) -> None:
        """A line of a newer responder that we do not know is reported and left out."""
        try:
            event = decode_for_speaker(line)
        except DaemonError as error:
            log.warning("message of the responder not understood", reason=error.output)
            return
        self._on_event(event)
