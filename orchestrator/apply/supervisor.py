"""The speaker's side of the supervisor's socket.

Level-driven: what is wanted is kept and sent again after every connect. The connection itself tells the supervisor
that a speaker lives; while it stands, the supervisor writes nothing to the daemons.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog

from orchestrator.apply.control import LineConnection
from orchestrator.apply.reconnecting import keep_connected
from orchestrator.errors import DaemonError
from orchestrator.fsm.supervisor_api import (
    Restarting,
    ToSpeaker,
    ToSupervisor,
    Tried,
    Try,
    Wanted,
    decode_for_speaker,
    encode,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The supervisor is gone or restarts; its daemons may be ended and started again."""


SupervisorEvent = ToSpeaker | Disconnected


class SupervisorClient:
    """Tells a supervisor what should run. `on_event` is called in the event loop and must not block.

    An asyncio.Queue's `put_nowait` is a fitting `on_event`. The first Children comes right after each connect.
    """

    def __init__(self, socket_path: Path, on_event: Callable[[SupervisorEvent], None]) -> None:
        self._path = socket_path
        self._on_event = on_event
        self._wanted: Wanted | None = None
        self._question: Try | None = None
        self._connection: LineConnection | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def run(self) -> NoReturn:
        """Connect, and connect again after each loss, until cancelled."""
        await keep_connected(self._path, self._session)

    def want(self, daemons: tuple[str, ...], node: str) -> None:
        """Make this the demand: now, or as soon as the supervisor is there. Their documents must be written already."""
        self._wanted = Wanted(daemons=daemons, node=node)
        self._transmit(self._wanted)

    def try_out(self, question: Try) -> None:
        """Ask: now, or as soon as the supervisor is there. A newer question replaces the one before."""
        self._question = question
        self._transmit(question)

    def restarting(self) -> None:
        """Say that another speaker follows soon, so that an end of the pod keeps the routes for a graceful restart."""
        self._transmit(Restarting())

    def _transmit(self, message: ToSupervisor) -> None:
        if self._connection is not None:
            self._connection.send(encode(message))

    async def _session(self, connection: LineConnection) -> None:
        self._connection = connection
        try:
            if self._wanted is not None:
                self._transmit(self._wanted)
            if self._question is not None:
                self._transmit(self._question)
            async for line in connection.lines():
                self._deliver(line)
        finally:
            self._connection = None
            self._on_event(Disconnected())

    def _deliver(self, line: bytes) -> None:
        """A line of a newer supervisor that we do not know is reported and left out."""
        try:
            event = decode_for_speaker(line)
        except DaemonError as error:
            log.warning("message of the supervisor not understood", reason=error.output)
            return
        if isinstance(event, Tried) and self._question is not None and event.key == self._question.key:
            self._question = None
        self._on_event(event)
