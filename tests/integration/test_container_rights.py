"""Every container does its work with exactly the rights that the manifest gives it, and no more is given than needed.

The containers of deploy/manifests/ferrule.yaml run with their users, groups, capabilities and a read-only root, on a
node with a router; objects come from a folder of manifests, so that no API server is needed.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from orchestrator.lab.namespaces import Namespace
from orchestrator.settings import FRR_DAEMON_FOLDER
from tests.e2e.cluster.kubelet import privileges
from tests.e2e.cluster.kubelet.images import CHECKOUT
from tests.e2e.cluster.kubelet.rootfs import Mount, Root
from tests.e2e.cluster.kubelet.spec import Container, PodSpec
from tests.support.frr_versions import FrrVersion, binaries, debian_13, on_both_versions
from tests.support.image import write_names
from tests.support.supervise import DEADLINE_S, Node, Router, node_and_router, wait_until

pytestmark = pytest.mark.timeout(240)

MANIFEST = Path(__file__).parents[2] / "deploy" / "manifests" / "ferrule.yaml"
LAYER2_ADDRESS = "10.0.0.50"
OBJECTS = """\
{kind: Node, apiVersion: v1, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}}
---
{kind: Namespace, apiVersion: v1, metadata: {name: default}}
---
{kind: BFDProfile, apiVersion: metallb.io/v1beta1, metadata: {name: fast, namespace: metallb-system}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: router, namespace: metallb-system}
spec: {myASN: 65001, peerASN: 65100, peerAddress: 10.0.0.254, connectTime: 1s%s}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: routed, namespace: metallb-system}
spec: {addresses: [192.0.2.1/32]}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, namespace: metallb-system}
spec: {addresses: [10.0.0.50/32]}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: routed, namespace: metallb-system}
spec: {ipAddressPools: [routed]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan, namespace: metallb-system}
spec: {ipAddressPools: [lan]}
"""
SERVICE = """
---
apiVersion: v1
kind: Service
metadata: {name: %(pool)s, namespace: default, annotations: {metallb.io/address-pool: %(pool)s}}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %(pool)s-1, namespace: default, labels: {kubernetes.io/service-name: %(pool)s}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [{addresses: [10.244.0.1], nodeName: n1, conditions: {ready: true}}]
"""


def pod_of(workload: str) -> PodSpec:
    documents = yaml.safe_load_all(MANIFEST.read_text())
    (found,) = (
        each
        for each in documents
        if each["kind"] in ("Deployment", "DaemonSet") and each["metadata"]["name"] == workload
    )
    return msgspec.convert(found["spec"]["template"]["spec"], type=PodSpec)


def _without(found: Iterator[Container], capabilities: Sequence[str]) -> Container:
    (container,) = found
    context = container.security_context
    kept = tuple(name for name in context.capabilities.add if name not in capabilities)
    left = msgspec.structs.replace(context.capabilities, add=kept)
    return msgspec.structs.replace(container, security_context=msgspec.structs.replace(context, capabilities=left))


@dataclass
class Pod:
    """Containers in one network namespace; each emptyDir is a folder as kubelet makes it."""

    spec: PodSpec
    namespace: Namespace
    folder: Path
    extra: Mapping[str, Path]
    running: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def start(self, name: str, *flags: str, program: Sequence[str] = (), without: Sequence[str] = ()) -> None:
        """Start a container with more flags, or another `program` in its place; `without` some capabilities."""
        container = _without((one for one in self.containers if one.name == name), without)
        words = program or (*container.command, *container.args, *flags)
        root = Root(
            at=self.folder / f"root-{name}",
            image=CHECKOUT,
            mounts=self._mounts(container),
            read_only=container.security_context.read_only_root_filesystem,
            hostname="n1",
            working_folder="/",
            started_descriptor=9,
        )
        root.at.mkdir(exist_ok=True)
        command = [*privileges.command(self.spec, container), "--", "env", "METALLB_NODE_NAME=n1", *words]
        script = f"exec 9>/dev/null\n{root.script(command)}"
        unshare = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "bash", "-e", "-c"]
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        with (self.folder / f"{name}.log").open("a") as log:
            self.running[name] = self.namespace.popen([*unshare, script], stdout=log, stderr=log, env=environment)

    @property
    def containers(self) -> tuple[Container, ...]:
        return (*self.spec.init_containers, *self.spec.containers)

    def _mounts(self, container: Container) -> list[Mount]:
        folders = {volume.name: self._empty_dir(volume.name) for volume in self.spec.volumes if volume.empty_dir}
        mounts = [
            Mount(source=folders[mount.name], target=mount.mount_path, read_only=False)
            for mount in container.volume_mounts
            if mount.name in folders
        ]
        names = write_names(self.folder / "etc")
        mounts += [Mount(source=source, target=target, read_only=True) for target, source in names.items()]
        return mounts + [Mount(source=path, target=target, read_only=False) for target, path in self.extra.items()]

    def _empty_dir(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            path.mkdir()
            os.chown(path, 0, self.spec.security_context.fs_group or 0)
            path.chmod(0o2777)
        return path

    def end(self, name: str) -> int:
        """SIGTERM to the container's first process; returns the exit status."""
        process = self.running.pop(name)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), 15)
        return process.wait(timeout=DEADLINE_S)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def page(self, port: int, path: str) -> str:
        """A page of a process inside; empty while there is none."""

        def read() -> str:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                    return str(answer.read().decode())
            except OSError:
                return ""

        return self.namespace.inside(read)


