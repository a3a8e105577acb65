"""One API server: requests in, bodies out. Every refusal and every failure to reach it is a KubeError; all are counted.

The `kubernetes` package brings TLS and transport; its generated models are not used, bodies are bytes here.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

import aiohttp
import msgspec
from kubernetes.aio.client.rest import RESTClientObject

from orchestrator.errors import KubeError
from orchestrator.sources.kube.access import Access
from orchestrator.sources.kube.witness import Witness

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
ANSWER_LIMIT_S = 30.0
CONNECT_LIMIT_S = 5.0


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


class Api:
    """Connections to one API server; requests may run side by side."""

    def __init__(self, access: Access, witness: Witness) -> None:
        self._access = access
        self._witness = witness
        self._transport = RESTClientObject(access.configuration)

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
        """Close all connections."""
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
                    raise _refusal(request, answer, await answer.read())
                if request.verb == "watch":  # it is answered now, and lasts
                    self._witness.requested(request.verb, request.resource, code, time.monotonic() - started)
                yield answer
            finally:
                answer.release()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(f"{request.verb} {request.resource}: {self.server}: {_words(error)}") from error
        finally:
            if request.verb != "watch" or code == 0 or code >= 400:
                self._witness.requested(request.verb, request.resource, code, time.monotonic() - started)

    async def _ask(self, request: Request, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        pool = self._transport.pool_manager
        if pool is None:
            pool = self._transport.pool_manager = self._transport._create_pool_manager()  # noqa: SLF001 - the package's place to build sessions; its request() encodes bodies its own way
        query = f"?{urlencode(request.query)}" if request.query else ""
        return await pool.request(
            request.method,
            f"{self.server}{request.path}{query}",
            data=request.body,
            headers={**await self._access.headers(), "Accept": request.accept, "Content-Type": request.content_type},
            timeout=timeout,
            proxy=self._transport.proxy,
            proxy_headers=self._transport.proxy_headers,
            server_hostname=self._access.configuration.tls_server_name or None,
        )


class _Status(msgspec.Struct, frozen=True):
    """The part of meta/v1 Status that is read."""

    message: str = ""
    reason: str = ""


def _refusal(request: Request, answer: aiohttp.ClientResponse, body: bytes) -> KubeError:
    try:
        status = msgspec.json.decode(body, type=_Status)
    except msgspec.MsgspecError:  # something in between answered: a proxy, a load balancer
        status = _Status(message=body[:200].decode(errors="replace").strip())
    after = answer.headers.get("Retry-After", "")
    return KubeError(
        f"{request.verb} {request.resource}: {answer.status} {status.reason or answer.reason}: {status.message}",
        status=answer.status,
        reason=status.reason,
        retry_after_s=float(after) if after.isdigit() else 0.0,
    )


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
