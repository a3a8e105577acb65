"""Reading a cluster: time and CPU of the first list, memory of a process that holds it, from a real API server.

Beside the N load balancers there are the EndpointSlices of N other Services, which are dropped on arrival. The reader is a
process of its own (`kube_reader`).
"""

import json
import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from uuid import NAMESPACE_OID, uuid5

import aiohttp

from tests.bench.rows import Row, Scope
from tests.support.plane import ETCD_PORT, Plane, running_plane

SIZES = (0, 1000, 10_000)
TIMES = 3
ENDPOINTS = 3
TRANSACTION = 120
"""etcd takes 128 writes in one."""
FIRST_LIST = {1000: "<= 2", 10_000: ""}
MEMORY = {0: "<= 80", 1000: "<= 110", 10_000: "<= 200"}
READ_LIMIT_S = 120.0


def measure(scope: Scope) -> Iterator[Row]:
    """Yield the rows of each number of Services, on one plane that grows."""
    with running_plane() as plane:
        before = 0
        for size in scope.sizes(*SIZES):
            plane.run(_fill(range(before, size)))
            before = size
            readings = [_read(plane) for _ in range(TIMES)]
            yield from _rows(size, readings)


def _rows(size: int, readings: Sequence[dict[str, float]]) -> Iterator[Row]:
    middle = sorted(readings, key=lambda reading: reading["seconds"])[len(readings) // 2]
    if size:
        name = f"first list, {size} Services and as many others"
        yield Row(
            name=name, figure=middle["seconds"], unit="s", n=len(readings), budget=FIRST_LIST.get(size, ""),
            note=f"{middle['cpu']:.2f} s of CPU",
        )  # fmt: skip
    yield Row(
        name=f"memory of a process that reads {size} Services and as many others",
        figure=middle["memory"], unit="MiB", n=len(readings), budget=MEMORY.get(size, ""),
        note=f"at most {middle['peak']:.0f}; {middle['services']:.0f} Services, {middle['slices']:.0f} slices held",
    )  # fmt: skip


def _read(plane: Plane) -> dict[str, float]:
    """Start a reader and return what it measured."""
    argv = [sys.executable, "-m", "tests.bench.kube_reader", str(plane.kubeconfig())]
    done = plane.namespace.run(argv, timeout_s=READ_LIMIT_S)
    reading: dict[str, float] = json.loads(done.stdout)
    return reading


# --- what is read -----------------------------------------------------------------------------------------------------


async def _fill(numbers: range) -> None:
    """Put Services and slices into etcd, as kube-apiserver would have: it takes JSON, and what is measured is reading.

    By way of the API a Service costs 5 ms, more when there are many.
    """
    entries = [entry for number in numbers for entry in _entries(number)]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{ETCD_PORT}") as session:
        for start in range(0, len(entries), TRANSACTION):
            puts = [
                {"requestPut": {"key": _encoded(key), "value": _encoded(json.dumps(body))}}
                for key, body in entries[start : start + TRANSACTION]
            ]
            async with session.post("/v3/kv/txn", json={"success": puts}) as answer:
                if answer.status != 200:
                    raise RuntimeError(f"etcd: {answer.status} {await answer.text()}")


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def _entries(number: int) -> Iterator[tuple[str, object]]:
    """A load balancer with its slice, and a slice of another Service."""
    name = f"shop-{number:05}"
    yield f"/registry/services/specs/default/{name}", _service(name, number)
    for service in (name, f"other-{number:05}"):
        yield f"/registry/endpointslices/default/{service}-abcde", _slice(service, number)


def _metadata(name: str, owner: str, labels: dict[str, str], **fields: object) -> dict[str, object]:
    """With the fields that nobody reads, as large as they are in life."""
    written: dict[str, object] = {
        f"f:{part}": {".": {}, "f:name": {}} for part in ("labels", "selector", "ports", "endpoints", "type")
    }
    managed = [
        {"manager": owner, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": written}
    ]
    uid = str(uuid5(NAMESPACE_OID, name))
    return {
        "name": name, "namespace": "default", "uid": uid, "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": labels, "managedFields": managed, **fields,
    }  # fmt: skip


def _service(name: str, number: int) -> dict[str, object]:
    address = f"10.96.{number // 250}.{number % 250}"
    spec: dict[str, object] = {
        "type": "LoadBalancer", "selector": {"app": name}, "clusterIP": address, "clusterIPs": [address],
        "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None",
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080}],
        "externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": False,
    }  # fmt: skip
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "somebody"}
    applied = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"metadata": {"name": name}, "spec": spec})
    }
    metadata = _metadata(name, "kubectl-client-side-apply", labels, annotations=applied)
    status = {"loadBalancer": {"ingress": [{"ip": f"198.18.{number // 250}.{number % 250}", "ipMode": "VIP"}]}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec, "status": status}


def _slice(service: str, number: int) -> dict[str, object]:
    labels = {
        "kubernetes.io/service-name": service,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    endpoints = [
        {
            "addresses": [f"10.{host}.{number // 250}.{number % 250}"],
            "nodeName": f"node-{host}",
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": f"{service}-{host}"},
        }
        for host in range(ENDPOINTS)
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": _metadata(f"{service}-abcde", "kube-controller-manager", labels),
        "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }  # fmt: skip
