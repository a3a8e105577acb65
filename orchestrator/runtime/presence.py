"""Whether a speaker is connected to the supervisor, and what is done with its routes when it stays away.

Routes of a speaker that is away may be out of date: they are de-preferred, or withdrawn if the operator said so. When
the speaker is back, its own difference undoes that.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from orchestrator.apply.control import LineConnection
from orchestrator.errors import DaemonError, NotReady
from orchestrator.runtime.farewell import Farewell
from orchestrator.settings import StaleRoutesAction

log = structlog.get_logger()

RETRY_S = 1.0


class Presence:
    """The speaker's connection, if there is one. Counts as away from the start."""

    def __init__(self) -> None:
        self._connection: LineConnection | None = None
        self._here = asyncio.Event()
        self._away = asyncio.Event()
        self._away.set()

    def arrive(self, connection: LineConnection) -> None:
        self._connection = connection
        self._away.clear()
        self._here.set()

    def leave(self) -> None:
        self._connection = None
        self._here.clear()
        self._away.set()

    @property
    def here(self) -> bool:
        return self._connection is not None

    def send(self, line: bytes) -> None:
        """Without a speaker nobody is told; a new one asks by connecting."""
        if self._connection is not None:
            self._connection.send(line)

    async def back_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._here.wait(), seconds)
        return self.here

    async def away_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._away.wait(), seconds)
        return not self.here

    async def away(self) -> None:
        await self._away.wait()


async def watch(
    presence: Presence,
    farewell: Farewell,
    ready_since: Callable[[], float | None],
    after_s: float,
    action: StaleRoutesAction,
) -> None:
    """Act on the routes whenever the speaker has been away for `after_s`; `ready_since` is None while the daemon is not."""
    while action is not StaleRoutesAction.NONE:
        await presence.away()
        if not await presence.back_within(after_s):
            log.error("speaker stays away, its routes are stale", reason=action.value)
            await _act_until_back(presence, farewell, ready_since, action)


async def _act_until_back(
    presence: Presence, farewell: Farewell, ready_since: Callable[[], float | None], action: StaleRoutesAction
) -> None:
    """Once per process: a bgpd that was restarted has its routes back from the document."""
    done_for: float | None = None
    while not presence.here:
        since = ready_since()
        if since is not None and since != done_for and await _act(farewell, action):
            done_for = since
        await presence.back_within(RETRY_S)


async def _act(farewell: Farewell, action: StaleRoutesAction) -> bool:
    try:
        await (farewell.deprefer if action is StaleRoutesAction.DEPREFER else farewell.withdraw)()
    except (DaemonError, NotReady) as error:
        log.warning("stale routes could not be changed", reason=str(error))
        return False
    return True
