"""The kubelet of one node: `python -m tests.e2e.cluster.kubelet --node node-a ...` in the node's network namespace.

It keeps the node's Lease and Ready condition, and for each Pod bound to the node a worker that runs it. It is killed
with everything that it started; a new one finds the Pods in the API server and starts them again, as after a reboot.
"""

import argparse
import asyncio
import contextlib
import itertools
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from orchestrator.lab import layout
from orchestrator.observe import logs
from tests.e2e.cluster.kubelet import status
from tests.e2e.cluster.kubelet.api import MERGE, Api, Changed, Everything, Gone, Refused, Removed
from tests.e2e.cluster.kubelet.pod import Node, PodWorker
from tests.e2e.cluster.kubelet.runner import now
from tests.e2e.cluster.kubelet.spec import Pod

log = structlog.get_logger()

HEARTBEAT_S = 1.0
POD_NUMBERS = range(20, 100)
"""Last parts of Pods' addresses."""
CAPACITY = {"cpu": "8", "memory": "16Gi", "pods": "110"}


class Kubelet:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._workers: dict[str, PodWorker] = {}
        self._refused: set[str] = set()
        self._numbers = itertools.cycle(POD_NUMBERS)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_lease())
            tasks.create_task(self._keep_ready())
            async for seen in self._node.api.pods(self._node.host.name):
                match seen:
                    case Everything(pods=pods):
                        self._forget_all_but({pod.uid for pod in pods})
                        for pod in pods:
                            await self._observe(pod, tasks)
                    case Changed(pod=pod):
                        await self._observe(pod, tasks)
                    case Removed(pod=pod):
                        self._forget(pod.uid)

    async def _observe(self, pod: Pod, tasks: asyncio.TaskGroup) -> None:
        if worker := self._workers.get(pod.uid):
            worker.observe(pod)
        elif pod.uid in self._refused or pod.status.get("phase") in ("Succeeded", "Failed"):
            if pod.metadata.deletion_timestamp is not None:
                await self._let_go(pod)
        else:
            await self._begin(pod, tasks)

    async def _begin(self, pod: Pod, tasks: asyncio.TaskGroup) -> None:
        try:
            spec = pod.decode_spec()
        except msgspec.ValidationError as error:
            log.error("pod refused", pod=pod.title, reason=str(error))
            self._refused.add(pod.uid)
            body = {"status": status.failed("NotSupportedByTestKubelet", str(error))}
            with contextlib.suppress(Gone, Refused):
                await self._node.api.send("PATCH", f"{pod.path}/status", body, MERGE)
            return
        worker = self._workers[pod.uid] = PodWorker(self._node, pod, spec, self._free_number())
        log.info("pod begins", pod=pod.title)
        tasks.create_task(self._work(worker))

    def _free_number(self) -> int:
        """Round and round: an address is not given again at once."""
        taken = {worker.number for worker in self._workers.values()}
        while (number := next(self._numbers)) in taken:
            pass
        return number

    async def _work(self, worker: PodWorker) -> None:
        await worker.run()
        del self._workers[worker.pod.uid]

    async def _let_go(self, pod: Pod) -> None:
        """A Pod that never ran here or has ended needs no more than the last word."""
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
        with contextlib.suppress(Gone, Refused):
            await self._node.api.send("DELETE", pod.path, options)

    def _forget(self, uid: str) -> None:
        if worker := self._workers.get(uid):
            worker.vanish()

    def _forget_all_but(self, uids: set[str]) -> None:
        for uid in self._workers.keys() - uids:
            self._forget(uid)

    async def _keep_lease(self) -> None:
        """Renew the node's Lease, which the controllers take for its life."""
        name = self._node.host.name
        leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        while True:
            renewed = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": renewed}
            try:
                await self._node.api.send("PATCH", f"{leases}/{name}", {"spec": spec}, MERGE)
            except Gone:
                with contextlib.suppress(Gone, Refused):  # next time
                    await self._node.api.send("POST", leases, {"metadata": {"name": name}, "spec": spec})
            except Refused as error:
                log.warning("lease refused", reason=str(error))
            await asyncio.sleep(HEARTBEAT_S)

    async def _keep_ready(self) -> None:
        """Write the node's status when it is not what it should be; it may be deleted and made again."""
        host = self._node.host
        path = f"/api/v1/nodes/{host.name}"
        while True:
            try:
                found = await self._node.api.send("GET", path)
                conditions = {one["type"]: one["status"] for one in found["status"].get("conditions", [])}
                if conditions.get("Ready") != "True":
                    await self._node.api.send("PATCH", f"{path}/status", {"status": _node_status(self._node)}, MERGE)
            except (Gone, Refused) as error:
                log.warning("node status refused", reason=str(error))
            await asyncio.sleep(HEARTBEAT_S)


def _node_status(node: Node) -> dict[str, object]:
    """Merge-patched: two addresses of one type are duplicate keys for server-side apply."""
    addresses = [{"type": "InternalIP", "address": address} for address in node.addresses]
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet of the test cluster"}
    return {
        "addresses": [*addresses, {"type": "Hostname", "address": node.host.name}],
        "capacity": CAPACITY,
        "allocatable": CAPACITY,
        "conditions": [{**ready, "lastHeartbeatTime": now(), "lastTransitionTime": now()}],
        "nodeInfo": {
            **dict.fromkeys(("machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "kubeProxyVersion"), ""),
            "containerRuntimeVersion": "processes://1",
            "kubeletVersion": "v1.34.4",
            "operatingSystem": "linux",
            "architecture": "amd64",
        },
    }


async def run(arguments: argparse.Namespace) -> None:
    async with Api(arguments.kubeconfig) as api:
        node = Node(
            host=layout.node(arguments.node),
            lab=arguments.lab,
            folder=arguments.folder,
            image=arguments.image,
            api=api,
            probe_scale=arguments.probe_scale,
        )
        for name in ("logs", "pods", "root"):
            (node.folder / name).mkdir(parents=True, exist_ok=True)
        await Kubelet(node).run()


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the Pods of a node of the test cluster as processes.")
    parser.add_argument("--node", required=True)
    parser.add_argument("--lab", required=True)
    parser.add_argument("--folder", required=True, type=Path, help="the node's disk")
    parser.add_argument("--image", required=True, type=Path, help="what images.build made")
    parser.add_argument("--kubeconfig", required=True, type=Path)
    parser.add_argument("--probe-scale", type=float, default=1.0)
    logs.configure("info")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
