"""Something that stands in front of a real API server, as load balancers do, and does to requests what a test says."""

import asyncio
import json
import queue
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.support.plane import Plane

KEPT_HEADERS = ("Authorization", "Accept", "Content-Type")


@dataclass
class Request:
    """One that came in; `collection` is the last part of its path."""

    collection: str
    query: dict[str, str]
    at: float

    @property
    def is_watch(self) -> bool:
        return "watch" in self.query


@dataclass(eq=False)
class Stream:
    """A watch that is being passed on."""

    collection: str
    response: web.StreamResponse
    transport: asyncio.Transport
    held: bool = False

    async def say(self, event: object) -> None:
        """Put a line in between."""
        await self.response.write(json.dumps(event).encode() + b"\n")

    def cut(self) -> None:
        """Break the connection."""
        self.transport.abort()


Answer = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


@dataclass
class Front:
    """`answers` are asked in order; the first that returns something has answered. `piece`: bytes per write, 0 all."""

    server: str
    tls: ssl.SSLContext
    kubeconfig: Path
    piece: int = 0
    requests: list[Request] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def of(self, collection: str) -> list[Stream]:
        return [stream for stream in self.streams if stream.collection == collection]

    def asked(self, collection: str, *, watch: bool) -> list[Request]:
        return [one for one in self.requests if one.collection == collection and one.is_watch is watch]

    def refuse(self, collection: str, status: int, times: int, *, watch: bool = False, after: str = "") -> None:
        """Answer the next requests for a collection with an error."""
        left = times

        async def answer(request: web.Request) -> web.StreamResponse | None:
            nonlocal left
            if not left or not _concerns(request, collection, watch=watch):
                return None
            left -= 1
            headers = {"Retry-After": after} if after else {}
            return web.json_response({"kind": "Status", "message": "the test says so"}, status=status, headers=headers)

        self.answers.append(answer)

    def shut(self) -> None:
        """Let nobody through, and break what is open."""

        async def answer(request: web.Request) -> web.StreamResponse | None:
            _transport(request).abort()
            return web.Response()

        self.answers.append(answer)
        for stream in self.streams:
            stream.cut()

    def open(self) -> None:
        """Pass everything on again."""
        self.answers.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        collection = request.path.rpartition("/")[2]
        self.requests.append(Request(collection, dict(request.query), time.monotonic()))
        for answer in self.answers:
            if (response := await answer(request)) is not None:
                return response
        return await self.pass_on(request, request.path_qs)

    async def pass_on(self, request: web.Request, path: str) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls), timeout=timeout) as session,
            session.get(f"{self.server}{path}", headers=headers) as answer,
        ):
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            await response.prepare(request)
            stream = Stream(request.path.rpartition("/")[2], response, _transport(request))
            if "watch" in request.query:
                self.streams.append(stream)
            try:
                async for data in answer.content.iter_any():
                    while stream.held:
                        await asyncio.sleep(0.01)
                    size = self.piece or len(data)
                    for start in range(0, len(data), size):
                        await response.write(data[start : start + size])
                await response.write_eof()
            finally:
                if stream in self.streams:
                    self.streams.remove(stream)
                if answer.connection is not None and answer.connection.transport is not None:
                    answer.connection.transport.abort()  # the farewell of TLS would outlive the test
            return response


def _concerns(request: web.Request, collection: str, *, watch: bool) -> bool:
    return request.path.endswith(f"/{collection}") and ("watch" in request.query) is watch


def _transport(request: web.Request) -> asyncio.Transport:
    assert isinstance(request.transport, asyncio.Transport)
    return request.transport


@asynccontextmanager
async def front_of(plane: Plane, folder: Path) -> AsyncIterator[Front]:
    """Listen until the block ends; to be used inside the plane's namespace."""
    config = json.loads(plane.kubeconfig().read_text())
    cluster = config["clusters"][0]["cluster"]
    tls = ssl.create_default_context(cafile=cluster.pop("certificate-authority"))
    kubeconfig = folder / "front.kubeconfig"
    front = Front(plane.server, tls, kubeconfig)
    application = web.Application()
    application.router.add_route("GET", "/{path:.*}", front.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    cluster["server"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
    kubeconfig.write_text(json.dumps(config))
    try:
        yield front
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)


OnMain = Callable[[Callable[[], object]], Awaitable[object]]


def run_with_main(plane: Plane, story: Callable[[OnMain], Coroutine[object, object, None]]) -> None:
    """Run a story inside the plane's namespace; what it gives to its argument is done on this thread.

    The plane's processes die with the thread that started them: whoever restarts one must be a thread that stays.
    """
    jobs: queue.SimpleQueue[tuple[Callable[[], object], Future[object]] | None] = queue.SimpleQueue()

    async def on_main(action: Callable[[], object]) -> object:
        result: Future[object] = Future()
        jobs.put((action, result))
        return await asyncio.wrap_future(result)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: plane.run(story(on_main)))
        running.add_done_callback(lambda _: jobs.put(None))
        while (job := jobs.get()) is not None:
            action, result = job
            try:
                result.set_result(action())
            except BaseException as error:
                result.set_exception(error)
                raise
        running.result()
