"""`python -m tests.bench.kube_reader KUBECONFIG`: read a cluster into a store once, print what it cost as JSON."""

import asyncio
import json
import os
import sys
import time
from contextlib import aclosing
from pathlib import Path

from orchestrator.errors import KubeError
from orchestrator.resources.meta import ObjectRef
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import Synced
from orchestrator.sources.kube.access import Access
from orchestrator.sources.kube.api import Api
from orchestrator.sources.kube.source import KubeSource, Wanted
from tests.bench.processes import memory_mib, peak_memory_mib

NAMESPACE = "metallb-system"
KINDS = frozenset({"Service", "EndpointSlice", "Node", "Namespace"})


class _Nobody:
    """A Witness whom nothing interests."""

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None: ...
    def watching(self, what: str) -> None: ...
    def failing(self, what: str, error: KubeError) -> None:
        print(what, error, file=sys.stderr)

    def refused(self, ref: ObjectRef, reason: str) -> None: ...
    def accepted(self, ref: ObjectRef) -> None: ...


async def _reader(kubeconfig: Path) -> dict[str, float]:
    store, nobody = ObjectStore(NAMESPACE, ""), _Nobody()
    api = Api(await Access.open(kubeconfig, ""), nobody)
    source = KubeSource(api, Wanted(kinds=KINDS, namespace=NAMESPACE), nobody)
    started, cpu = time.monotonic(), time.process_time()
    async with aclosing(source.watch()) as batches:
        async for events in batches:
            store.apply(events)
            if any(isinstance(event, Synced) for event in events):
                break
        found = {
            "seconds": time.monotonic() - started,
            "cpu": time.process_time() - cpu,
            "memory": memory_mib(os.getpid()),
            "peak": peak_memory_mib(os.getpid()),
            "services": len(store.services),
            "slices": sum(map(len, store.slices.values())),
        }
    await api.close()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_reader(Path(sys.argv[1])))))
