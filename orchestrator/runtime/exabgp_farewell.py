"""The supervisor's own words to ExaBGP, over the socket that the speaker has left: the same as `farewell` has for bgpd.

A command is answered when the daemon has taken it. What waits for a neighbor is sent within a turn of its loop, and its
end closes the sessions in order, so nothing is asked for after the withdrawal.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from orchestrator.apply.exabgp_api import ExabgpClient
from orchestrator.errors import DaemonError
from orchestrator.fsm.exabgp_api import DAEMON
from orchestrator.runtime.farewell import MOVE_S, PATIENCE_S, Follow, reported
from orchestrator.supervise import exabgp_farewell

log = structlog.get_logger()

LEAVE_LIMIT_S = 8.0
"""5000 prefixes take ExaBGP 2 to 3 s, and they are announced once more before they are withdrawn."""
SENT_S = 0.1
"""From its answer to octets on the wire: its loop turns every 10 ms (5.0.15)."""


class ExabgpFarewell:
    """Implements Farewell on ExaBGP's API."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def deprefer(self) -> None:
        async with self._connected() as client:
            await _command(client, exabgp_farewell.graceful_shutdown)

    async def withdraw(self) -> None:
        async with self._connected() as client:
            await _command(client, exabgp_farewell.withdrawal)

    async def leave(self, follow: Follow) -> None:  # noqa: ARG002 - it ends with a NOTIFICATION: nothing is kept
        with reported(LEAVE_LIMIT_S):
            async with asyncio.timeout(LEAVE_LIMIT_S), self._connected() as client:
                if await _command(client, exabgp_farewell.graceful_shutdown):
                    await asyncio.sleep(MOVE_S)
                    await _command(client, exabgp_farewell.withdrawal)
                    await asyncio.sleep(SENT_S)
                    log.info("routes withdrawn")

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[ExabgpClient]:
        client = await ExabgpClient.connect(
            self._socket, on_loss=lambda: None, on_event=lambda _: None, patience_s=PATIENCE_S
        )
        try:
            yield client
        finally:
            client.close()


async def _command(client: ExabgpClient, choose: Callable[[Iterable[str]], Sequence[str]]) -> int:
    """Give the commands that follow from what is announced; returns how many. Raises DaemonError."""
    commands = choose(await client.run(exabgp_farewell.SHOW_ATTRIBUTES))
    for command, answer in zip(commands, await client.ask(commands), strict=True):
        if not answer.ok:
            raise DaemonError(DAEMON, command[:100], "refused; the reason is in its log")
    return len(commands)
