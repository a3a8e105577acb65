"""What the lab sees from outside: HTTP requests from a machine, the router's routes, a client's neighbor table.

Nothing here asks our own processes. Instants are monotonic seconds; a request opens a new connection each time.
"""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self, TypeVar

import msgspec
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from orchestrator.errors import NotReady
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.settings import HEALTH_PORT

Result = TypeVar("Result")

REQUEST_LIMIT_S = 1.0


class Answer(msgspec.Struct, frozen=True):
    """What an endpoint says: its name, its node, and the client's address as it sees it."""

    endpoint: str
    node: str
    client: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `answer` None means that none came within the limit."""

    started: float
    ended: float
    answer: Answer | None

    @property
    def latency_s(self) -> float:
        return self.ended - self.started


def until(
    condition: Callable[[], Result | None], what: str, *, limit_s: float = 20.0, interval_s: float = 0.01
) -> Result:
    """Return the condition's first true value. Raises NotReady naming `what` after the limit."""
    attempts = Retrying(
        retry=retry_if_result(lambda value: not value), stop=stop_after_delay(limit_s), wait=wait_fixed(interval_s)
    )
    try:
        found = attempts(condition)
    except RetryError as error:
        raise NotReady(f"{what}: not within {limit_s:g} s") from error
    assert found is not None
    return found


def get(machine: Namespace, address: str, port: int = 80, *, limit_s: float = REQUEST_LIMIT_S) -> Request:
    """Send one request from a machine."""
    return machine.inside(lambda: _get(address, port, limit_s))


def get_many(machine: Namespace, address: str, count: int, port: int = 80) -> list[Request]:
    """Send requests one after the other, each from a port of its own."""
    return machine.inside(lambda: [_get(address, port, REQUEST_LIMIT_S) for _ in range(count)])


def _get(address: str, port: int, limit_s: float) -> Request:
    started = time.monotonic()
    connection = http.client.HTTPConnection(address, port, timeout=limit_s)
    try:
        connection.request("GET", "/")
        answer = msgspec.json.decode(connection.getresponse().read(), type=Answer)
    except (OSError, http.client.HTTPException, msgspec.MsgspecError):
        answer = None
    finally:
        connection.close()
    return Request(started=started, ended=time.monotonic(), answer=answer)


def unready(machine: Namespace) -> list[str]:
    """What keeps the process with a health port on a machine from being ready, line by line; empty if it is."""

    def ask() -> list[str]:
        connection = http.client.HTTPConnection("127.0.0.1", HEALTH_PORT, timeout=REQUEST_LIMIT_S)
        try:
            connection.request("GET", "/readyz")
            lines = connection.getresponse().read().decode(errors="replace").splitlines()
        except (OSError, http.client.HTTPException) as error:
            return [f"no answer: {error}"]
        finally:
            connection.close()
        return [line for line in lines if not line.endswith(": ok")]

    return machine.inside(ask)


def spread(requests: Iterable[Request], by: Callable[[Answer], str]) -> dict[str, int]:
    """Count the answered requests by a property of their answers, sorted by it."""
    return dict(sorted(Counter(by(request.answer) for request in requests if request.answer).items()))


@dataclass(slots=True)
class Stream:
    """Requests sent at an even pace without waiting for answers, so that an outage is seen to within one interval.

    Use as a context manager; `requests` may be read at any time and is ordered by the end of the requests.
    """

    machine: Namespace
    address: str
    port: int = 80
    interval_s: float = 0.02
    limit_s: float = 0.4
    requests: list[Request] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.machine.inside, args=(self._run,), name="stream")
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        # Threads inherit the namespace of the thread that starts them, which is this one.
        with ThreadPoolExecutor(max_workers=int(self.limit_s / self.interval_s) + 2) as pool:
            begin, sent = time.monotonic(), 0
            while not self._stop.wait(max(0.0, begin + sent * self.interval_s - time.monotonic())):
                pool.submit(self._send)
                sent += 1

    def _send(self) -> None:
        self.requests.append(_get(self.address, self.port, self.limit_s))

    def first_answer(self) -> Request | None:
        """The answered request that ended first."""
        return next((request for request in self.requests if request.answer), None)

    def lasted_s(self, instant: float) -> float:
        """Seconds from `instant` to the sending of the latest request that has been answered or given up."""
        return max((request.started for request in self.requests), default=instant) - instant

    def is_steady_since(self, instant: float, duration_s: float) -> bool:
        """Whether requests sent after `instant` were all answered during the last `duration_s`, and there were some."""
        horizon = time.monotonic() - self.limit_s - duration_s
        failed = max((request.started for request in self.requests if not request.answer), default=instant)
        return horizon >= max(failed, instant)

    def served_again(self, instant: float) -> float:
        """Seconds from `instant` to the first answer after the last request that failed; 0 if none failed."""
        failed = [request.started for request in self.requests if request.started >= instant and not request.answer]
        if not failed:
            return 0.0
        answered = (request.ended for request in self.requests if request.answer and request.started > max(failed))
        return min(answered) - instant


def next_hops(machine: Namespace, prefix: str) -> frozenset[str]:
    """Return the gateways of the kernel's route to exactly this prefix; empty if there is none."""
    address, _, length = prefix.partition("/")

    def read(netlink: namespaces.Netlink) -> frozenset[str]:
        routes = netlink.route("dump", dst=address, dst_len=int(length))
        return frozenset(gateway for route in routes for gateway in _gateways(route))

    return namespaces.with_netlink(machine, read)


def _gateways(route: namespaces.Message) -> list[str]:
    """A route has one gateway or a list of next hops."""
    several = route.get("multipath")
    parts = several if isinstance(several, (list, tuple)) else [route]
    return [str(part.get("gateway")) for part in parts if part.get("gateway")]


def neighbor_mac(machine: Namespace, address: str) -> str | None:
    """Return the hardware address that the machine has learned for `address`; None if it knows none."""
    found = namespaces.with_netlink(machine, lambda netlink: list(netlink.neigh("dump", dst=address)))
    return next((str(entry.get("lladdr")) for entry in found if entry.get("lladdr")), None)
