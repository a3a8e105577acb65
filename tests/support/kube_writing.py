"""A KubeSink on a real API server, fed by a real KubeSource; whatever the two tell their Witness is kept."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.errors import KubeError
from orchestrator.resources import core
from orchestrator.resources.meta import Condition, ObjectKey, ObjectRef
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.kube.access import Access
from orchestrator.sources.kube.api import Api
from orchestrator.sources.kube.sink import KubeSink
from orchestrator.sources.kube.source import KubeSource, Wanted
from orchestrator.sources.kube.writer import Writer
from tests.support.plane import Plane

Result = TypeVar("Result")

CRDS = Path("deploy/crds")
LIMIT_S = 60.0
POOL = "metallb.io/ip-allocated-from-pool"
CONTROLLER = Writer(component="metallb-controller", node="", namespace="metallb-system", pod="")


@dataclass(slots=True)
class Testimony:
    """Implements Witness by remembering; `refusals` are those that stand now."""

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    told: list[tuple[ObjectRef, str]] = field(default_factory=list)
    refusals: dict[ObjectRef, str] = field(default_factory=dict)

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:  # noqa: ARG002 - not judged here
        self.requests[verb, resource, code] += 1

    def watching(self, what: str) -> None: ...

    def failing(self, what: str, error: KubeError) -> None: ...

    def refused(self, ref: ObjectRef, reason: str) -> None:
        self.told.append((ref, reason))
        self.refusals[ref] = reason

    def accepted(self, ref: ObjectRef) -> None:
        self.refusals.pop(ref, None)

    @property
    def writes(self) -> int:
        """How many requests were made that could change something, and reads for their sake."""
        return sum(count for (verb, _, _), count in self.requests.items() if verb not in {"list", "watch"})


@dataclass(slots=True)
class Switch:
    """Whether writing is allowed."""

    on: bool = True

    def __call__(self) -> bool:
        return self.on


@dataclass(slots=True, kw_only=True)
class Bench:
    """A sink that runs, with all around it."""

    plane: Plane
    sink: KubeSink
    store: ObjectStore
    witness: Testimony
    switch: Switch
    watching: asyncio.Task[None]

    @property
    def under_way(self) -> int:
        """How many writes have been sent and not answered."""
        return sum(self.sink._outbox._under_way.values())

    @property
    def settled(self) -> bool:
        """Whether nothing waits to be sent."""
        return self.sink._outbox.settled()

    def stop_watching(self) -> None:
        """From now on the sink knows of Services what it knows already."""
        self.watching.cancel()

    async def knows(self, *keys: ObjectKey) -> None:
        """Wait until the watch has delivered these Services."""
        await until(lambda: all(key in self.store.services for key in keys), f"{keys} delivered")

    async def request(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        """One request as cluster admin, beside the event loop."""
        _, answer = await asyncio.to_thread(self.plane.request, method, path, body, content_type)
        return answer

    async def service(self, key: ObjectKey) -> Any:
        return await self.request("GET", service_path(key))

    async def write(self, key: ObjectKey, *addresses: str, pool: str | None = "pool") -> None:
        await self.sink.write_service_status(key, status(*addresses), {POOL: pool})


@asynccontextmanager
async def writing(
    plane: Plane, *, writer: Writer = CONTROLLER, kubeconfig: Path | None = None, switch: Switch | None = None
) -> AsyncIterator[Bench]:
    """A sink as a process has it: it writes until the block ends."""
    witness, gate = Testimony(), switch or Switch()
    api = Api(await Access.open(kubeconfig or plane.kubeconfig(), ""), witness)
    reading = Api(await Access.open(plane.kubeconfig(), ""), Testimony())
    store = ObjectStore(writer.namespace, "ferrule-last-good")
    source = KubeSource(reading, Wanted(kinds=frozenset({"Service"}), namespace=writer.namespace), Testimony())
    sink = KubeSink(api, writer, witness, services=store.services, may_write=gate)
    try:
        async with asyncio.TaskGroup() as tasks:
            running, watching = tasks.create_task(sink.run()), tasks.create_task(_deliver(source, store))
            await until(lambda: store.synced, "first list")
            yield Bench(plane=plane, sink=sink, store=store, witness=witness, switch=gate, watching=watching)
            running.cancel()
            watching.cancel()
    finally:
        await api.close()
        await reading.close()


async def _deliver(source: KubeSource, store: ObjectStore) -> None:
    async for batch in source.watch():
        store.apply(batch)


async def until(condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
        await asyncio.sleep(0.01)


async def until_seen(
    look: Callable[[], Awaitable[Result]], good: Callable[[Result], bool], limit_s: float = LIMIT_S
) -> Result:
    """Return what `look` gives once it is good."""
    deadline = time.monotonic() + limit_s
    while True:
        seen = await look()
        if good(seen):
            return seen
        assert time.monotonic() < deadline, f"not within {limit_s} s; last seen: {seen}"
        await asyncio.sleep(0.02)


def status(*addresses: str, conditions: tuple[Condition, ...] = ()) -> core.ServiceStatus:
    ingress = tuple(core.LoadBalancerIngress(ip=address) for address in addresses)
    return core.ServiceStatus(load_balancer=core.LoadBalancerStatus(ingress=ingress), conditions=conditions)


def addresses_of(service: Mapping[str, Any]) -> list[str]:
    return [each["ip"] for each in service["status"]["loadBalancer"].get("ingress", [])]


def pool_of(service: Mapping[str, Any]) -> str | None:
    found: str | None = service["metadata"].get("annotations", {}).get(POOL)
    return found


def service_path(key: ObjectKey) -> str:
    return f"/api/v1/namespaces/{key.namespace}/services/{key.name}"


def make_service(plane: Plane, key: ObjectKey, **spec: object) -> ObjectKey:
    """A Service of type LoadBalancer."""
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": key.name},
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "ports": [{"port": 80}],
            "selector": {"app": "a"},
            **spec,
        },
    }
    code, answer = plane.request("POST", f"/api/v1/namespaces/{key.namespace}/services", body)
    assert code == 201, answer
    return key


def install_crds(plane: Plane) -> None:
    """As `kubectl apply -f deploy/crds` does, and wait until they are served."""
    plane.kubectl("apply", "--server-side", "-f", str(CRDS))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
