"""Who owns what we write, so that it goes with its owner: our Pod, and for the SpeakerState, which outlives pods, the Node.

An owner is named by its uid, which is asked for when the first of its objects is written. Without it (no pod name, no right
to read the pod) objects are written without an owner.
"""

import asyncio
import time
from dataclasses import dataclass

from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.meta import ObjectRef
from orchestrator.sources.kube import paths
from orchestrator.sources.kube.decode import HEAD
from orchestrator.sources.kube.gate import Gate

OF_POD = frozenset({"ServiceL2Status", "ServiceBGPStatus", "ConfigurationState"})
OF_NODE = frozenset({"SpeakerState"})
NODE_FRESH_S = 60.0
"""A Node may be removed and made again while its speaker runs; SpeakerStates are written rarely."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """An object that exists, of version v1."""

    kind: str
    name: str
    uid: str

    def reference(self) -> dict[str, object]:
        """Return the ownerReference; not that of a controller: nobody is to adopt the object."""
        return {"apiVersion": "v1", "kind": self.kind, "name": self.name, "uid": self.uid}


class Owners:
    """Finds them. `given_up` are owners that could not be read; they are asked for again by `find` only."""

    def __init__(self, gate: Gate, *, namespace: str, pod: str, node: str) -> None:
        self._gate = gate
        self._pod = ObjectRef("Pod", namespace, pod) if pod else None
        self._node = ObjectRef("Node", "", node) if node else None
        self._found: dict[ObjectRef, tuple[Owner, float]] = {}
        self._finding = asyncio.Lock()
        self.given_up: set[ObjectRef] = set()

    def owner_of(self, kind: str) -> ObjectRef | None:
        """Return who should own objects of a kind; None: nobody."""
        if kind in OF_POD:
            return self._pod
        return self._node if kind in OF_NODE else None

    async def of(self, kind: str) -> Owner | None:
        """Return the owner of objects of a kind, None if there is none or it was given up. Raises KubeError, GateClosed."""
        ref = self.owner_of(kind)
        if ref is None or ref in self.given_up:
            return None
        async with self._finding:
            owner, at = self._found.get(ref, (None, 0.0))
            if owner is None or (ref.kind == "Node" and time.monotonic() > at + NODE_FRESH_S):
                owner = await self.find(ref)
        return owner

    async def find(self, ref: ObjectRef) -> Owner:
        """Ask for the uid of an owner, given up or not. Raises KubeError, GateClosed."""
        body = await self._gate.read(_path(ref), "pods" if ref.kind == "Pod" else "nodes")
        owner = Owner(kind=ref.kind, name=ref.name, uid=HEAD.decode(body).metadata.uid)
        self._found[ref] = (owner, time.monotonic())
        self.given_up.discard(ref)
        return owner


def _path(ref: ObjectRef) -> str:
    if ref.kind == "Node":
        return paths.item(BY_NAME["Node"], "", ref.name)
    return f"/api/v1/namespaces/{ref.namespace}/pods/{ref.name}"
