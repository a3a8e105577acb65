"""A cluster: bursts of Services, single changes, starts and idling, with a real API server.

The API server's own share of a burst is measured first, by the same creates with nobody who looks on.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from orchestrator.lab import layout
from tests.bench import cluster_client as client
from tests.bench import manifests
from tests.bench.bgp_capture import BgpCapture
from tests.bench.cluster_path import CONTROLLER, NODES, ClusterPath, cluster_path, speaker_of
from tests.bench.processes import cpu_s, memory_mib
from tests.bench.rows import Row, Scope, row_of
from tests.bench.scale import CONTROLLER_MEMORY, RESTART, SPEAKER_MEMORY
from tests.support.plane import Plane

SIZES = (1000, 5000)
ONE_BY_ONE = 30
TOGGLES = 40
IDLE_S = 30.0
NOT_BEHIND = 2000
"""Above so many pairs of Service and node nothing is written behind; below it goes on for minutes, at 5/s a node."""
REST_S = 0.3
LIMIT_S = 20.0
NODE = NODES[0]
TOGGLED = "toggled"
TOGGLED_ADDRESS = manifests.FEW[50]


@dataclass(frozen=True, slots=True)
class Burst:
    """When, after the beginning and in seconds: the last create was answered, the last address stood in a status."""

    began: float
    created_s: float
    assigned_s: float


def measure(scope: Scope) -> Iterator[Row]:
    """Yield the rows of each number of Services."""
    for size in scope.sizes(*SIZES):
        with cluster_path() as path:
            alone_s = path.plane.run(_creates_alone(path.plane, size))
            path.start_controller()
            path.start_nodes()
            path.wait_ready()
            if size == SIZES[0]:
                yield from _idle(path, 0)
            yield from _burst(path, size, alone_s)
            path.settle()
            yield from _memory(path, size)
            if size > NOT_BEHIND:
                yield from _idle(path, size)
            yield from _single_changes(path, size, scope)
            yield from _restarts(path, size)


# --- many at once -----------------------------------------------------------------------------------------------------


async def _creates_alone(plane: Plane, size: int) -> float:
    async with client.session_of(plane) as session:
        began = time.time()
        created = await client.create(session, _names(size, "alone"), NODES)
        await client.delete(session, _names(size, "alone"))
        return created - began


def _burst(path: ClusterPath, size: int, alone_s: float) -> Iterator[Row]:
    requests, plane_cpu = path.api_requests(), path.plane_cpu_s()
    controller_cpu = cpu_s(path.pid(CONTROLLER))
    burst = path.plane.run(_create_and_watch(path.plane, size))
    controller_cpu = cpu_s(path.pid(CONTROLLER)) - controller_cpu
    routed_s = path.wait_routed(size) - burst.began
    plane_cpu, requests = path.plane_cpu_s() - plane_cpu, path.api_requests() - requests
    yield Row(name=f"{size} Services created, nobody looks on", figure=alone_s, unit="s")
    yield Row(name=f"{size} Services created beside us", figure=burst.created_s, unit="s")
    yield Row(name=f"{size} Services created -> all have addresses", figure=burst.assigned_s, unit="s")
    yield Row(
        name=f"{size} Services created -> all announced over BGP on 3 nodes", figure=routed_s, unit="s",
        budget=f"<= {1.5 * alone_s:.2f} (1.5 x the creates alone)" if size == SIZES[0] else "",
    )  # fmt: skip
    yield Row(
        name=f"API server's and etcd's CPU until then, {size} Services", figure=plane_cpu, unit="s",
        budget="<= 10" if size == SIZES[0] else "",
    )  # fmt: skip
    yield Row(
        name=f"our API requests per new Service until then, {size}", figure=requests / size, unit="",
        budget="<= 6", note="what is written behind aside",
    )  # fmt: skip
    yield Row(name=f"controller's CPU per 1000 Services, {size}", figure=controller_cpu / size * 1000, unit="s")


async def _create_and_watch(plane: Plane, size: int) -> Burst:
    names = _names(size, "many")
    async with client.session_of(plane) as session:
        version = await client.version_of(session)
        async with asyncio.TaskGroup() as tasks:
            began = time.time()
            assigned = tasks.create_task(client.assigned(session, frozenset(names), version))
            created = tasks.create_task(client.create(session, names, NODES))
    return Burst(began, created.result() - began, assigned.result() - began)


def _names(size: int, prefix: str) -> list[str]:
    return [f"{prefix}-{number:05}" for number in range(size)]


# --- at rest ----------------------------------------------------------------------------------------------------------


def _memory(path: ClusterPath, size: int) -> Iterator[Row]:
    for name, process, budgets in (
        ("controller", CONTROLLER, CONTROLLER_MEMORY),
        ("speaker", speaker_of(NODE), SPEAKER_MEMORY),
    ):
        figure = memory_mib(path.pid(process))
        yield Row(
            name=f"{name}'s memory in a cluster, {size} Services",
            figure=figure,
            unit="MiB",
            budget=budgets.get(size, ""),
        )


def _idle(path: ClusterPath, size: int) -> Iterator[Row]:
    requests, began = path.api_requests(), time.monotonic()
    pids = {"controller": [path.pid(CONTROLLER)], "node's pod": path.node_pids(NODE)}
    before = {name: sum(map(cpu_s, each)) for name, each in pids.items()}
    time.sleep(IDLE_S)
    used = {name: sum(map(cpu_s, each)) - before[name] for name, each in pids.items()}
    took_s = time.monotonic() - began
    rate = (path.api_requests() - requests) / took_s
    yield Row(
        name=f"API requests when idle, 3 nodes and a controller, {size} Services", figure=rate, unit="/s",
        budget="near 0", note="the Lease is renewed every 2 s",
    )  # fmt: skip
    for name, seconds in used.items():
        yield Row(
            name=f"CPU of a {name} when idle, {size} Services", figure=seconds / took_s * 100, unit="%",
            budget="<= 3" if name != "controller" else "",
        )  # fmt: skip


# --- one change -------------------------------------------------------------------------------------------------------


def _single_changes(path: ClusterPath, size: int, scope: Scope) -> Iterator[Row]:
    samples = path.plane.run(_one_by_one(path.plane, scope.times(ONE_BY_ONE)))
    yield row_of(f"one Service -> address, at {size}", samples, "ms", budget="<= 6")
    with BgpCapture(path.lab.machines[layout.ROUTER], layout.UPLINK) as capture:
        yield from _toggle(path, capture, size, scope.times(TOGGLES))


async def _one_by_one(plane: Plane, times: int) -> list[float]:
    """From before the create is sent until the status has arrived at a watch."""
    samples = []
    async with client.session_of(plane) as session:
        for number in range(times):
            name = f"single-{number:03}"
            version = await client.version_of(session)
            async with asyncio.TaskGroup() as tasks:
                assigned = tasks.create_task(client.assigned(session, frozenset({name}), version))
                await asyncio.sleep(0.05)  # the watch is open
                began = time.time()
                await client.send(session, "POST", client.SERVICES, client.service(name))
            samples.append((assigned.result() - began) * 1000)
            await client.delete(session, [name])
            await asyncio.sleep(REST_S)
    return samples


def _toggle(path: ClusterPath, capture: BgpCapture, size: int, times: int) -> Iterator[Row]:
    prefix = IPv4Network(TOGGLED_ADDRESS)
    path.plane.run(_create_toggled(path.plane))
    announced, withdrawn = [], []
    capture.announced(prefix, LIMIT_S)
    for _ in range(times):
        withdrawn.append((_set_ready(path, ready=False, seen=lambda: capture.withdrawn(prefix, LIMIT_S))) * 1000)
        announced.append((_set_ready(path, ready=True, seen=lambda: capture.announced(prefix, LIMIT_S))) * 1000)
    budget = "p50 <= 60, p99 <= 100"
    yield row_of(f"endpoint ready in the API -> UPDATE, {size} prefixes", announced, "ms", budget=budget)
    yield row_of(f"endpoint unready in the API -> UPDATE, {size} prefixes", withdrawn, "ms", budget=budget)


async def _create_toggled(plane: Plane) -> None:
    async with client.session_of(plane) as session:
        wanted = {"metallb.io/loadBalancerIPs": str(TOGGLED_ADDRESS)}
        body = client.service(TOGGLED, externalTrafficPolicy="Local")
        body["metadata"] = {"name": TOGGLED, "annotations": wanted}
        await client.send(session, "POST", client.SERVICES, body)
        await client.send(session, "POST", client.SLICES, client.endpoint_slice(TOGGLED, {NODE: True}))


def _set_ready(path: ClusterPath, *, ready: bool, seen: Callable[[], float]) -> float:
    """Patch the slice; return seconds from before the request until `seen` says that it was on the wire."""
    time.sleep(REST_S)
    endpoints = client.endpoint_slice(TOGGLED, {NODE: ready})["endpoints"]
    began = time.time()
    status, answer = path.plane.request(
        "PATCH", f"{client.SLICES}/{TOGGLED}-1", {"endpoints": endpoints}, "application/merge-patch+json"
    )
    assert status == 200, answer
    return seen() - began


# --- start again ------------------------------------------------------------------------------------------------------


def _restarts(path: ClusterPath, size: int) -> Iterator[Row]:
    yield Row(
        name=f"controller restart with {size} assigned -> a waiting Service has its address",
        figure=_restart_controller(path), unit="s", budget=f"<= {RESTART[size]}" if size in RESTART else "",
    )  # fmt: skip
    yield Row(
        name=f"speaker restart with {size} Services -> a change meanwhile is on the wire",
        figure=_restart_speaker(path), unit="s", budget=f"<= {RESTART[size]}" if size in RESTART else "",
    )  # fmt: skip


def _restart_controller(path: ClusterPath) -> float:
    path.stop(CONTROLLER)
    assigned_at = path.plane.run(_assigned_by_new_controller(path))
    return assigned_at - path.started[CONTROLLER]


async def _assigned_by_new_controller(path: ClusterPath) -> float:
    async with client.session_of(path.plane) as session:
        version = await client.version_of(session)
        await client.create(session, ["waiting"], NODES)
        path.start_controller()
        return await client.assigned(session, frozenset({"waiting"}), version)


def _restart_speaker(path: ClusterPath) -> float:
    prefix = IPv4Network(TOGGLED_ADDRESS)
    with BgpCapture(path.lab.machines[layout.ROUTER], layout.UPLINK) as capture:
        path.stop(speaker_of(NODE))

        def restarted() -> float:
            path.start_speaker(NODE)
            return capture.withdrawn(prefix, LIMIT_S)

        began = time.time()
        seen_at = began + _set_ready(path, ready=False, seen=restarted)
        return seen_at - path.started[speaker_of(NODE)]
