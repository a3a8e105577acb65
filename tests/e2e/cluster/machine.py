"""A machine of the test network, and what can be asked from there."""

import contextlib
import http.client
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from orchestrator.lab import probes
from orchestrator.lab.namespaces import Namespace
from orchestrator.lab.probes import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: int
    text: str

    @property
    def answer(self) -> Answer:
        """What the web image says of itself."""
        return msgspec.json.decode(self.text, type=Answer)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine by its network namespace."""

    name: str
    namespace: Namespace

    def get(self, url: str, *, limit_s: float = 1.0) -> Response:
        """Ask once, on a new connection. Raises OSError, a time-out among them, if there is no answer."""
        parts = urlsplit(url)
        assert parts.hostname, url

        def ask() -> Response:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=limit_s)
            with contextlib.closing(connection):
                connection.request("GET", parts.path or "/")
                answer = connection.getresponse()
                return Response(status=answer.status, text=answer.read().decode(errors="replace"))

        try:
            return self.namespace.inside(ask)
        except http.client.HTTPException as error:
            raise ConnectionError(f"{url}: {error}") from error

    def reaches(self, url: str) -> bool:
        """Whether an answer comes."""
        with contextlib.suppress(OSError):
            return self.get(url).status == 200
        return False

    def spread(self, url: str, count: int = 20) -> dict[str, int]:
        """How often each endpoint answers, requests without an answer under ""."""
        found: Counter[str] = Counter()
        for _ in range(count):
            try:
                found[self.get(url).answer.endpoint] += 1
            except OSError:
                found[""] += 1
        return dict(sorted(found.items()))

    def stream(self, address: str, port: int = 80, *, interval_s: float = 0.02) -> probes.Stream:
        """Requests at an even pace while the block runs; see probes.Stream."""
        return probes.Stream(self.namespace, address, port, interval_s)

    def run(self, *argv: str, check: bool = True) -> str:
        """What a command prints there."""
        return self.namespace.run(list(argv), check=check).stdout
