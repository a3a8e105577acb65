"""What a lab leaves on the machine, written down before it is made, so that any later run can take all of it away.

Everything is in network namespaces (bridges and cables go with them, processes are found by membership) or in the
lab's folder under /run/ferrule-lab. A run that is killed between two steps has recorded more than there is, never less.
"""

import contextlib
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.errors import StartupError
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from orchestrator.settings import RunFolder
from orchestrator.supervise.process import Identity, start_time

ROOT = Path("/run/ferrule-lab")
CRASH_LOGS = Path("/var/tmp/frr")  # noqa: S108 - FRR's choice: a folder <daemon>.<pid> stays when a daemon is killed
NAME_LIMIT = 20
"""Unix socket paths end at 108 bytes; the longest is ROOT/<name>/run/node-a/supervisor.sock."""


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A process that the lab itself started, on which machine, and the file with its output."""

    identity: Identity
    machine: str
    log: str

    @property
    def is_running(self) -> bool:
        return start_time(self.identity.pid) == self.identity.start_time


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`machines` exist or are about to; `processes` were started (some may have ended)."""

    machines: tuple[str, ...] = ()
    processes: tuple[Started, ...] = ()


@dataclass(frozen=True, slots=True)
class LabFolder:
    """All files of one lab."""

    path: Path

    @classmethod
    def of(cls, name: str) -> "LabFolder":
        """Raises StartupError if `name` cannot be part of file and namespace names."""
        if not (name.isascii() and name.replace("-", "").isalnum() and len(name) <= NAME_LIMIT):
            raise StartupError(f'"{name}": a lab\'s name has at most {NAME_LIMIT} letters, digits and hyphens')
        return cls(ROOT / name)

    @property
    def record(self) -> Path:
        return self.path / "lab.json"

    @property
    def manifests(self) -> Path:
        """What the controller and the speakers read."""
        return self.path / "manifests"

    @property
    def state(self) -> Path:
        """Where they write statuses."""
        return self.path / "state"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def router(self) -> RunFolder:
        return RunFolder(self.path / "router")

    @property
    def vtysh(self) -> Path:
        """An empty vtysh configuration, for `vtysh --config_dir`."""
        return self.path / "vtysh"

    def run(self, node: str) -> RunFolder:
        return RunFolder(self.path / "run" / node)


def namespace_name(lab: str, machine: str) -> str:
    """Return the name in /run/netns."""
    return f"fl-{lab}-{machine}"


def read(folder: LabFolder) -> Record:
    """What was recorded; empty if there is no such lab."""
    try:
        return msgspec.json.decode(folder.record.read_bytes(), type=Record)
    except FileNotFoundError:
        return Record()


def write(folder: LabFolder, record: Record) -> None:
    """Replace the record, whole."""
    folder.path.mkdir(parents=True, exist_ok=True)
    partial = folder.record.with_suffix(".new")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1))
    partial.replace(folder.record)


def names() -> list[str]:
    """Return the names of all labs that have left something, sorted."""
    return sorted(path.name for path in ROOT.iterdir()) if ROOT.is_dir() else []


def clear(lab: str) -> None:
    """Remove every process, namespace and file of the lab; nothing there is fine."""
    folder = LabFolder.of(lab)
    for machine in read(folder).machines:
        namespace = Namespace(namespace_name(lab, machine))
        kill_processes(namespace)
        namespace.remove()
    shutil.rmtree(folder.path, ignore_errors=True)
    with contextlib.suppress(OSError):
        ROOT.rmdir()


def kill_processes(namespace: Namespace) -> None:
    """SIGKILL everything on a machine, and remove what FRR's daemons leave then."""
    pids = namespaces.members(namespace)
    namespaces.kill_members(namespace)
    for path in (path for pid in pids for path in CRASH_LOGS.glob(f"*.{pid}")):
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def exclusive(lab: str) -> Iterator[None]:
    """Hold the lab's name; raises StartupError if another process has it. An abstract socket leaves no file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        try:
            lock.bind(f"\0ferrule-lab/{lab}")
        except OSError as error:
            raise StartupError(f"lab {lab} is in use by another process; wait for its end or use --name") from error
        yield
