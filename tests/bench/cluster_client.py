"""A plain client of the API server, as fast as it takes requests: what a user's burst looks like."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from tests.support.plane import ADMIN, Plane, token

WRITERS = 16
SERVICES = "/api/v1/namespaces/default/services"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
LIMIT_S = 600.0


@asynccontextmanager
async def session_of(plane: Plane) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {token(ADMIN)}"}
    connector = aiohttp.TCPConnector(limit=0, ssl=False)
    timeout = aiohttp.ClientTimeout(total=LIMIT_S)
    async with aiohttp.ClientSession(
        plane.server, headers=headers, connector=connector, timeout=timeout, read_bufsize=2**21
    ) as session:
        yield session


async def create(session: aiohttp.ClientSession, names: Iterable[str], nodes: Iterable[str], **spec: object) -> float:
    """Create Services and their slices side by side; return when (seconds since the epoch) the last one was there."""
    waiting, where = iter(names), tuple(nodes)

    async def write() -> None:
        for name in waiting:
            await send(session, "POST", SERVICES, service(name, **spec))
            if where:
                await send(session, "POST", SLICES, endpoint_slice(name, dict.fromkeys(where, True)))

    await _side_by_side(write)
    return time.time()


async def delete(session: aiohttp.ClientSession, names: Iterable[str]) -> None:
    """Delete Services and their slices."""
    waiting = iter(names)

    async def remove() -> None:
        for name in waiting:
            await send(session, "DELETE", f"{SERVICES}/{name}")
            await send(session, "DELETE", f"{SLICES}/{name}-1", missing=True)

    await _side_by_side(remove)


async def assigned(session: aiohttp.ClientSession, wanted: frozenset[str], version: str) -> float:
    """Return when (seconds since the epoch) the last of the Services had an address in its status, by a watch."""
    missing = set(wanted)
    query = {"watch": "true", "resourceVersion": version}
    async with session.get(SERVICES, params=query) as answer:
        async for line in answer.content:
            obj = json.loads(line)["object"]
            if obj["status"]["loadBalancer"].get("ingress"):
                missing.discard(obj["metadata"]["name"])
            if not missing:
                return time.time()
    raise TimeoutError(f"{len(missing)} Services without an address")


async def version_of(session: aiohttp.ClientSession) -> str:
    """The version at which a watch of the Services can begin now."""
    async with session.get(SERVICES, params={"limit": "1"}) as answer:
        return str((await answer.json())["metadata"]["resourceVersion"])


async def send(
    session: aiohttp.ClientSession, method: str, path: str, body: object = None, *, missing: bool = False
) -> None:
    """One request. Raises RuntimeError if it is refused; `missing` objects are fine, if so said."""
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    content = None if body is None else json.dumps(body)
    async with session.request(method, path, data=content, headers={"Content-Type": kind}) as answer:
        if answer.status >= 300 and not (missing and answer.status == 404):
            raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
        await answer.read()


def service(name: str, **spec: object) -> dict[str, object]:
    ports = [{"port": 80, "targetPort": 8080}]
    usual = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": ports}
    return {"metadata": {"name": name}, "spec": {**usual, **spec}}


def endpoint_slice(name: str, ready: Mapping[str, bool]) -> dict[str, object]:
    endpoints = [
        {"addresses": [f"10.244.{index}.10"], "nodeName": node, "conditions": {"ready": is_ready}}
        for index, (node, is_ready) in enumerate(sorted(ready.items()), 1)
    ]
    return {
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"port": 8080}],
    }


async def _side_by_side(task: Callable[[], Coroutine[object, object, None]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(task())
