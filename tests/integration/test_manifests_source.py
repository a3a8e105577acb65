"""The watched folder against a real file system: every event comes from inotify, nothing waits by the clock."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from orchestrator.errors import StartupError
from orchestrator.resources import core, metallb
from orchestrator.resources.kinds import KubeObject, ref_of
from orchestrator.resources.meta import Condition, ObjectKey, ObjectMeta, ObjectRef
from orchestrator.resources.secret_text import SecretText
from orchestrator.sources.interface import (
    EventType,
    InputState,
    ObjectEvent,
    Removed,
    SourceEvent,
    Synced,
    Unusable,
    Upserted,
)
from orchestrator.sources.manifests.folder import ManifestsSource
from orchestrator.sources.manifests.state import ManifestsSink, StateFolder

DEADLINE_S = 20
NAMESPACE = "metallb-system"
WEB = ObjectRef("Service", "default", "web")
ALLOCATED_FROM = "metallb.io/ip-allocated-from-pool"


def service(name: str = "web", selector: str = "web") -> str:
    return f"""---
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  type: LoadBalancer
  selector: {{app: {selector}}}
"""


def pool(name: str, addresses: str = "192.0.2.0/24") -> str:
    return f"""---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: {name}}}
spec: {{addresses: [{addresses}]}}
"""


class Watcher:
    """What a consumer has been told."""

    def __init__(self, folder: Path, stream: AsyncIterator[Sequence[SourceEvent]]) -> None:
        self.folder = folder
        self.events: list[SourceEvent] = []
        self.input = InputState()
        self._stream = stream

    async def next(self) -> list[SourceEvent]:
        async with asyncio.timeout(DEADLINE_S):
            batch = list(await anext(self._stream))
        self.events.extend(batch)
        for event in batch:
            if isinstance(event, InputState):
                self.input = event
        return batch

    async def until(self, *wanted: SourceEvent) -> None:
        while not all(event in self.events for event in wanted):
            await self.next()

    async def settle(self) -> None:
        """Read on until all that has been written before this call has been seen."""
        marker = self.folder / "zz-marker.yaml"
        marker.write_text(pool("marker") + pool(f"marker-{os.urandom(4).hex()}"))
        await self.next_with("marker-")
        marker.unlink()
        while not any(isinstance(e, Removed) and e.ref.name == "marker" for e in self.events):
            await self.next()
        self.events = [event for event in self.events if "marker" not in str(ref_of_event(event))]

    async def next_with(self, name: str) -> None:
        while not any(isinstance(e, Upserted) and name in e.obj.metadata.name for e in await self.next()):
            continue

    def last(self, ref: ObjectRef) -> KubeObject | None:
        for event in reversed(self.events):
            if isinstance(event, Upserted) and ref_of_event(event) == ref:
                return event.obj
            if event == Removed(ref):
                return None
        return None

    def removals(self) -> list[ObjectRef]:
        return [event.ref for event in self.events if isinstance(event, Removed)]


def ref_of_event(event: SourceEvent) -> ObjectRef | None:
    match event:
        case Upserted(obj):
            return ObjectRef(type(obj).__name__, obj.metadata.namespace, obj.metadata.name)
        case Removed(ref) | Unusable(ref):
            return ref
        case _:
            return None


@asynccontextmanager
async def watching(tmp_path: Path, unread: Iterable[str] = (), late: Iterable[str] = ()) -> AsyncIterator[Watcher]:
    folder = tmp_path / "manifests"
    folder.mkdir(exist_ok=True)
    async with aclosing(ManifestsSource(folder, tmp_path / "state", NAMESPACE, unread, late).watch()) as stream:
        watcher = Watcher(folder, stream)
        await watcher.next()
        yield watcher


def app_of(obj: KubeObject | None) -> str:
    assert isinstance(obj, core.Service)
    return obj.spec.selector["app"]


async def test_first_list_ends_with_synced(tmp_path: Path) -> None:
    (tmp_path / "manifests" / "deep").mkdir(parents=True)
    (tmp_path / "manifests" / "deep" / "web.yml").write_text(service())
    (tmp_path / "manifests" / "pools.json").write_text(
        '{"apiVersion":"metallb.io/v1beta1","kind":"IPAddressPool","metadata":{"name":"a"},"spec":{"addresses":[]}}'
    )
    async with watching(tmp_path) as watcher:
        assert isinstance(watcher.events[-1], Synced)
        assert {ref_of_event(event) for event in watcher.events[:-1]} == {
            WEB,
            ObjectRef("IPAddressPool", NAMESPACE, "a"),
        }


async def test_missing_folder_is_a_startup_error(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="is not a folder"):
        await anext(ManifestsSource(tmp_path / "absent", tmp_path / "state", NAMESPACE).watch())


async def test_file_written_changed_and_deleted(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        file = watcher.folder / "web.yaml"
        file.write_text(service())
        await watcher.next()
        assert app_of(watcher.last(WEB)) == "web"
        file.write_text(service(selector="changed"))
        await watcher.next()
        assert app_of(watcher.last(WEB)) == "changed"
        file.unlink()
        assert await watcher.next() == [Removed(WEB)]


async def test_unchanged_objects_are_not_told_again(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        file = watcher.folder / "web.yaml"
        file.write_text(service() + service("other"))
        await watcher.next()
        file.write_text(service() + service("other", "changed"))
        batch = await watcher.next()
        assert [ref_of_event(event) for event in batch] == [ObjectRef("Service", "default", "other")]


async def test_rename_over_a_file_removes_nothing(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        file = watcher.folder / "web.yaml"
        file.write_text(service())
        await watcher.next()
        draft = watcher.folder / ".web.yaml.tmp"
        draft.write_text(service(selector="renamed"))
        draft.replace(file)
        await watcher.next()
        assert app_of(watcher.last(WEB)) == "renamed"
        assert watcher.removals() == []


async def test_editor_that_sets_the_file_aside_removes_nothing(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        file, backup = watcher.folder / "web.yaml", watcher.folder / "web.yaml~"
        file.write_text(service())
        await watcher.next()
        file.rename(backup)
        await watcher.next()
        assert "renamed to web.yaml~" in watcher.input.problems[0].message
        file.write_text(service(selector="edited"))
        await watcher.next()
        backup.unlink()
        await watcher.settle()
        assert app_of(watcher.last(WEB)) == "edited"
        assert watcher.input.problems == ()
        assert watcher.removals() == []


async def test_file_set_aside_for_good_is_removed_with_its_backup(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        file, backup = watcher.folder / "web.yaml", watcher.folder / "web.yaml~"
        file.write_text(service())
        await watcher.next()
        file.rename(backup)
        backup.unlink()
        await watcher.until(Removed(WEB))
        await watcher.settle()
        assert watcher.input.problems == ()


async def test_file_that_does_not_parse_keeps_its_objects(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        file = watcher.folder / "web.yaml"
        file.write_text(service())
        await watcher.next()
        file.write_text(service() + "spec: [")
        await watcher.next()
        (problem,) = watcher.input.problems
        assert problem.source.startswith(f"{file}:")
        assert "is not YAML" in problem.message
        assert not watcher.input.incomplete
        file.write_text(service(selector="whole"))
        await watcher.next()
        assert watcher.input.problems == ()
        assert app_of(watcher.last(WEB)) == "whole"
        assert watcher.removals() == []


async def test_file_that_never_parsed_makes_the_input_incomplete(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        (watcher.folder / "a.yaml").write_text("{")
        await watcher.next()
        assert watcher.input.incomplete
        (watcher.folder / "a.yaml").unlink()
        await watcher.next()
        assert watcher.input == InputState()


async def test_object_that_cannot_be_used_is_unusable_and_heals(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        file = watcher.folder / "pool.yaml"
        ref = ObjectRef("IPAddressPool", NAMESPACE, "a")
        file.write_text(pool("a", "1") + pool("b"))
        batch = await watcher.next()
        (unusable,) = [event for event in batch if isinstance(event, Unusable)]
        assert unusable.ref == ref
        assert unusable.problems[0].source == f"{file}:5"
        file.write_text(pool("a") + pool("b"))
        await watcher.next()
        assert watcher.last(ref) is not None


async def test_object_of_two_files_counts_where_it_was_first(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        first, second = watcher.folder / "z.yaml", watcher.folder / "a.yaml"
        first.write_text(service(selector="first"))
        await watcher.next()
        second.write_text(service(selector="second"))
        await watcher.next()
        (problem,) = watcher.input.problems
        assert problem.source == f"{second}:2"
        assert f"{first}:2" in problem.message
        assert app_of(watcher.last(WEB)) == "first"
        first.unlink()
        await watcher.next()
        assert app_of(watcher.last(WEB)) == "second"
        assert watcher.input.problems == ()
        assert watcher.removals() == []


async def test_object_moves_between_files_without_a_removal(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        (watcher.folder / "a.yaml").write_text(service())
        await watcher.next()
        (watcher.folder / "a.yaml").rename(watcher.folder / "b.yaml")
        await watcher.settle()
        assert watcher.removals() == []
        (watcher.folder / "b.yaml").unlink()
        assert await watcher.next() == [Removed(WEB)]


async def test_folders_appear_and_leave_with_their_files(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "inner" / "web.yaml").write_text(service())
    async with watching(tmp_path) as watcher:
        outside.rename(watcher.folder / "inside")
        await watcher.next()
        assert app_of(watcher.last(WEB)) == "web"
        (watcher.folder / "inside" / "inner" / "web.yaml").write_text(service(selector="watched"))
        await watcher.next()
        assert app_of(watcher.last(WEB)) == "watched"
        (watcher.folder / "inside").rename(watcher.folder / "moved")
        (watcher.folder / "moved" / "inner" / "web.yaml").write_text(service(selector="moved"))
        await watcher.settle()
        assert app_of(watcher.last(WEB)) == "moved"
        assert watcher.removals() == []
        (watcher.folder / "moved").rename(outside)
        await watcher.until(Removed(WEB))


async def test_folder_created_later_is_watched(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        (watcher.folder / "one" / "two").mkdir(parents=True)
        (watcher.folder / "one" / "two" / "web.yaml").write_text(service())
        while watcher.last(WEB) is None:
            await watcher.next()


async def test_root_that_vanishes_takes_nothing_away(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        (watcher.folder / "web.yaml").write_text(service())
        await watcher.next()
        watcher.folder.rename(tmp_path / "elsewhere")
        await watcher.next()
        assert "cannot be listed" in watcher.input.problems[0].message
        (tmp_path / "elsewhere").rename(watcher.folder)
        await watcher.next()
        assert watcher.input.problems == ()
        (watcher.folder / "web.yaml").write_text(service(selector="back"))
        await watcher.next()
        assert app_of(watcher.last(WEB)) == "back"
        assert watcher.removals() == []


async def test_drafts_and_hidden_files_are_not_read(tmp_path: Path) -> None:
    async with watching(tmp_path) as watcher:
        for name in (".web.yaml.swp", ".#web.yaml", "web.yaml~", "web.txt", ".hidden.yaml"):
            (watcher.folder / name).write_text(service())
        await watcher.settle()
        assert watcher.last(WEB) is None


async def test_swap_of_a_mounted_config_map_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    for version in ("old", "new"):
        (folder / f"..{version}").mkdir(parents=True)
        (folder / f"..{version}" / "web.yaml").write_text(service(selector=version))
    (folder / "..data").symlink_to("..old")
    (folder / "web.yaml").symlink_to("..data/web.yaml")
    async with watching(tmp_path) as watcher:
        assert app_of(watcher.last(WEB)) == "old"
        (folder / "..data_tmp").symlink_to("..new")
        (folder / "..data_tmp").rename(folder / "..data")
        await watcher.next()
        assert app_of(watcher.last(WEB)) == "new"


async def test_link_to_a_file_is_read_when_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yaml").write_text(service())
    async with watching(tmp_path) as watcher:
        (watcher.folder / "soft.yaml").symlink_to(tmp_path / "elsewhere.yaml")
        await watcher.next()
        assert app_of(watcher.last(WEB)) == "web"
        (tmp_path / "other.yaml").write_text(service("other"))
        (watcher.folder / "hard.yaml").hardlink_to(tmp_path / "other.yaml")
        await watcher.next()
        assert app_of(watcher.last(ObjectRef("Service", "default", "other"))) == "web"


async def test_pipe_is_reported_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    os.mkfifo(tmp_path / "manifests" / "pipe.yaml")
    async with watching(tmp_path) as watcher:
        assert "no regular file" in watcher.input.problems[0].message


async def test_overflow_of_the_queue_loses_nothing(tmp_path: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    async with watching(tmp_path) as watcher:
        (watcher.folder / "kept.yaml").write_text(service())
        await watcher.next()
        for number in range(limit + 10):  # two names in turn: the kernel merges equal events
            (watcher.folder / f"{number % 2}.txt").write_bytes(b"")
        (watcher.folder / "kept.yaml").write_text(service(selector="after"))
        while app_of(watcher.last(WEB)) != "after":
            await watcher.next()
        assert watcher.removals() == []


# --- state --------------------------------------------------------------------------------------------------------


def assigned(address: str) -> core.ServiceStatus:
    ingress = core.LoadBalancerIngress(ip=address)
    return core.ServiceStatus(load_balancer=core.LoadBalancerStatus(ingress=(ingress,)))


def web_of(watcher: Watcher) -> core.Service:
    obj = watcher.last(WEB)
    assert isinstance(obj, core.Service)
    return obj


async def test_status_that_is_written_comes_back_on_the_service(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path / "state")
    async with watching(tmp_path) as watcher:
        (watcher.folder / "web.yaml").write_text(service())
        await watcher.next()
        await sink.write_service_status(ObjectKey("default", "web"), assigned("192.0.2.1"), {ALLOCATED_FROM: "a"})
        await watcher.next()
        assert web_of(watcher).status == assigned("192.0.2.1")
        assert web_of(watcher).metadata.annotations == {ALLOCATED_FROM: "a"}
        assert web_of(watcher).spec.selector == {"app": "web"}
        await sink.write_service_status(ObjectKey("default", "web"), core.ServiceStatus(), {ALLOCATED_FROM: None})
        await watcher.next()
        assert web_of(watcher).status == core.ServiceStatus()
        assert web_of(watcher).metadata.annotations == {}
        await sink.delete(WEB)


async def test_annotation_of_a_command_is_added_to_the_node_and_taken_off_again(tmp_path: Path) -> None:
    node, sink = ObjectRef("Node", "", "a"), ManifestsSink(tmp_path / "state")
    async with watching(tmp_path) as watcher:

        def annotations() -> object:
            found = watcher.last(node)
            assert isinstance(found, core.Node)
            return found.metadata.annotations

        (watcher.folder / "a.yaml").write_text(
            "apiVersion: v1\nkind: Node\nmetadata:\n  name: a\n  annotations: {mine: kept}\n"
        )
        await watcher.next()
        await sink.annotate(node, {"ferrule.io/drain": "true"})
        await watcher.next()
        assert annotations() == {"mine": "kept", "ferrule.io/drain": "true"}
        await sink.annotate(node, {"ferrule.io/drain": None})
        await watcher.next()
        assert annotations() == {"mine": "kept"}
    assert not list((tmp_path / "state" / "nodes").iterdir())


async def test_state_wins_over_a_status_in_the_manifest(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path / "state")
    async with watching(tmp_path) as watcher:
        (watcher.folder / "web.yaml").write_text(
            f"{service().rstrip()}\nstatus: {{loadBalancer: {{ingress: [{{ip: 192.0.2.9}}]}}}}\n".replace(
                "  name: web\n", f"  name: web\n  annotations: {{{ALLOCATED_FROM}: old, mine: kept}}\n"
            )
        )
        await watcher.next()
        assert web_of(watcher).status == assigned("192.0.2.9")
        await sink.write_service_status(ObjectKey("default", "web"), core.ServiceStatus(), {})
        await watcher.next()
        assert web_of(watcher).status == core.ServiceStatus()
        assert web_of(watcher).metadata.annotations == {"mine": "kept"}


async def test_state_of_a_service_that_is_gone_is_no_object(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path / "state")
    await sink.write_service_status(ObjectKey("default", "web"), assigned("192.0.2.1"), {})
    async with watching(tmp_path) as watcher:
        assert watcher.events == [Synced()]
        (watcher.folder / "web.yaml").write_text(service())
        await watcher.next()
        assert web_of(watcher).status == assigned("192.0.2.1")


async def test_state_that_is_spoiled_by_hand_leaves_the_last_one_in_force(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path / "state")
    async with watching(tmp_path) as watcher:
        (watcher.folder / "web.yaml").write_text(service())
        await watcher.next()
        await sink.write_service_status(ObjectKey("default", "web"), assigned("192.0.2.1"), {})
        await watcher.next()
        file = tmp_path / "state" / "services" / "default" / "web.yaml"
        file.write_text(file.read_text() + "spec: {ports: 7}\n")
        await watcher.next()
        event = watcher.events[-1]
        assert isinstance(event, Upserted)
        assert [problem.field for problem in event.problems] == ["spec.ports"]
        assert web_of(watcher).status == assigned("192.0.2.1")


async def test_objects_of_ours_are_delivered_from_the_state(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path / "state")
    async with watching(tmp_path) as watcher:
        metadata = ObjectMeta(name="controller", namespace=NAMESPACE)
        ours = metallb.ConfigurationState(metadata=metadata, status=metallb.ConfigurationStateStatus(result="Valid"))
        await sink.write(ours)
        await watcher.next()
        ref = ObjectRef("ConfigurationState", NAMESPACE, "controller")
        assert watcher.last(ref) == ours
        await sink.delete(ref)
        assert await watcher.next() == [Removed(ref)]
        await sink.delete(ref)


async def test_states_of_unread_kinds_are_left_alone_and_listed_by_name(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path / "state")
    async with watching(tmp_path, unread=["ConfigurationState"]) as watcher:
        await sink.write(metallb.ConfigurationState(metadata=ObjectMeta(name="controller", namespace=NAMESPACE)))
        await watcher.settle()
        assert watcher.last(ObjectRef("ConfigurationState", NAMESPACE, "controller")) is None
        assert await sink.names("ConfigurationState", NAMESPACE) == {"controller"}


async def test_states_of_late_kinds_follow_the_first_list_with_what_changed_meanwhile(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path / "state")
    statuses = [
        metallb.ServiceL2Status(metadata=ObjectMeta(name=f"l2-{number}", namespace=NAMESPACE)) for number in range(60)
    ]
    for status in statuses:
        await sink.write(status)
    async with watching(tmp_path, late=["ServiceL2Status"]) as watcher:
        assert watcher.events == [Synced(complete=False)]
        await sink.delete(ref_of(statuses[-1]))
        (watcher.folder / "web.yaml").write_text(service())
        await watcher.next()
        assert len(watcher.events) < len(statuses)
        assert watcher.last(WEB) is not None
        await watcher.until(*map(Upserted, statuses[:-1]))
        await watcher.settle()
        assert watcher.last(ref_of(statuses[-1])) is None
        assert watcher.events.count(Synced()) == 1


async def test_condition_of_an_object_stays_beside_counts_and_conditions_of_others(tmp_path: Path) -> None:
    sink, ref = ManifestsSink(tmp_path / "state"), ObjectRef("IPAddressPool", NAMESPACE, "lan")
    first = Condition(type="Accepted", status="True", reason="Accepted", last_transition_time="2026-01-01T00:00:00Z")
    ready = Condition(type="example.com/Ready", status="True", last_transition_time="2026-01-01T00:00:00Z")
    later = msgspec.structs.replace(first, last_transition_time="2026-02-01T00:00:00Z")
    pool = metallb.IPAddressPool(
        metadata=ObjectMeta(name="lan", namespace=NAMESPACE),
        spec=metallb.IPAddressPoolSpec(addresses=("192.0.2.0/24",)),
        status=metallb.IPAddressPoolStatus(assigned_ipv4=7),
    )

    def status() -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(StateFolder(tmp_path / "state").file(ref).read_text())["status"]
        return found

    await sink.write_condition(ref, ready)
    await sink.write_condition(ref, first)
    await sink.write(pool)
    await sink.write_condition(ref, msgspec.structs.replace(later, reason="AcceptedWithWarnings"))
    assert status()["assignedIPv4"] == 7
    assert [(each["type"], each["reason"]) for each in status()["conditions"]] == [
        ("example.com/Ready", ""),
        ("Accepted", "AcceptedWithWarnings"),
    ]
    assert status()["conditions"][1]["lastTransitionTime"] == first.last_transition_time
    await sink.write_condition(ref, msgspec.structs.replace(later, status="False"))
    assert status()["conditions"][1]["lastTransitionTime"] == later.last_transition_time


async def test_condition_makes_no_object_and_changes_none(tmp_path: Path) -> None:
    sink, ref = ManifestsSink(tmp_path / "state"), ObjectRef("L2Advertisement", NAMESPACE, "lan")
    async with watching(tmp_path) as watcher:
        await sink.write_condition(ref, Condition(type="Accepted", status="True"))
        await watcher.settle()
        assert watcher.last(ref) is None
        (watcher.folder / "lan.yaml").write_text(
            "apiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: lan}\n"
        )
        await watcher.until(Upserted(metallb.L2Advertisement(metadata=ObjectMeta(name="lan", namespace=NAMESPACE))))


async def test_pool_status_is_laid_over_its_manifest(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path / "state")
    async with watching(tmp_path) as watcher:
        (watcher.folder / "pool.yaml").write_text(pool("a"))
        await watcher.next()
        ref = ObjectRef("IPAddressPool", NAMESPACE, "a")
        status = metallb.IPAddressPoolStatus(assigned_ipv4=1, available_ipv4=255)
        stale = metallb.IPAddressPool(
            metadata=ObjectMeta(name="a", namespace=NAMESPACE),
            spec=metallb.IPAddressPoolSpec(addresses=("198.51.100.0/24",)),
            status=status,
        )
        await sink.write(stale)
        await watcher.next()
        current = watcher.last(ref)
        assert isinstance(current, metallb.IPAddressPool)
        assert current.status == status
        assert current.spec.addresses == ("192.0.2.0/24",)


async def test_write_that_changes_nothing_touches_nothing(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path)
    file = tmp_path / "services" / "default" / "web.yaml"
    await sink.write_service_status(ObjectKey("default", "web"), assigned("192.0.2.1"), {ALLOCATED_FROM: "a"})
    before = file.stat()
    await sink.write_service_status(ObjectKey("default", "web"), assigned("192.0.2.1"), {})
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path.name for path in file.parent.iterdir()] == ["web.yaml"]


async def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path)
    metadata = ObjectMeta(name="mesh", namespace=NAMESPACE)
    await sink.write(core.Secret(metadata=metadata, string_data={"key": SecretText("s3cret")}))
    await sink.write(core.ConfigMap(metadata=metadata, data={"key": "open"}))
    assert (tmp_path / "secrets" / NAMESPACE / "mesh.yaml").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "configmaps" / NAMESPACE / "mesh.yaml").stat().st_mode & 0o777 == 0o644
    assert "s3cret" in (tmp_path / "secrets" / NAMESPACE / "mesh.yaml").read_text()


async def test_repeated_event_raises_its_count(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path)
    event = ObjectEvent(
        ref=WEB, type=EventType.WARNING, reason="not enough clusterips", message="text: 1", component="ferrule/c"
    )
    await sink.record(event)
    await sink.record(event)
    (file,) = (tmp_path / "events" / "default").iterdir()
    assert file.name == "web.not-enough-clusterips.ferrule-c.yaml"
    text = file.read_text()
    assert "count: 2" in text
    assert "reason: not enough clusterips" in text
    file.write_text("{")
    await sink.record(event)
    assert "count: 1" in file.read_text()


async def test_events_are_not_read_as_objects(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path / "state")
    async with watching(tmp_path) as watcher:
        await sink.record(
            ObjectEvent(ref=WEB, type=EventType.NORMAL, reason="IPAllocated", message="m", component="controller")
        )
        await watcher.settle()
        assert watcher.events == [Synced()]


async def test_long_names_get_files_of_their_own(tmp_path: Path) -> None:
    sink = ManifestsSink(tmp_path)
    for end in ("a", "b"):
        await sink.write(core.ConfigMap(metadata=ObjectMeta(name="x" * 252 + end, namespace=NAMESPACE)))
    assert len(list((tmp_path / "configmaps" / NAMESPACE).iterdir())) == 2
