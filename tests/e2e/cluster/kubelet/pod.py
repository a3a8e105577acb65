"""The life of one Pod on this node: network and volumes, containers in order, status, end.

Order as kubelet has it: init containers one after the other, a sidecar counts as done when it has started; the main
containers together; on deletion first the main containers, then the sidecars from last to first.
"""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import structlog

from orchestrator.lab import namespaces, network
from orchestrator.lab.layout import EndpointHost, NodeHost
from orchestrator.lab.namespaces import Namespace
from tests.e2e.cluster.kubelet import environment, images, privileges, status
from tests.e2e.cluster.kubelet.api import MERGE, Api, Gone, Refused
from tests.e2e.cluster.kubelet.container import Recipe
from tests.e2e.cluster.kubelet.environment import Identity
from tests.e2e.cluster.kubelet.privileges import NotAllowed
from tests.e2e.cluster.kubelet.runner import Runner, Setting, now
from tests.e2e.cluster.kubelet.spec import Container, Pod, PodSpec
from tests.e2e.cluster.kubelet.volumes import Volumes

log = structlog.get_logger()

REFRESH_S = 5.0
REFUSED_S = 1.0
SIDECAR_GRACE_S = 2.0
"""What sidecars have at least when the main containers used up the Pod's time, as in kubelet."""


@dataclass(slots=True, kw_only=True)
class Node:
    """The node as its Pods see it; `folder` is its disk, `image` has our code."""

    host: NodeHost
    lab: str
    folder: Path
    image: Path
    api: Api
    probe_scale: float

    @property
    def namespace(self) -> Namespace:
        return Namespace(f"fl-{self.lab}-{self.host.name}")

    @property
    def addresses(self) -> tuple[str, str]:
        return str(self.host.address), str(self.host.address6)


