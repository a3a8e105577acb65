"""The supervisor's own words to the BGP daemon: none while a speaker is connected, few otherwise.

`supervise.farewell` and `supervise.exabgp_farewell` make them.

Orderly end: mark the routes with GRACEFUL_SHUTDOWN, wait until the routers have moved their traffic (300 ms;
experiments 9.3: nothing is lost, with 100 ms something is), withdraw them, wait until that is sent.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from enum import Enum
from pathlib import Path
from typing import Protocol

import structlog
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from orchestrator.apply.vty import VtyClient
from orchestrator.errors import DaemonError, NotReady
from orchestrator.render.commands import Command
from orchestrator.supervise import farewell

log = structlog.get_logger()

DAEMON = "bgpd"
PATIENCE_S = 0.5
MOVE_S = 0.3
SENT_LIMIT_S = 1.0
WRITE_S = 0.05
"""From bgpd's empty queue to octets on the wire."""
LEAVE_LIMIT_S = 2.0


class Follow(Enum):
    """What comes after this node's end, as far as its speaker has said."""

    NOTHING = "nothing"
    ANOTHER_SPEAKER = "another speaker"


class Farewell(Protocol):
    """What is said to one engine."""

    async def deprefer(self) -> None:
        """Lower all routes. Raises DaemonError or NotReady."""
        ...

    async def withdraw(self) -> None:
        """Take all routes away. Raises DaemonError or NotReady."""
        ...

    async def leave(self, follow: Follow) -> None:
        """Move the traffic away and withdraw; a daemon that does not play along is only reported: it is ended anyway."""
        ...


class FrrFarewell:
    """Implements Farewell on bgpd's vty."""

    def __init__(self, vty: Path) -> None:
        self._vty = vty

    async def deprefer(self) -> None:
        async with _connected(self._vty) as client:
            await _configure(client, farewell.graceful_shutdown)

    async def withdraw(self) -> None:
        async with _connected(self._vty) as client:
            await _configure(client, farewell.withdraw)

    async def leave(self, follow: Follow) -> None:
        with reported(LEAVE_LIMIT_S):
            async with asyncio.timeout(LEAVE_LIMIT_S), _connected(self._vty) as client:
                if follow is Follow.ANOTHER_SPEAKER and farewell.has_graceful_restart(await _running(client)):
                    log.info("routes kept for a graceful restart")
                    return
                await _withdraw_gently(client)


@contextmanager
def reported(limit_s: float) -> Iterator[None]:
    """Whatever the daemon does not do is a line in the log."""
    try:
        yield
    except (DaemonError, NotReady, TimeoutError) as error:
        log.warning("routes not withdrawn in order", reason=str(error) or f"not within {limit_s} s")


async def _withdraw_gently(client: VtyClient) -> None:
    if not farewell.withdraw(await _running(client)):
        return
    await _configure(client, farewell.graceful_shutdown)
    await asyncio.sleep(MOVE_S)
    withdrawn = await _configure(client, farewell.withdraw)
    await _all_sent(client)
    await asyncio.sleep(WRITE_S)
    log.info("routes withdrawn", prefixes=withdrawn)


@retry(
    retry=retry_if_exception_type(NotReady), wait=wait_fixed(0.01), stop=stop_after_delay(SENT_LIMIT_S), reraise=True
)
async def _all_sent(client: VtyClient) -> None:
    """Return when no neighbor has a prefix of ours any more. Raises NotReady when the limit is over."""
    if farewell.unsent(json.loads(await client.run("show bgp vrf all summary json"))):
        raise NotReady(f"withdrawals not sent within {SENT_LIMIT_S} s")


async def _configure(client: VtyClient, choose: Callable[[str], Sequence[Command]]) -> int:
    """Give the commands that follow from the running configuration; returns how many. Raises DaemonError."""
    commands = choose(await _running(client))
    refused = await client.configure(commands)
    if refused:
        command, answer = refused[0]
        raise DaemonError(DAEMON, command.text, answer.words)
    return len(commands)


async def _running(client: VtyClient) -> str:
    return await client.run("show running-config")


@asynccontextmanager
async def _connected(vty: Path) -> AsyncIterator[VtyClient]:
    client = await VtyClient.connect(DAEMON, vty, patience_s=PATIENCE_S)
    try:
        yield client
    finally:
        client.close()
