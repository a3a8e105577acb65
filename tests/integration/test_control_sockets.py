import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator.apply.control import Handler, LineConnection, serve_lines
from orchestrator.apply.reconnecting import keep_connected

DEADLINE_S = 10.0


@asynccontextmanager
async def running(*coroutines: "asyncio._CoroutineLike[object]") -> AsyncIterator[None]:
    """Run servers and clients in the background, each past its first step; cancel them at the end."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        await asyncio.sleep(0)
        yield
        for task in tasks:
            task.cancel()


async def echo(connection: LineConnection) -> None:
    async for line in connection.lines():
        connection.send(b"echo " + line)


def asking(replies: "asyncio.Queue[bytes]", question: bytes) -> Handler:
    async def ask(connection: LineConnection) -> None:
        connection.send(question)
        async for line in connection.lines():
            replies.put_nowait(line)

    return ask


async def test_client_waits_for_the_server_and_gets_replies(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    replies: asyncio.Queue[bytes] = asyncio.Queue()
    async with asyncio.timeout(DEADLINE_S), running(keep_connected(path, asking(replies, b"hello"))):
        async with running(serve_lines(path, echo)):
            assert await replies.get() == b"echo hello"
        async with running(serve_lines(path, echo)):
            assert await replies.get() == b"echo hello"


async def test_newer_connection_ends_the_older(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with asyncio.timeout(DEADLINE_S), running(serve_lines(path, echo)):
        first: asyncio.Queue[bytes] = asyncio.Queue()
        second: asyncio.Queue[bytes] = asyncio.Queue()
        old_ended = asyncio.Event()

        async def old(connection: LineConnection) -> None:
            await asking(first, b"one")(connection)
            old_ended.set()
            await asyncio.Event().wait()

        async with running(keep_connected(path, old)):
            assert await first.get() == b"echo one"
            async with running(keep_connected(path, asking(second, b"two"))):
                assert await second.get() == b"echo two"
                await old_ended.wait()


async def test_client_that_never_reads_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    ended = asyncio.Event()

    async def flood(connection: LineConnection) -> None:
        async for _ in connection.lines():
            for _ in range(200):
                connection.send(b"x" * 1_000_000)
        ended.set()

    async def deaf(connection: LineConnection) -> None:
        connection.send(b"start")
        await ended.wait()
        await asyncio.Event().wait()

    async with asyncio.timeout(DEADLINE_S), running(serve_lines(path, flood), keep_connected(path, deaf)):
        await ended.wait()


async def test_an_unfinished_line_is_not_delivered(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    received: asyncio.Queue[bytes] = asyncio.Queue()
    ended = asyncio.Event()

    async def collect(connection: LineConnection) -> None:
        async for line in connection.lines():
            received.put_nowait(line)
        ended.set()

    async with asyncio.timeout(DEADLINE_S), running(serve_lines(path, collect)):
        _, writer = await asyncio.open_unix_connection(path)
        writer.write(b"whole\nhal")
        writer.close()
        await ended.wait()
    assert received.qsize() == 1
