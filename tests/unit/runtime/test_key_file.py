"""The heartbeats' key from a file: read at the start and at each change; a missing file takes no key away."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator.runtime.key_file import FileKey, KeyFile

DEADLINE_S = 10.0


@asynccontextmanager
async def followed(folder: Path) -> "AsyncIterator[asyncio.Queue[FileKey]]":
    posted: asyncio.Queue[FileKey] = asyncio.Queue()
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(KeyFile(folder, posted.put_nowait).run())
        yield posted
        running.cancel()


def encoded(key: FileKey) -> bytes:
    return key.key.open().encode()


async def test_key_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "secretkey"
    path.write_bytes(b"first")
    async with followed(tmp_path) as posted:
        assert encoded(await posted.get()) == b64encode(b"first")
        path.unlink()
        path.write_bytes(b"second")
        assert encoded(await posted.get()) == b64encode(b"second")


async def test_key_is_taken_when_it_comes(tmp_path: Path) -> None:
    async with followed(tmp_path / "mount") as posted:
        (tmp_path / "mount").mkdir()
        (tmp_path / "mount" / "secretkey").write_bytes(b"late")
        assert encoded(await posted.get()) == b64encode(b"late")
