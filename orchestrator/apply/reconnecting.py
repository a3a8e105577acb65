"""The speaker's side of a control socket: connected again whenever the connection is lost."""

import asyncio
from pathlib import Path
from typing import NoReturn

from tenacity import retry, retry_if_exception_type, wait_exponential_jitter

from orchestrator.apply.control import LINE_LIMIT, Handler, LineConnection, converse

RECONNECT_PAUSE_S = 0.05


@retry(retry=retry_if_exception_type(OSError), wait=wait_exponential_jitter(multiplier=0.02, max=1.0, jitter=0.05))
async def _connect(path: Path) -> LineConnection:
    return LineConnection(*await asyncio.open_unix_connection(path, limit=LINE_LIMIT))


async def keep_connected(path: Path, handler: Handler) -> NoReturn:
    """Run `handler` on a connection to `path`, again and again after each loss, until cancelled."""
    while True:
        await converse(await _connect(path), handler)
        await asyncio.sleep(RECONNECT_PAUSE_S)
