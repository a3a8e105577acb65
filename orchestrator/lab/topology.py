"""A lab: the network, the files, and the processes started so far. Made by `up`, found again by name, removed by `clear`.

The lab writes each machine and process into its record (see `record`) before or as it comes to be; the objects that
the controller and speakers read are plain YAML files that `drop` puts into the manifests folder.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import msgspec

from orchestrator.errors import StartupError
from orchestrator.lab import layout, network, record
from orchestrator.lab.layout import EndpointHost
from orchestrator.lab.namespaces import Namespace
from orchestrator.lab.record import LabFolder, Record, Started, namespace_name
from orchestrator.supervise.process import Identity, start_time

FRR_GROUP = "frr"
RUN_FOLDER_MODE = 0o2770


class Lab:
    """One lab by name; `machines` maps names of `layout` to their namespaces."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = LabFolder.of(name)
        self.machines: dict[str, Namespace] = {}
        self._record = Record()

    @classmethod
    def up(cls, name: str) -> "Lab":
        """Build network and files from nothing; whatever an earlier lab of this name left is removed first."""
        require_root()
        record.clear(name)
        lab = cls(name)
        lab._make_folders()
        endpoints = [node.endpoint for node in layout.NODES]
        lab._add_machines([*layout.MACHINES, *(endpoint.name for endpoint in endpoints)])
        network.build(lab.machines)
        for endpoint in endpoints:
            network.add_endpoint(lab.machines, endpoint)
        return lab

    @classmethod
    def find(cls, name: str) -> "Lab":
        """A lab that is up. Raises StartupError if there is none of that name."""
        require_root()
        lab = cls(name)
        lab._record = record.read(lab.folder)
        if not lab._record.machines:
            raise StartupError(f'there is no lab "{name}"; start it with `ferrule lab up --name {name}`')
        lab.machines = {machine: Namespace(namespace_name(name, machine)) for machine in lab._record.machines}
        return lab

    def down(self) -> None:
        """Take everything away; the lab may have been made by another process."""
        record.clear(self.name)
        for namespace in self.machines.values():
            namespace.remove()  # fetches the status of those processes that were ours

    @property
    def processes(self) -> tuple[Started, ...]:
        """What was started, in order, running or not."""
        return self._record.processes

    def add_endpoint(self, endpoint: EndpointHost) -> None:
        """One more endpoint machine behind a node."""
        self._add_machines([endpoint.name])
        network.add_endpoint(self.machines, endpoint)

    def start(self, name: str, machine: str, argv: Sequence[str]) -> subprocess.Popen[str]:
        """Start a process on a machine; its output goes to logs/<name>.log."""
        path = self.folder.logs / f"{name}.log"
        with path.open("a") as log:
            child = self.machines[machine].popen(argv, stdout=log, stderr=subprocess.STDOUT)
        identity = Identity(name=name, pid=child.pid, start_time=start_time(child.pid) or 0)
        started = Started(identity=identity, machine=machine, log=str(path))
        self._write(msgspec.structs.replace(self._record, processes=(*self._record.processes, started)))
        return child

    def drop(self, manifest: str) -> Path:
        """Put one of the lab's manifests ("services.yaml", "later/broken-peer.yaml") into the folder, atomically."""
        text = (manifest_folder() / manifest).read_text()
        return self.write_manifest(Path(manifest).name, text)

    def write_manifest(self, name: str, text: str) -> Path:
        """Create or replace a file of the manifests folder, atomically."""
        path = self.folder.manifests / name
        partial = self.folder.path / f"{name}.new"
        partial.write_text(text)
        return partial.replace(path)

    def _make_folders(self) -> None:
        self._write(Record())
        for path in (self.folder.manifests, self.folder.state, self.folder.logs, self.folder.vtysh):
            path.mkdir()
        (self.folder.vtysh / "vtysh.conf").touch()
        for run in (self.folder.router, *(self.folder.run(node.name) for node in layout.NODES)):
            run.path.mkdir(parents=True)
            shutil.chown(run.path, group=FRR_GROUP)
            run.path.chmod(RUN_FOLDER_MODE)

    def _add_machines(self, names: Sequence[str]) -> None:
        self._write(msgspec.structs.replace(self._record, machines=(*self._record.machines, *names)))
        for name in names:
            self.machines[name] = Namespace.create(namespace_name(self.name, name))

    def _write(self, changed: Record) -> None:
        record.write(self.folder, changed)
        self._record = changed


def require_root() -> None:
    """Raises StartupError for other users."""
    if os.geteuid() != 0:
        raise StartupError("the lab makes network namespaces: run it as root")


def manifest_folder() -> Path:
    """Where the lab's manifests are shipped."""
    return Path(str(resources.files("orchestrator.lab"))) / "manifests"


def initial_manifests() -> list[str]:
    """Names of the manifests that are there from the start, sorted."""
    return sorted(path.name for path in manifest_folder().glob("*.yaml"))
