"""A controller over real folders: what it says on Services about layer 2, and what it leaves alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.decide.allocated import ALLOCATED
from orchestrator.decide.announced import ANNOUNCED
from orchestrator.observe.http import Readiness
from orchestrator.observe.metrics import CONTROLLER_METRICS, Metrics
from orchestrator.resources.core import Service
from orchestrator.resources.extensions import AddressConflict, SpeakerInterface, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import Condition, ObjectKey, ObjectMeta, ObjectRef
from orchestrator.resources.metallb import ServiceL2Status, ServiceL2StatusStatus
from orchestrator.resources.parse import ParsedObject
from orchestrator.runtime.controller import LATE, UNREAD, Controller
from orchestrator.runtime.controller_term import Outlets
from orchestrator.runtime.feed import Feed, Stop
from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from orchestrator.runtime.leading import AlwaysLeading
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import ControllerSettings, Folders
from orchestrator.sources.manifests.files import read_file
from orchestrator.sources.manifests.folder import ManifestsSource
from orchestrator.sources.manifests.state import ManifestsSink, StateFolder
from tests.support.responders import eventually

NAMESPACE = "metallb-system"
MANIFESTS = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan}
spec: {addresses: [192.0.2.10-192.0.2.20]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan}
spec: {ipAddressPools: [lan]}
---
apiVersion: v1
kind: Node
metadata: {name: a}
---
apiVersion: v1
kind: Node
metadata: {name: b}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""
WEB = ObjectKey("default", "web")
VIP = "192.0.2.10"
ALWAYS = {ALLOCATED, ANNOUNCED}
FOREIGN = Condition(type="example.com/Ready", status="True", reason="Fine", last_transition_time="2026-01-01T00:00:00Z")


@dataclass
class Running:
    sink: ManifestsSink
    state: Path

    def service(self) -> Service | None:
        file = StateFolder(self.state).file(ObjectRef("Service", *WEB))
        contents = read_file(file, str(file), NAMESPACE)
        parts = contents.objects if contents is not None else ()
        found = [part.outcome.obj for part in parts if isinstance(part.outcome, ParsedObject)]
        return next((each for each in found if isinstance(each, Service)), None)

    def said(self) -> dict[str, str]:
        """Reasons by type of condition, of those that are there only sometimes."""
        service = self.service()
        found = service.status.conditions if service is not None else ()
        return {each.type: each.reason for each in found if each.type not in ALWAYS}

    async def speaks(self, node: str, prefix: str, *conflicts: AddressConflict) -> None:
        spec = SpeakerStateSpec(
            node=node, interfaces=(SpeakerInterface(name="eth0", prefixes=(prefix,)),), conflicts=conflicts
        )
        await self.sink.write(SpeakerState(metadata=ObjectMeta(name=node, namespace=NAMESPACE), spec=spec))

    async def owns(self, node: str) -> ObjectRef:
        status = ServiceL2StatusStatus(node=node, service_name=WEB.name, service_namespace=WEB.namespace)
        metadata = ObjectMeta(name=f"l2-{node}", namespace=NAMESPACE)
        await self.sink.write(ServiceL2Status(metadata=metadata, status=status))
        return ObjectRef("ServiceL2Status", NAMESPACE, metadata.name)

    async def until(self, condition: Callable[[], bool]) -> None:
        await eventually(condition)


@asynccontextmanager
async def controller(folder: Path) -> AsyncIterator[Running]:
    """A controller over `folder`; it ends with the block, whatever it wrote stays."""
    source, state = folder / "manifests", folder / "state"
    source.mkdir(exist_ok=True)
    (source / "all.yaml").write_text(MANIFESTS)
    settings = ControllerSettings(origin=Folders(source=source, state=state), metrics_port=0, health_port=0)
    sink = ManifestsSink(state)
    feed = Feed()
    standing = AlwaysLeading(feed)
    outlets = Outlets(sink=sink, metrics=Metrics(CONTROLLER_METRICS), may_write=standing.may_write)
    store = ObjectStore(NAMESPACE, CONFIG_MAP_NAME)
    process = Controller(settings, store, outlets, standing, Readiness("first list"))
    async with asyncio.TaskGroup() as tasks:
        pump = tasks.create_task(feed.pump(ManifestsSource(source, state, NAMESPACE, unread=UNREAD, late=LATE)))
        loop = tasks.create_task(process.loop())
        running = Running(sink, state)
        await running.until(lambda: running.service() is not None)
        yield running
        feed.put(Stop())
        await loop
        pump.cancel()


async def test_node_off_link_is_said_until_it_is_on_link(tmp_path: Path) -> None:
    async with controller(tmp_path) as running:
        await running.speaks("a", "192.0.2.1/24")
        await running.speaks("b", "198.51.100.1/24")
        await running.until(lambda: running.said() == {"ferrule.io/OnLink": "SomeNodesOffLink"})
        owner = await running.owns("b")
        await running.until(lambda: running.said() == {"ferrule.io/OnLink": "OwnerOffLink"})
        await running.sink.delete(owner)
        await running.until(lambda: running.said() == {"ferrule.io/OnLink": "SomeNodesOffLink"})
        await running.speaks("b", "192.0.2.2/24")
        await running.until(lambda: running.said() == {})


async def test_conflict_is_said_while_a_speaker_sees_it(tmp_path: Path) -> None:
    conflict = AddressConflict(address=VIP, mac="02:00:00:00:00:99", interface="eth0")
    async with controller(tmp_path) as running:
        await running.speaks("a", "192.0.2.1/24", conflict)
        await running.until(lambda: running.said() == {"ferrule.io/AddressConflict": "ForeignOwner"})
        await running.speaks("a", "192.0.2.1/24", msgspec.structs.replace(conflict, action="refused"))
        await running.until(lambda: running.said() == {"ferrule.io/AddressConflict": "DuplicateAddress"})
        await running.speaks("a", "192.0.2.1/24")
        await running.until(lambda: running.said() == {})


async def test_address_and_foreign_conditions_stay_and_restart_changes_nothing(tmp_path: Path) -> None:
    conflict = AddressConflict(address=VIP, mac="02:00:00:00:00:99", interface="eth0")
    async with controller(tmp_path) as running:
        before = running.service()
        assert before is not None
        status = msgspec.structs.replace(before.status, conditions=(FOREIGN,))
        await running.sink.write_service_status(WEB, status, {})
        await running.speaks("a", "192.0.2.1/24", conflict)
        await running.until(lambda: len(running.said()) == 2)
        after = running.service()
        assert after is not None
        assert after.status.load_balancer == before.status.load_balancer
        assert after.status.conditions[0] == FOREIGN
        assert after.metadata.annotations == before.metadata.annotations
    async with controller(tmp_path) as running:
        await running.speaks("a", "192.0.2.1/24", conflict, msgspec.structs.replace(conflict, address="192.0.2.99"))
        await running.speaks("b", "198.51.100.1/24", conflict)
        await running.until(lambda: "ferrule.io/OnLink" in running.said())
        again = running.service()
        assert again is not None
        kept, since = (
            {each.type: each.last_transition_time for each in found.status.conditions} for found in (again, after)
        )
        assert kept["ferrule.io/AddressConflict"] == since["ferrule.io/AddressConflict"]
