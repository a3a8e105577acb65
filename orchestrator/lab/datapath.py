"""The lab's kube-proxy: watches Services and EndpointSlices and keeps every node's forwarding rules as `ruleset` says.

Runs as `python -m orchestrator.lab.datapath --manifests DIR --state DIR NODE=NAMESPACE ...`, one for all nodes. It
shares nothing with the controller and the speakers but the objects, as kube-proxy does.
"""

import argparse
import asyncio
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from orchestrator.lab import ruleset
from orchestrator.lab.namespaces import Namespace
from orchestrator.observe import logs
from orchestrator.resources.core import EndpointSlice, Service
from orchestrator.resources.kinds import ref_of
from orchestrator.resources.meta import ObjectRef
from orchestrator.settings import DEFAULT_NAMESPACE
from orchestrator.sources.interface import Removed, Source, SourceEvent, Upserted
from orchestrator.sources.manifests.folder import ManifestsSource

log = structlog.get_logger()

NFT_LIMIT_S = 10.0


class Datapath:
    """The rules of all nodes; only texts that changed are handed to nft."""

    def __init__(self, nodes: Mapping[str, Namespace]) -> None:
        self._nodes = nodes
        self._services: dict[ObjectRef, Service] = {}
        self._slices: dict[ObjectRef, EndpointSlice] = {}
        self._applied: dict[str, str] = {}

    async def run(self, source: Source) -> None:
        """Follow the source until cancelled."""
        async for events in source.watch():
            received = time.monotonic()
            if self._note(events) and (changed := await self._apply()):
                log.info(
                    "forwarding changed", nodes=changed, duration_ms=round((time.monotonic() - received) * 1000, 1)
                )

    def _note(self, events: Sequence[SourceEvent]) -> bool:
        """Return whether anything that forwarding depends on is among the events."""
        relevant = False
        for event in events:
            match event:
                case Upserted(obj=Service() as service):
                    self._services[ref_of(service)] = service
                case Upserted(obj=EndpointSlice() as one):
                    self._slices[ref_of(one)] = one
                case Removed(ref=ref) if ref in self._services or ref in self._slices:
                    self._services.pop(ref, None)
                    self._slices.pop(ref, None)
                case _:
                    continue
            relevant = True
        return relevant

    async def _apply(self) -> list[str]:
        """Bring every node up to date, all at once; returns the nodes that changed, sorted."""
        services, slices = self._services.values(), self._slices.values()
        wanted = {node: ruleset.render(node, services, slices) for node in sorted(self._nodes)}
        changed = [node for node, text in wanted.items() if self._applied.get(node) != text]
        done = await asyncio.gather(*(asyncio.to_thread(replace, self._nodes[node], wanted[node]) for node in changed))
        for node, problem in zip(changed, done, strict=True):
            if problem:
                log.error("forwarding refused", node=node, reason=problem)
            else:
                self._applied[node] = wanted[node]
        return changed


def replace(namespace: Namespace, text: str) -> str:
    """Load a ruleset in a namespace; returns what nft objects to, or nothing."""

    def load() -> str:
        # A child inherits the namespace of the thread that starts it: no `ip netns exec`, which costs 5 ms.
        argv = ["nft", "-f", "-"]
        done = subprocess.run(argv, input=text, text=True, capture_output=True, timeout=NFT_LIMIT_S, check=False)
        return done.stderr.strip() or f"status {done.returncode}" if done.returncode else ""

    try:
        return namespace.inside(load)
    except OSError as error:
        return str(error)


def main() -> None:
    parser = argparse.ArgumentParser(description="Forward Service addresses to endpoints on the lab's nodes.")
    parser.add_argument("--manifests", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("nodes", nargs="+", metavar="NODE=NAMESPACE")
    arguments = parser.parse_args()
    logs.configure("info")
    pairs = (pair.partition("=") for pair in arguments.nodes)
    nodes = {node: Namespace(namespace) for node, _, namespace in pairs}
    asyncio.run(Datapath(nodes).run(ManifestsSource(arguments.manifests, arguments.state, DEFAULT_NAMESPACE)))


if __name__ == "__main__":
    main()