class PodWorker:
    """Brings one Pod up, keeps it, and takes it away; `number` makes its addresses."""

    def __init__(self, node: Node, pod: Pod, spec: PodSpec, number: int) -> None:
        self.pod, self.number = pod, number
        self._node, self._spec = node, spec
        self._changed, self._deleted = asyncio.Event(), asyncio.Event()
        self._begun = str(pod.status.get("startTime") or now())
        self._has_vanished = False
        self.observe(pod)
        self._folder = node.folder / "pods" / pod.uid
        own = (str(node.host.pods[number]), str(node.host.pods6[int(str(number), 16)]))
        addresses = node.addresses if spec.host_network else own
        self._identity = Identity(pod=pod, spec=spec, addresses=addresses, host_addresses=node.addresses)
        self._volumes = Volumes(api=node.api, identity=self._identity, folder=self._folder, host=node.folder / "root")
        self._inits = [self._runner(one, restarts=False) for one in spec.init_containers]
        self._mains = [self._runner(one, restarts=spec.restart_policy == "Always") for one in spec.containers]

    # ---- what the API server says

    def observe(self, pod: Pod) -> None:
        """The Pod as it is now; deleting it ends it, a status that others changed is put right."""
        self.pod = pod
        if pod.metadata.deletion_timestamp is not None:
            self._deleted.set()
        self._changed.set()

    def vanish(self) -> None:
        """It is gone from the API server: end it at once."""
        self._has_vanished = True
        self._deleted.set()

    async def run(self) -> None:
        """Until the Pod is gone."""
        async with asyncio.TaskGroup() as tasks:
            reporting = tasks.create_task(self._report())
            living = tasks.create_task(self._live())
            await self._deleted.wait()
            living.cancel()
            await asyncio.wait([living])
            await self._terminate()
            reporting.cancel()
        await self._finish()
        await asyncio.to_thread(self._clean)
        log.info("pod removed", pod=self.pod.title)

    # ---- life

    async def _live(self) -> None:
        if not self._spec.host_network:
            await asyncio.to_thread(self._connect)
        self._changed.set()
        await self._prepare_volumes()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._refresh())
            for runner in self._inits:
                running = tasks.create_task(runner.run())
                await (runner.started.wait() if runner.is_sidecar else running)
            mains = [tasks.create_task(runner.run()) for runner in self._mains]
            await asyncio.wait(mains)
            await self._stop_sidecars(time.monotonic() + self._spec.termination_grace_period_seconds)

    async def _prepare_volumes(self) -> None:
        while True:
            try:
                await self._volumes.prepare()
                return
            except (NotAllowed, Refused) as error:  # the Node authorizer learns of a Pod a moment later than we do
                log.warning("volumes are not ready", pod=self.pod.title, reason=str(error))
                await asyncio.sleep(0.5)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            await self._volumes.refresh()

    async def _terminate(self) -> None:
        metadata = self.pod.metadata
        given = metadata.deletion_grace_period_seconds
        grace = self._spec.termination_grace_period_seconds if given is None else given
        deadline = time.monotonic() + (0 if self._has_vanished else grace)
        log.info("pod ends", pod=self.pod.title, grace_s=grace, vanished=self._has_vanished)
        async with asyncio.TaskGroup() as tasks:
            for runner in [*self._mains, *(one for one in self._inits if not one.is_sidecar)]:
                tasks.create_task(runner.stop(deadline))
        await self._stop_sidecars(deadline)

    async def _stop_sidecars(self, deadline: float) -> None:
        for runner in reversed([one for one in self._inits if one.is_sidecar]):
            await runner.stop(max(deadline, time.monotonic() + SIDECAR_GRACE_S))

    async def _finish(self) -> None:
        """Tell the API server that it may forget the Pod."""
        if self._has_vanished:
            return
        with contextlib.suppress(Gone, Refused):
            await self._patch(self._status())
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.pod.uid}}
        with contextlib.suppress(Gone, Refused):
            await self._node.api.send("DELETE", self.pod.path, options)

    # ---- status

    async def _report(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            wanted = self._status()
            if not status.agrees(wanted, self.pod.status):
                try:
                    answer = await self._patch(wanted)
                    self.pod = _with_status(self.pod, answer["status"])
                except Gone:
                    continue  # the watch will tell
                except Refused as error:
                    log.warning("status refused", pod=self.pod.title, reason=str(error))
                    await asyncio.sleep(REFUSED_S)
                    self._changed.set()

    def _status(self) -> dict[str, object]:
        return status.compose(self._identity, self._inits, self._mains, self.pod.status, self._begun)

    async def _patch(self, wanted: Mapping[str, object]) -> dict[str, dict[str, object]]:
        body = {"metadata": {"uid": self.pod.uid}, "status": wanted}
        answer: dict[str, dict[str, object]] = await self._node.api.send(
            "PATCH", f"{self.pod.path}/status", body, MERGE
        )
        return answer

    # ---- parts

    def _runner(self, container: Container, *, restarts: bool) -> Runner:
        setting = Setting(
            address=self._identity.addresses[0],
            probe_scale=self._node.probe_scale,
            grace_s=self._spec.termination_grace_period_seconds,
            restarts=restarts,
            recipe=self._recipe,
            changed=self._changed.set,
            pid_file=self._folder / f"{container.name}.pid",
        )
        return Runner(container=container, setting=setting, restart_count=self._restarts_before(container.name))

    def _restarts_before(self, name: str) -> int:
        """A container that an earlier kubelet had started is started again."""
        for key in ("containerStatuses", "initContainerStatuses"):
            for one in cast("Sequence[Mapping[str, Any]]", self.pod.status.get(key, [])):
                if one["name"] == name and "running" in one["state"]:
                    return int(one["restartCount"]) + 1
        return 0

    async def _recipe(self, container: Container) -> Recipe:
        image = images.find(container.image)
        if image is None:
            raise NotAllowed(f"image {container.image} is none that this cluster has; see images.py")
        variables = await environment.resolve(self._node.api, self._identity, container, image)
        self._folder.mkdir(parents=True, exist_ok=True)
        root = self._node.folder / "empty"
        root.mkdir(exist_ok=True)
        return Recipe(
            network=self._network.path,
            root=root,
            image=self._node.image,
            mounts=self._volumes.mounts(container),
            read_only=container.security_context.read_only_root_filesystem,
            hostname=self._identity.hostname,
            working_folder=container.working_dir,
            privileges=privileges.command(self._spec, container),
            environment=variables,
            command=environment.command(container, image, variables),
            log=self._log(container.name),
        )

    def _log(self, container: str) -> Path:
        metadata = self.pod.metadata
        return self._node.folder / "logs" / f"{metadata.namespace}_{metadata.name}_{container}.log"

    @property
    def _network(self) -> Namespace:
        if self._spec.host_network:
            return self._node.namespace
        return Namespace(f"{self._node.namespace.name}-pod-{self.pod.uid[:8]}")

    def _connect(self) -> None:
        self._disconnect()  # of the time before the node was killed
        namespace = Namespace.create(self._network.name)
        name, host = self._cable, self._node.host
        address, address6 = host.pods[self.number], host.pods6[int(str(self.number), 16)]
        machines = {host.name: self._node.namespace, name: namespace}
        network.add_endpoint(machines, EndpointHost(name, host, address, address6))

    def _disconnect(self) -> None:
        """Pull the cable, which is gone at once then; the kernel takes its time with a namespace."""
        port = f"to-{self._cable}"
        with contextlib.suppress(FileNotFoundError):
            namespaces.remove_link(self._node.namespace, port)
        self._network.remove()

    @property
    def _cable(self) -> str:
        return self.pod.uid[:8]

    def _clean(self) -> None:
        if not self._spec.host_network:
            self._disconnect()
        shutil.rmtree(self._folder, ignore_errors=True)


def _with_status(pod: Pod, found: dict[str, object]) -> Pod:
    return Pod(metadata=pod.metadata, spec=pod.spec, status=found)
