"""What writing Service statuses costs beside the API server's own share: the sink, and the same writes by a plain client.

Both write an address and an annotation to each Service in one patch, with as many requests side by side, on Services that
they know from a list; the processor time is that of the client's thread alone.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self, TypeVar

import aiohttp

from orchestrator.resources import core
from orchestrator.resources.meta import ObjectKey
from orchestrator.sources.kube.writer import SIDE_BY_SIDE
from tests.bench.rows import Row, Scope
from tests.support.kube_writing import POOL, status, writing
from tests.support.plane import ADMIN, Plane, running_plane, token

Item = TypeVar("Item")

SIZES = (1000, 5000)
NAMESPACE = "default"
PATH = f"/api/v1/namespaces/{NAMESPACE}/services"


@dataclass(frozen=True, slots=True)
class Spent:
    """Wall time and processor time of the client, in seconds."""

    wall_s: float
    cpu_s: float


def measure(scope: Scope) -> Iterator[Row]:
    """Yield wall and processor time of each number of Services, the plain client's first."""
    with running_plane() as plane:
        made = 0
        for size in scope.sizes(*SIZES):
            plane.run(_create(plane, made, size))
            made = size
            plain = plane.run(_plainly(plane, "192.0.2.1"))
            sink = plane.run(_by_sink(plane, "192.0.2.2"))
            yield from _rows(size, plain, sink)


def _rows(size: int, plain: Spent, sink: Spent) -> Iterator[Row]:
    per_thousand = 1000 / size
    yield Row(name=f"{size} Service statuses, plain client", figure=plain.wall_s, unit="s")
    yield Row(
        name=f"{size} Service statuses, sink", figure=sink.wall_s, unit="s", budget="not slower than the plain client"
    )
    yield Row(name=f"plain client's CPU per 1000, {size} Services", figure=plain.cpu_s * per_thousand, unit="s")
    yield Row(
        name=f"sink's CPU per 1000 beyond the plain client's, {size} Services",
        figure=(sink.cpu_s - plain.cpu_s) * per_thousand,
        unit="s",
        budget="<= 0.1",
        note=f"{sink.cpu_s * per_thousand:.2f} in all",
    )


async def _by_sink(plane: Plane, address: str) -> Spent:
    async with writing(plane) as bench:
        bench.stop_watching()  # reading what comes back is not what is measured
        await asyncio.sleep(0)
        with _Stopwatch() as stopwatch:
            for key in bench.store.services:
                await bench.sink.write_service_status(key, status(address), {POOL: "pool"})
            await bench.sink.flush(600)
        assert bench.witness.requests["patch", "services/status", 200] == len(bench.store.services)
    return stopwatch.spent


async def _plainly(plane: Plane, address: str) -> Spent:
    async with writing(plane) as bench:
        services: Mapping[ObjectKey, core.Service] = dict(bench.store.services)
    async with _session(plane) as session:

        async def write(service: core.Service) -> None:
            metadata = service.metadata
            body = {
                "metadata": {
                    "uid": metadata.uid,
                    "resourceVersion": metadata.resource_version,
                    "annotations": {POOL: "pool"},
                },
                "status": {"loadBalancer": {"ingress": [{"ip": address}]}},
            }
            async with session.patch(
                f"{plane.server}{PATH}/{metadata.name}/status",
                data=json.dumps(body),
                headers={"Content-Type": "application/merge-patch+json"},
            ) as answer:
                await answer.read()
                assert answer.status == 200

        with _Stopwatch() as stopwatch:
            await _side_by_side(list(services.values()), write)
    return stopwatch.spent


async def _create(plane: Plane, first: int, end: int) -> None:
    async with _session(plane) as session:

        async def create(number: int) -> None:
            spec = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{"port": 80}]}
            body = {"metadata": {"name": f"s{number}"}, "spec": spec}
            async with session.post(f"{plane.server}{PATH}", json=body) as answer:
                assert answer.status == 201, await answer.text()

        await _side_by_side(range(first, end), create)


async def _side_by_side(items: Sequence[Item], work: Callable[[Item], Awaitable[None]]) -> None:
    remaining = iter(items)

    async def worker() -> None:
        for item in remaining:
            await work(item)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(SIDE_BY_SIDE):
            tasks.create_task(worker())


@asynccontextmanager
async def _session(plane: Plane) -> AsyncIterator[aiohttp.ClientSession]:
    context = ssl.create_default_context(cafile=str(plane._authority.certificate))
    connector = aiohttp.TCPConnector(limit=0, ssl=context)
    headers = {"Authorization": f"Bearer {token(ADMIN)}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield session


class _Stopwatch:
    """Measures a block; the client runs in one thread."""

    spent: Spent

    def __enter__(self) -> Self:
        self._wall, self._cpu = time.monotonic(), time.thread_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.spent = Spent(time.monotonic() - self._wall, time.thread_time() - self._cpu)
