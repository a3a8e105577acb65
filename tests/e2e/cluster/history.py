"""Every version of some objects that the API server told of while a scenario ran: what lies between two looks, too."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.e2e.cluster.waiting import eventually
from tests.support import binaries
from tests.support.plane import Plane


@dataclass(frozen=True, slots=True)
class Version:
    """`event` is ADDED, MODIFIED or DELETED; `obj` is the object as it was then."""

    event: str
    obj: Any

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    @property
    def uid(self) -> str:
        return str(self.obj["metadata"]["uid"])


class History:
    """Use as a context manager: it begins with the objects that are there, and ends with the block."""

    def __init__(self, plane: Plane, folder: Path, path: str) -> None:
        self._plane, self._path = plane, path
        self._file = folder / f"history-{path.strip('/').replace('/', '-')}.json"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = [str(binaries.path("kubectl")), "--kubeconfig", str(self._plane.kubeconfig())]
        command = ["setpriv", "--pdeathsig", "KILL", *command, "get", "--raw", f"{self._path}?watch=1"]
        with self._file.open("w") as file:
            self._process = self._plane.namespace.popen(command, stdout=file, stderr=subprocess.DEVNULL)
        eventually(lambda: self._file.stat().st_size > 0, f"first versions of {self._path}")
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    @property
    def is_complete(self) -> bool:
        """Whether nothing was missed so far: the watch has not ended."""
        return self._process is not None and self._process.poll() is None

    def versions(self) -> Iterator[Version]:
        """In the order in which they came."""
        with self._file.open() as file:
            for line in file:
                if line.endswith("\n"):
                    event = json.loads(line)
                    yield Version(str(event["type"]), event["object"])

    def of(self, name: str) -> list[Version]:
        """The versions of the objects of one name."""
        return [version for version in self.versions() if version.name == name]
