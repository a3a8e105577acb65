"""What the kubelet asks of the API server: one HTTP session with a node's token, and its Pods as they change.

It shares no code with Ferrule's own client: a mistake there must not be repeated here.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec

from tests.e2e.cluster.kubelet.spec import Pod

MERGE = "application/merge-patch+json"
REQUEST_LIMIT_S = 10.0
AGAIN_S = 0.5


class Gone(Exception):
    """The object is not there, or another one of its name is."""


class Refused(Exception):
    """The API server does not want it."""


@dataclass(frozen=True, slots=True)
class Everything:
    """All Pods of the node as of now."""

    pods: Sequence[Pod]


@dataclass(frozen=True, slots=True)
class Changed:
    pod: Pod


@dataclass(frozen=True, slots=True)
class Removed:
    pod: Pod


class _PodList(msgspec.Struct):
    metadata: dict[str, object]
    items: list[Pod]


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class Api:
    """Use as an async context manager. Its requests try again by themselves while the API server is away."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._server = str(cluster["server"])
        self._headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            self._server, headers=self._headers, connector=aiohttp.TCPConnector(ssl=self._tls)
        )
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._session.close()

    async def send(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        """Return the decoded answer. Raises Gone (404, 409) or Refused (other 4xx)."""
        while True:
            try:
                status, text = await self._send_once(method, path, body, content_type)
            except (aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(AGAIN_S)
                continue
            if status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise Gone(f"{method} {path}: {status} {text!r}")
            if status >= 500 or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS):
                await asyncio.sleep(AGAIN_S)
            elif status >= 400:
                raise Refused(f"{method} {path}: {status} {text!r}")
            else:
                return msgspec.json.decode(text)

    async def _send_once(self, method: str, path: str, body: object, content_type: str) -> tuple[int, bytes]:
        content = None if body is None else msgspec.json.encode(body)
        limit = aiohttp.ClientTimeout(total=REQUEST_LIMIT_S)
        headers = {"Content-Type": content_type}
        async with self._session.request(method, path, data=content, headers=headers, timeout=limit) as answer:
            return answer.status, await answer.read()

    async def pods(self, node: str) -> AsyncIterator[Everything | Changed | Removed]:
        """The node's Pods, for ever: all of them first and after each interruption."""
        while True:
            try:
                async for each in self._list_and_watch(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}"):
                    yield each
            except (aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(AGAIN_S)

    async def _list_and_watch(self, path: str) -> AsyncIterator[Everything | Changed | Removed]:
        async with self._session.get(path, timeout=aiohttp.ClientTimeout(total=REQUEST_LIMIT_S)) as answer:
            answer.raise_for_status()
            found = msgspec.json.decode(await answer.read(), type=_PodList)
        yield Everything(found.items)
        since = f"{path}&watch=1&resourceVersion={found.metadata['resourceVersion']}"
        forever = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_LIMIT_S)
        async with self._session.get(since, timeout=forever, read_bufsize=2**22) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event = msgspec.json.decode(line, type=_Event)
                if event.type == "ERROR":
                    return
                pod = msgspec.json.decode(event.object, type=Pod)
                yield Removed(pod) if event.type == "DELETED" else Changed(pod)
