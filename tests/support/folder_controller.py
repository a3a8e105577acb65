"""A controller over folders, in this process: what a person puts into one, and finds in the other."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import CONTROLLER_METRICS, Metrics
from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.meta import ObjectRef
from orchestrator.runtime.controller import LATE, UNREAD, Controller
from orchestrator.runtime.controller_term import Outlets
from orchestrator.runtime.feed import Feed, Stop
from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from orchestrator.runtime.leading import AlwaysLeading
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import ControllerSettings, Folders
from orchestrator.sources.manifests.folder import ManifestsSource
from orchestrator.sources.manifests.state import ManifestsSink, StateFolder
from tests.support.responders import eventually

NAMESPACE, APPS = "metallb-system", "shop"


@dataclass(frozen=True)
class Desk:
    """A person with a folder of manifests: objects of ours are in NAMESPACE, Services in APPS."""

    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "manifests"

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.folder / "state")

    @property
    def origin(self) -> Folders:
        self.source.mkdir(exist_ok=True)
        return Folders(source=self.source, state=self.state.path)

    # What the person does -------------------------------------------------------------------------------------------

    def apply(self, kind: str, name: str, spec: Mapping[str, object], **metadata: object) -> None:
        """Create or replace an object."""
        namespace = APPS if kind == "Service" else NAMESPACE
        body = {
            "apiVersion": BY_NAME[kind].api_version,
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace, **metadata},
            "spec": dict(spec),
        }
        self.source.mkdir(exist_ok=True)
        file = self._file(kind, name)
        draft = file.with_suffix(".draft")
        draft.write_text(yaml.safe_dump(body))
        draft.rename(file)

    def service(self, name: str, annotations: Mapping[str, str] | None = None, **spec: object) -> None:
        """Create or replace a Service of type LoadBalancer."""
        body = {"type": "LoadBalancer", "ports": [{"port": 80}], **spec}
        self.apply("Service", name, body, annotations=dict(annotations or {}))

    def pool(self, name: str, *addresses: str, **spec: object) -> None:
        self.apply("IPAddressPool", name, {"addresses": list(addresses), **spec})

    def remove(self, kind: str, name: str) -> None:
        self._file(kind, name).unlink()

    def _file(self, kind: str, name: str) -> Path:
        return self.source / f"{kind}-{name}.yaml"

    # What the person sees -------------------------------------------------------------------------------------------

    def status(self, kind: str, name: str) -> dict[str, Any]:
        """The status as the state folder has it; empty if there is none."""
        namespace = APPS if kind == "Service" else NAMESPACE
        path = self.state.file(ObjectRef(kind, namespace, name))
        try:
            document = yaml.safe_load(path.read_text())
        except FileNotFoundError:
            document = {}
        status: dict[str, Any] = document.get("status", {})
        return status

    def address(self, name: str) -> str:
        """The first address of a Service; empty if it has none."""
        entries = self.status("Service", name).get("loadBalancer", {}).get("ingress", [])
        return entries[0]["ip"] if entries else ""

    def told(self, name: str) -> str:
        """The texts of all events on a Service."""
        files = sorted((self.state.events / APPS).glob(f"{name}.*.yaml"))
        return "\n".join(str(yaml.safe_load(file.read_text())["note"]) for file in files)

    async def gets(self, name: str) -> str:
        """Wait for a Service's address."""
        await eventually(lambda: bool(self.address(name)))
        return self.address(name)

    async def loses(self, name: str) -> None:
        """Remove a Service, and wait until the controller knows."""
        self.remove("Service", name)
        await eventually(lambda: not self.status("Service", name))

    async def is_told(self, name: str, *words: str) -> None:
        """Wait for events on a Service with these words."""
        await eventually(lambda: all(word in self.told(name) for word in words))


@asynccontextmanager
async def controller(desk: Desk, *, cool_down_s: float = 60.0, sticky_s: float = 0.0) -> AsyncIterator[Metrics]:
    """A controller; it ends in good order with the block, whatever it wrote stays. Gives its metrics."""
    chosen = ControllerSettings(
        origin=desk.origin, metrics_port=0, health_port=0, cool_down_s=cool_down_s, sticky_s=sticky_s
    )
    feed, metrics = Feed(), Metrics(CONTROLLER_METRICS)
    standing = AlwaysLeading(feed)
    outlets = Outlets(sink=ManifestsSink(desk.state.path), metrics=metrics, may_write=standing.may_write)
    store = ObjectStore(NAMESPACE, CONFIG_MAP_NAME)
    process = Controller(chosen, store, outlets, standing, Readiness("first list"))
    source = ManifestsSource(desk.source, desk.state.path, NAMESPACE, unread=UNREAD, late=LATE)
    desk.state.path.mkdir(exist_ok=True)
    async with asyncio.TaskGroup() as tasks:
        pump = tasks.create_task(feed.pump(source))
        loop = tasks.create_task(process.loop())
        yield metrics
        feed.put(Stop())
        await loop
        pump.cancel()
