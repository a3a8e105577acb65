"""The only way out for writes: each one is sent only while writing is allowed, and has little time."""

from collections.abc import Callable

from orchestrator.sources.kube.api import JSON, Api, Request

WRITE_LIMIT_S = 4.0
"""Below lease duration - renew deadline (15 - 10 s): a write that an old leader sent has ended, one way or the other,
before its lease does and a new leader begins.
"""


class GateClosed(Exception):
    """Nothing was sent: this process may not write now."""


class Gate:
    """Asks `may_write` right before each request."""

    def __init__(self, api: Api, may_write: Callable[[], bool]) -> None:
        self._api = api
        self._may_write = may_write

    @property
    def is_open(self) -> bool:
        return self._may_write()

    async def send(self, request: Request) -> bytes:
        """Return the body of the answer. Raises KubeError, GateClosed."""
        if not self._may_write():
            raise GateClosed
        return await self._api.send(request, WRITE_LIMIT_S)

    async def read(self, path: str, resource: str) -> bytes:
        """Return an object that a write depends on. Raises KubeError, GateClosed."""
        return await self.send(Request(verb="get", resource=resource, method="GET", path=path, content_type=JSON))
