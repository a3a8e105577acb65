"""One API server: requests in, bodies out. Every refusal and every failure to reach it is a KubeError; all are counted.

The `kubernetes` package brings TLS and transport; its generated models are not used, bodies are bytes here.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp
import msgspec

from orchestrator.errors import KubeError
from orchestrator.sources.kube.access import Access
from orchestrator.sources.kube.decode import Status
from orchestrator.sources.kube.transport import Transport, words
from orchestrator.sources.kube.witness import Witness

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
ANSWER_LIMIT_S = 30.0
CONNECT_LIMIT_S = 5.0
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: `verb` and `resource` as RBAC names them, for counting; `path` without query; `body` is JSON."""

    verb: str
    resource: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = JSON
    accept: str = JSON

    @property
    def words(self) -> str:
        """It in a text for people."""
        return f"{self.verb} {self.resource}"


class Api:
    """Connections to one API server; requests may run side by side."""

    def __init__(self, access: Access, witness: Witness) -> None:
        self._access = access
        self._witness = witness
        self._transport = Transport(access)

    @property
    def server(self) -> str:
        """Its URL."""
        return str(self._access.configuration.host)

    async def send(self, request: Request, limit_s: float = ANSWER_LIMIT_S) -> bytes:
        """Return the body of the answer. Raises KubeError if there is none within `limit_s` seconds, or a refusal."""
        timeout = aiohttp.ClientTimeout(total=limit_s, sock_connect=CONNECT_LIMIT_S)
        async with self._answer(request, timeout) as answer:
            return await answer.read()

    @asynccontextmanager
    async def stream(self, request: Request, silence_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give the body piece by piece as it arrives; KubeError after `silence_s` seconds without any."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_LIMIT_S, sock_read=silence_s)
        async with self._answer(request, timeout) as answer:
            yield answer.content.iter_any()

    async def close(self) -> None:
        """Close all connections; requests that are under way fail with KubeError."""
        await self._transport.close()

    @asynccontextmanager
    async def _answer(self, request: Request, timeout: aiohttp.ClientTimeout) -> AsyncIterator[aiohttp.ClientResponse]:
        """A good answer; what goes wrong while it is read is a KubeError, too."""
        started, code = time.monotonic(), 0
        try:
            answer = await self._ask(request, timeout)
            try:
                code = answer.status
                if code >= 400:
                    raise self._refusal(request, answer, await answer.read())
                if request.verb == "watch":  # it is answered now, and lasts
                    self._witness.requested(request.verb, request.resource, code, time.monotonic() - started)
                yield answer
            finally:
                _part(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if isinstance(error, aiohttp.ClientConnectorCertificateError):
                self._access.rejected()
            raise KubeError(f"{self.server}: {words(error)}", request=request.words) from error
        finally:
            if request.verb != "watch" or code == 0 or code >= 400:
                self._witness.requested(request.verb, request.resource, code, time.monotonic() - started)

    async def _ask(self, request: Request, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        if self._transport.closed:
            raise aiohttp.ClientConnectionError("the connections have been closed")
        query = f"?{urlencode(request.query)}" if request.query else ""
        headers = {"Accept": request.accept, "Content-Type": request.content_type}
        # A stream may be silent, but its answer must begin in time.
        async with asyncio.timeout(ANSWER_LIMIT_S if timeout.total is None else None):
            return await self._transport.request_raw(
                request.method, f"{self.server}{request.path}{query}", request.body, headers, timeout
            )

    def _refusal(self, request: Request, answer: aiohttp.ClientResponse, body: bytes) -> KubeError:
        try:
            status = msgspec.json.decode(body, type=Status)
        except msgspec.MsgspecError:  # something in between answered: a proxy, a load balancer
            status = Status(message=body[:200].decode(errors="replace").strip())
        told = f"{answer.status} {status.reason or answer.reason}: {status.message}"
        if answer.status == UNAUTHORIZED:
            self._access.rejected()
            trouble = f"; new ones cannot be read: {self._access.trouble}" if self._access.trouble else ""
            told = f"{told}; the token or client certificate may have expired{trouble}"
        after = answer.headers.get("Retry-After", "")
        return KubeError(
            told,
            request=request.words,
            status=answer.status,
            reason=status.reason,
            retry_after_s=float(after) if after.isdecimal() else 0.0,
        )


def _part(answer: aiohttp.ClientResponse) -> None:
    """Give the connection back; one that has more to say is cut, a farewell in TLS would outlive the request."""
    connection = answer.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    answer.release()
