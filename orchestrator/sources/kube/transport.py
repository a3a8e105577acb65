"""The session beneath: the `kubernetes` package's, with sockets that notice a dead server, and words for its errors."""

import asyncio
import contextlib
import os
import socket
import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
from aiohttp.client_exceptions import ClientConnectorCertificateError, SocketTimeoutError
from kubernetes.aio.client.rest import RESTClientObject

from orchestrator.errors import StartupError
from orchestrator.sources.kube.access import Access

KEEPALIVE_IDLE_S = 15
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_PROBES = 3
UNACKNOWLEDGED_MS = 15_000
"""An idle watch finds out after 30 s, a request after 15 s that nobody is there who answers on TCP's level."""
CHECK_S = 1.0
"""How often files of certificates are looked at, at most: requests may be many."""
CLOSING_ROUNDS = 100
"""After so many rounds of the loop a closed connection has given its socket back: two or three are usual."""
READ_BUFFER = 2**21
"""As the package has it, for events of a watch that are longer than aiohttp expects lines to be."""


class Transport(RESTClientObject):
    """Sessions to the server of an `Access`. Watches are long: the number of connections is not limited.

    Raises StartupError if a certificate or key is not what it should be.
    """

    def __init__(self, access: Access) -> None:
        try:
            super().__init__(access.configuration)
            self._certificates = access.certificates()
        except OSError as error:  # ssl.SSLError is one
            raise StartupError(f"certificates or keys cannot be used: {error}; correct the kubeconfig") from error
        self._checked_at = 0.0
        self._access = access
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self.proxy = self.proxy or _proxy_of_environment(access.configuration.host)

    async def request_raw(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """Return the answer when its head is there. Raises aiohttp's errors, OSError, TimeoutError."""
        if self.pool_manager is None:
            self.pool_manager = self._create_pool_manager()
        credentials = await self._access.headers()
        self._use_certificates()
        return await self.pool_manager.request(
            method,
            url,
            data=body,
            headers={**credentials, **headers},
            timeout=timeout,
            proxy=self.proxy,
            proxy_headers=self.proxy_headers,
            server_hostname=self.configuration.tls_server_name or None,
        )

    async def close(self) -> None:
        """Close all connections, and return when their sockets are closed.

        A connection that was given up during its handshake would wait for the server's farewell: it is cut off.
        """
        await super().close()
        for _ in range(CLOSING_ROUNDS):
            still_open = [each for each in self._sockets if each.fileno() >= 0]
            if not still_open:
                return
            for each in still_open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            await asyncio.sleep(0)

    @property
    def closed(self) -> bool:
        """Whether it was closed; one that was never used is not."""
        return self.pool_manager is not None and self.pool_manager.closed

    def _use_certificates(self) -> None:
        """New connections use certificates that were replaced; an authority is added, never taken away.

        What is just being replaced and cannot be read is tried again with the next request.
        """
        if time.monotonic() < self._checked_at + CHECK_S:
            return
        self._checked_at = time.monotonic()
        with contextlib.suppress(OSError):
            certificates = self._access.certificates()
            if certificates == self._certificates:
                return
            settings = self._access.configuration
            if settings.ssl_ca_cert:
                self.ssl_context.load_verify_locations(settings.ssl_ca_cert)
            if settings.cert_file:
                self.ssl_context.load_cert_chain(settings.cert_file, keyfile=settings.key_file)
            self._certificates = certificates

    def _create_pool_manager(self) -> aiohttp.ClientSession:
        """With `trust_env`, as the package has it, each request would look for proxy and ~/.netrc in threads: half its cost."""
        return aiohttp.ClientSession(connector=self._create_connector(), read_bufsize=READ_BUFFER)

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=0, ssl=self.ssl_context, socket_factory=self._watchful_socket)

    def _watchful_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        made = socket.socket(*address[:3])
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        self._sockets.add(made)
        return made


def _proxy_of_environment(url: str) -> str | None:
    """HTTPS_PROXY and NO_PROXY mean here what they mean to kubectl; a ~/.netrc is no word about an API server."""
    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)


def words(error: BaseException) -> str:
    """Return what went wrong with a connection, for a person."""
    match error:
        case ClientConnectorCertificateError():
            return f"its certificate is not trusted: {_verdict(error.certificate_error)}"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            return f"not reached: {os.strerror(number) if number and number > 0 else error.os_error.strerror}"
        case SocketTimeoutError():
            return "it was silent for too long"
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return "it closed the connection"
        case OSError() if error.strerror:
            return f"the connection broke: {error.strerror}"
        case _:
            return str(error) or type(error).__name__


def _verdict(error: Exception) -> str:
    return error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
