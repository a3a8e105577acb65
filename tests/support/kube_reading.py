"""A KubeSource that reads into a store, and objects for it to find."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.errors import KubeError
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import Removed, SourceEvent, Synced
from orchestrator.sources.kube import access, watching
from orchestrator.sources.kube.access import Access, Freshness
from orchestrator.sources.kube.api import Api
from orchestrator.sources.kube.source import KubeSource, Wanted
from orchestrator.sources.kube.watching import Pace
from tests.support.plane import Plane

Event = TypeVar("Event", bound=SourceEvent)

LIMIT_S = 30.0
CRDS = Path(__file__).parents[2] / "deploy" / "crds"
LAST_GOOD = "last-good"
KINDS = frozenset(
    {
        "Service",
        "EndpointSlice",
        "Node",
        "Namespace",
        "IPAddressPool",
        "Community",
        "BGPPeer",
        "SpeakerState",
        "Failover",
    }
)


@dataclass
class Recorder:
    """Implements Witness. `reasons` are what failed why, in order; `failing` what fails now."""

    requests: list[tuple[str, str, int]] = field(default_factory=list)
    live: list[str] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    failing_now: dict[str, str] = field(default_factory=dict)

    def requested(self, verb: str, resource: str, code: int, seconds: float) -> None:  # noqa: ARG002 - the protocol's
        self.requests.append((verb, resource, code))

    def watching(self, what: str) -> None:
        self.live.append(what)
        self.failing_now.pop(what, None)

    def failing(self, what: str, error: KubeError) -> None:
        self.reasons.append((what, str(error)))
        self.failing_now[what] = str(error)

    def refused(self, ref: ObjectRef, reason: str) -> None:  # noqa: ARG002 - the protocol's
        raise AssertionError("a source writes nothing")

    def accepted(self, ref: ObjectRef) -> None:  # noqa: ARG002 - the protocol's
        raise AssertionError("a source writes nothing")

    def why(self, what: str) -> list[str]:
        return [reason for one, reason in self.reasons if one == what]

    def count(self, verb: str, resource: str) -> int:
        return sum((verb, resource) == request[:2] for request in self.requests)


@dataclass
class Reading:
    """What a source has delivered so far, and what its witness heard."""

    namespace: str
    store: ObjectStore
    witness: Recorder = field(default_factory=Recorder)
    batches: list[Sequence[SourceEvent]] = field(default_factory=list)

    def take(self, events: Sequence[SourceEvent]) -> None:
        self.batches.append(events)
        self.store.apply(events)

    def events(self, kind: type[Event]) -> list[Event]:
        return [event for batch in self.batches for event in batch if isinstance(event, kind)]

    def removed(self) -> list[ObjectRef]:
        return [event.ref for event in self.events(Removed)]

    def services(self) -> set[str]:
        """Names of the Services in our namespace."""
        return {key.name for key in self.store.services if key.namespace == self.namespace}

    def has(self, service: str, *addresses: str) -> Callable[[], bool]:
        """Whether a Service has these endpoints, as a condition to wait for."""
        return lambda: self.endpoints(service) == sorted(addresses)

    def endpoints(self, service: str) -> list[str]:
        slices = self.store.endpoints(ObjectKey(self.namespace, service))
        return sorted(address for part in slices for endpoint in part.endpoints for address in endpoint.addresses)

    async def until(self, condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        """Return when the condition holds; fails with what is known after the limit."""
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, f"not in time: {self.witness.failing_now}; {self.batches[-5:]}"
            await asyncio.sleep(0.01)

    async def synced(self) -> None:
        await self.until(lambda: self.events(Synced))


@asynccontextmanager
async def reading(
    kubeconfig: Path,
    namespace: str,
    kinds: frozenset[str] = KINDS,
    *,
    pace: Pace = watching.USUAL,
    freshness: Freshness = access.USUAL,
) -> AsyncIterator[Reading]:
    """Read until the block ends."""
    seen = Reading(namespace, ObjectStore(namespace, LAST_GOOD))
    api = Api(await Access.open(kubeconfig, "", freshness), seen.witness)
    wanted = Wanted(kinds=kinds, namespace=namespace, config_maps=(LAST_GOOD,))
    source = KubeSource(api, wanted, seen.witness, pace)

    async def pump() -> None:
        async for events in source.watch():
            seen.take(events)

    try:
        async with asyncio.TaskGroup() as tasks:
            pumping = tasks.create_task(pump())
            yield seen
            pumping.cancel()
    finally:
        await api.close()


# --- objects ----------------------------------------------------------------------------------------------------------


class Cluster:
    """Writes objects as an admin, in one namespace."""

    def __init__(self, plane: Plane, namespace: str) -> None:
        self.plane = plane
        self.namespace = namespace

    def apply_definitions(self, *names: str) -> None:
        """Make the CRDs of these files, or of all, and wait until they are served."""
        files = [CRDS / f"{name}.yaml" for name in names] or sorted(CRDS.glob("*.yaml"))
        self.plane.kubectl("apply", "--server-side", *(f"--filename={file}" for file in files))
        self.plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")

    def path(self, resource: str, name: str = "", root: str = "/api/v1") -> str:
        return f"{root}/namespaces/{self.namespace}/{resource}{f'/{name}' if name else ''}"

    def write(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:
        status, answer = self.plane.request(method, path, body, content_type)
        assert status in {200, 201}, answer
        return answer

    def service(self, name: str, service_type: str = "LoadBalancer") -> None:
        spec = {"type": service_type, "ports": [{"port": 80}], "allocateLoadBalancerNodePorts": False}
        if service_type != "LoadBalancer":
            del spec["allocateLoadBalancerNodePorts"]
        self.write("POST", self.path("services"), {"metadata": {"name": name}, "spec": spec})

    def service_type(self, name: str, service_type: str) -> None:
        self._merge(self.path("services", name), {"spec": {"type": service_type}})

    def label(self, resource: str, name: str, value: str) -> None:
        self._merge(self.path(resource, name), {"metadata": {"labels": {"touched": value}}})

    def endpoint_slice(self, name: str, service: str, *addresses: str) -> None:
        body = {
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address]} for address in addresses],
        }
        self.write("POST", self.path("endpointslices", root="/apis/discovery.k8s.io/v1"), body)

    def slice_addresses(self, name: str, *addresses: str) -> None:
        body = {"endpoints": [{"addresses": [address]} for address in addresses]}
        self._merge(self.path("endpointslices", name, "/apis/discovery.k8s.io/v1"), body)

    def community(self, name: str, value: str = "65000:1") -> None:
        spec = {"communities": [{"name": name, "value": value}]}
        self.custom("communities", "Community", name, spec)

    def peer(self, name: str, secret: str = "", **spec: object) -> None:
        named = {"passwordSecret": {"name": secret}} if secret else {}
        fields = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1", **named, **spec}
        self.custom("bgppeers", "BGPPeer", name, fields, "metallb.io/v1beta2")

    def custom(self, plural: str, kind: str, name: str, spec: object, api_version: str = "metallb.io/v1beta1") -> None:
        body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}
        path = self.path(plural, name, f"/apis/{api_version}")
        self.write("PATCH", f"{path}?fieldManager=test&force=true", body, "application/apply-patch+yaml")

    def secret(self, name: str, password: str = "c2VjcmV0") -> None:
        body = {"metadata": {"name": name}, "type": "kubernetes.io/basic-auth", "data": {"password": password}}
        self.write("POST", self.path("secrets"), body)

    def delete(self, resource: str, name: str, root: str = "/api/v1") -> None:
        self.write("DELETE", self.path(resource, name, root))

    def account(self, name: str, rules: Sequence[object]) -> Path:
        """A kubeconfig of a ServiceAccount that may do just this, in the whole cluster."""
        self.write("POST", self.path("serviceaccounts"), {"metadata": {"name": name}})
        self.grant(name, rules)
        root, full = "/apis/rbac.authorization.k8s.io/v1", f"{self.namespace}-{name}"
        subject = {"kind": "ServiceAccount", "namespace": self.namespace, "name": name}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": full}
        body = {"metadata": {"name": full}, "subjects": [subject], "roleRef": role}
        self.write("POST", f"{root}/clusterrolebindings", body)
        return self.plane.account_kubeconfig(self.namespace, name)

    def grant(self, name: str, rules: Sequence[object]) -> None:
        full = f"{self.namespace}-{name}"
        body = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": full},
            "rules": rules,
        }
        path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{full}?fieldManager=test&force=true"
        self.write("PATCH", path, body, "application/apply-patch+yaml")

    def _merge(self, path: str, body: object) -> None:
        self.write("PATCH", path, body, "application/merge-patch+json")


def rule(group: str, *resources: str) -> dict[str, list[str]]:
    return {"apiGroups": [group], "resources": list(resources), "verbs": ["get", "list", "watch"]}


def without(rules: Sequence[Mapping[str, list[str]]], resource: str) -> list[dict[str, list[str]]]:
    """The rules but for one resource."""
    return [
        {**part, "resources": [name for name in part["resources"] if name != resource] or ["none"]} for part in rules
    ]