@dataclass
class Scene:
    """The speaker's pod, a controller's container beside it, and what they read."""

    node: Node
    router: Router
    speaker: Pod
    controller: Pod
    objects: Path

    def write(self, *, bfd: bool = False) -> None:
        services = "".join(SERVICE % {"pool": pool} for pool in ("routed", "lan"))
        (self.objects / "all.yaml").write_text(OBJECTS % (", bfdProfile: fast" if bfd else "") + services)

    def start(self, version: FrrVersion = FrrVersion.MACHINE) -> None:
        self.controller.start("controller", *FOLDERS, "--health-probe-port=17473", "--port=9119")
        self.speaker.start("frr", "--frr-bin", str(binaries(version)))
        self.speaker.start("speaker", *FOLDERS)

    def ready(self) -> set[str]:
        """The sidecar's processes that were ready once."""
        lines = [json.loads(line) for line in self.speaker.log("frr").splitlines() if line.endswith("}")]
        return {line["daemon"] for line in lines if line["event"] == "process ready"}

    def answers(self, router: Namespace) -> bool:
        asked = router.run(["arping", "-c", "1", "-w", "1", "-I", "eth0", LAYER2_ADDRESS], check=False)
        return asked.returncode == 0


NEVER_USED = ("/etc/frr/", "/var/lib/frr")
"""Where FRR 10 looks for files and makes a folder, and does without."""

FOLDERS = ("--source=manifests:/objects", "--state=/state")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    tmp_path.chmod(0o755)
    for folder in (objects := tmp_path / "objects", state := tmp_path / "state"):
        folder.mkdir()
    state.chmod(0o777)
    extra = {"/objects": objects, "/state": state, str(debian_13()): debian_13()}
    with node_and_router() as (node, router):
        speaker, controller = (
            Pod(pod_of(name), node.namespace, tmp_path / name, extra) for name in ("speaker", "controller")
        )
        for pod in (speaker, controller):
            pod.folder.mkdir()
        yield Scene(node, router, speaker, controller, objects)
        for pod in (speaker, controller):
            for name in pod.running:
                print(name, pod.log(name), sep="\n")  # pytest shows it with a failure


def router_namespace(scene: Scene) -> Namespace:
    return Namespace(scene.node.namespace.name.replace("sv-n1-", "sv-r-"))


def test_bgp_and_arp_work_with_the_rights_of_the_manifest(scene: Scene) -> None:
    scene.write()
    scene.start()
    wait_until(scene.router.has_route, "route at the router")
    wait_until(lambda: scene.answers(router_namespace(scene)), "ARP is answered")
    wait_until(lambda: "responder: ok" in scene.speaker.page(17472, "/readyz"), "speaker ready")
    assert scene.speaker.end("speaker") == 0
    assert scene.speaker.end("frr") == 0
    assert "Traceback" not in "".join(scene.speaker.log(name) for name in ("speaker", "frr"))


@on_both_versions
def test_bfd_works_with_them_too(scene: Scene, version: FrrVersion) -> None:
    """It takes zebra and bfdd beside bgpd, and with FRR 10 mgmtd."""
    scene.write(bfd=True)
    scene.start(version)
    daemons = {"zebra", "bfdd", "bgpd", *(["mgmtd"] if version is FrrVersion.DEBIAN_13 else [])}
    wait_until(lambda: scene.ready() == {*daemons, "responder"}, "all daemons ready")
    refused = re.findall(r".*(?:ermission denied|Read-only).*", scene.speaker.log("frr"))
    assert [line for line in refused if not any(place in line for place in NEVER_USED)] == []
    assert scene.speaker.end("speaker") == 0
    assert scene.speaker.end("frr") == 0


def test_speaker_that_comes_back_finds_what_runs(scene: Scene) -> None:
    """Files of another user, in a folder of a common group: the new speaker replaces them."""
    scene.write()
    scene.start()
    wait_until(scene.router.has_route, "route at the router")
    assert scene.speaker.end("speaker") == 0
    scene.speaker.start("speaker", *FOLDERS)
    wait_until(lambda: "frr: ok" in scene.speaker.page(17472, "/readyz"), "speaker ready again")
    assert scene.router.has_route()


def test_without_raw_sockets_the_responder_says_what_is_missing(scene: Scene) -> None:
    scene.write()
    scene.speaker.start("frr", without=["NET_RAW"])
    wait_until(lambda: "CAP_NET_RAW" in scene.speaker.log("frr"), "complaint")
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in scene.speaker.log("frr").splitlines() if "CAP_NET_RAW" in line
    ]
    assert lines[0]["interface"] == "eth0"


@pytest.mark.parametrize("missing", ["NET_RAW", "NET_BIND_SERVICE", "NET_ADMIN", "SYS_ADMIN", "SETUID", "SETGID"])
def test_bgpd_starts_with_no_less(scene: Scene, missing: str) -> None:
    bgpd = (f"{FRR_DAEMON_FOLDER}/bgpd", "-u", "frr", "-g", "frr", "-Z", "-p", "0", "--vty_socket", "/run/ferrule")
    scene.speaker.start("frr", program=bgpd, without=[missing])
    assert scene.speaker.running.pop("frr").wait(timeout=DEADLINE_S) != 0
    assert "privs_init" in scene.speaker.log("frr")
