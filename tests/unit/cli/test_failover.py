"""`ferrule failover` over real folders; speakers are played by writing what they would write."""

import asyncio
import json
from pathlib import Path

import pytest

from orchestrator.cli.failover import KINDS
from orchestrator.cli.main import main
from orchestrator.decide.failovers import Standing
from orchestrator.net.addresses import parse_address
from orchestrator.resources.core import LoadBalancerIngress, LoadBalancerStatus, ServiceStatus
from orchestrator.resources.extensions import Failover, FailoverSpec, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef
from orchestrator.resources.metallb import ServiceL2Status, ServiceL2StatusStatus
from orchestrator.runtime.command_origin import open_for_command
from orchestrator.runtime.failover import Placements
from orchestrator.settings import Folders, ProcessSettings
from orchestrator.sources.manifests.state import ManifestsSink
from tests.support.responders import eventually

NAMESPACE = "metallb-system"
VIP, VIP6 = "192.0.2.10", "2001:db8::10"
MANIFESTS = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: lan}
spec: {addresses: [192.0.2.10/32, "2001:db8::10/128"]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: lan}
---
apiVersion: v1
kind: Node
metadata: {name: node-a}
---
apiVersion: v1
kind: Node
metadata: {name: node-b}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""


def status_of(node: str) -> ServiceL2Status:
    status = ServiceL2StatusStatus(node=node, service_name="web", service_namespace="default")
    return ServiceL2Status(metadata=ObjectMeta(name=f"l2-{node}", namespace=NAMESPACE), status=status)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """web has both addresses, node-a answers, both nodes have speakers."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "all.yaml").write_text(MANIFESTS)

    async def fill() -> None:
        sink = ManifestsSink(tmp_path / "state")
        ingress = (LoadBalancerIngress(ip=VIP), LoadBalancerIngress(ip=VIP6))
        status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=ingress))
        await sink.write_service_status(ObjectKey("default", "web"), status, {})
        await sink.write(status_of("node-a"))
        for node in ("node-a", "node-b"):
            metadata = ObjectMeta(name=node, namespace=NAMESPACE)
            await sink.write(SpeakerState(metadata=metadata, spec=SpeakerStateSpec(node=node)))

    asyncio.run(fill())
    return tmp_path


def failover(folder: Path, *words: str) -> int:
    return main(["failover", "--source", f"manifests:{folder}/manifests", "--state", f"{folder}/state", *words])


def written(folder: Path, name: str) -> str:
    return (folder / "state" / "failovers" / NAMESPACE / f"{name}.yaml").read_text()


def test_move_away_avoids_who_has_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failover(folder, VIP, "--wait", "0") == 0
    assert capsys.readouterr().out == f"{VIP}: asked for, not node-a; node-a answers now\n"
    assert written(folder, VIP).endswith(f"spec:\n  address: {VIP}\n  avoid:\n  - node-a\n")


def test_owner_that_does_not_follow_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failover(folder, "2001:DB8:0::10", "--to", "node-b", "--wait", "0.05") == 1
    assert capsys.readouterr().out.startswith(f"{VIP6}: after 0.05 s node-a answers; node-b may answer and does not")
    assert f"address: {VIP6}" in written(folder, "2001-db8--10")


def test_node_that_answers_already_is_pinned(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failover(folder, VIP, "--to", "node-a", "-o", "json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said.pop("seconds") < 1
    assert said == {
        "address": VIP,
        "to": "node-a",
        "avoid": [],
        "before": ["node-a"],
        "now": ["node-a"],
        "why": "",
    }


def test_list_says_what_is_in_force_and_why_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failover(folder, VIP, "--to", "node-a") == 0
    assert listed(folder, capsys).split() == [VIP, "default/web", "node-a", "node-a", "yes"]
    assert failover(folder, VIP, "--to", "node-b", "--wait", "0") == 0
    assert listed(folder, capsys).startswith(f"{VIP}  default/web  node-a       node-b  node-b may answer and does not")
    assert failover(folder, "-o", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["standing"], row["services"]) == (VIP, "notAnswered", ["default/web"])


def listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert failover(folder) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["address", "service", "answers", "now", "wanted", "in", "force"]
    return row


def test_later_move_of_an_address_of_the_same_service_replaces_the_earlier(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failover(folder, VIP, "--to", "node-a") == 0
    assert failover(folder, VIP6, "--to", "node-b", "--wait", "0") == 0
    assert [path.stem for path in (folder / "state" / "failovers").rglob("*.yaml")] == ["2001-db8--10"]
    assert failover(folder, VIP, "--undo") == 0
    assert not list((folder / "state" / "failovers").rglob("*.yaml"))


def test_undo_removes_the_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failover(folder, VIP, "--wait", "0") == 0
    assert failover(folder, VIP, "--undo") == 0
    assert not list((folder / "state" / "failovers").rglob("*.yaml"))
    assert failover(folder, VIP, "--undo") == 1
    assert f"{VIP} was not moved" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("192.0.2.99",), f"no Service has the address 192.0.2.99; announced over layer 2: {VIP}, {VIP6}"),
        ((VIP, "--to", "node-x"), "there is no node node-x; known nodes: node-a, node-b"),
        (("web",), '"web" is not an IP address'),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    folder: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert failover(folder, *words) == 1
    assert capsys.readouterr().err == f"ferrule failover: {said}\n"
    assert not (folder / "state" / "failovers").exists()


def test_address_that_nobody_answers_for_has_no_owner_to_avoid(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(ManifestsSink(folder / "state").delete(ObjectRef("ServiceL2Status", NAMESPACE, "l2-node-a")))
    assert failover(folder, VIP) == 1
    assert f"nobody answers for {VIP} over layer 2 now" in capsys.readouterr().err


def test_failover_among_the_manifests_counts_and_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "manifests" / "moved.yaml").write_text(
        "apiVersion: ferrule.io/v1alpha1\nkind: Failover\nmetadata: {name: in-git}\n"
        f"spec: {{address: {VIP}, to: node-b}}\n"
    )
    assert failover(folder, "-o", "json") == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["in-git"]
    assert failover(folder, VIP, "--to", "node-a") == 1
    assert "kept among the manifests" in capsys.readouterr().err
    assert failover(folder, VIP, "--undo") == 1


def test_flags_without_an_address_are_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failover(folder, "--undo") == 2
    assert "need an address" in capsys.readouterr().err


async def test_new_owner_is_seen_as_soon_as_it_says_so(tmp_path: Path) -> None:
    folder, state = tmp_path / "manifests", tmp_path / "state"
    folder.mkdir()
    (folder / "all.yaml").write_text(MANIFESTS)
    sink = ManifestsSink(state)
    status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=(LoadBalancerIngress(ip=VIP),)))
    await sink.write_service_status(ObjectKey("default", "web"), status, {})
    await sink.write(status_of("node-a"))
    async with open_for_command(settings_of(folder, state), KINDS) as objects:
        placements = Placements(objects, NAMESPACE)

        async def hand_over() -> None:
            await eventually((state / "failovers" / NAMESPACE / f"{VIP}.yaml").exists)
            await sink.delete(ObjectRef("ServiceL2Status", NAMESPACE, "l2-node-a"))
            await sink.write(status_of("node-b"))

        async with asyncio.TaskGroup() as tasks:
            moving = tasks.create_task(placements.move(parse_address(VIP), "node-b", 20.0))
            tasks.create_task(hand_over())
        moved = moving.result()
        assert (moved.before, moved.now) == (("node-a",), ("node-b",))
        assert moved.took_s is not None
        assert [each.standing for each in placements.listed()] == [Standing.IN_FORCE]


async def test_object_survives_the_round_trip(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    moved = Failover(
        metadata=ObjectMeta(name="2001-db8--10", namespace=NAMESPACE), spec=FailoverSpec(address=VIP6, avoid=("a",))
    )
    await ManifestsSink(tmp_path / "state").write(moved)
    async with open_for_command(settings_of(tmp_path / "manifests", tmp_path / "state"), KINDS) as objects:
        placed = Placements(objects, NAMESPACE).listed()
    assert [(each.name, each.spec) for each in placed] == [(moved.metadata.name, moved.spec)]


def settings_of(folder: Path, state: Path) -> ProcessSettings:
    return ProcessSettings(origin=Folders(source=folder, state=state), namespace=NAMESPACE)
