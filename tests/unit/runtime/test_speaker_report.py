"""Statuses, events and metrics follow the plans, and only changes are written."""

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from orchestrator.decide.node_plan import Announced, Decline, DeclineReason, GroupPlan, Protocol
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.extensions import AddressConflict
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.runtime.speaker_report import SpeakerReport
from orchestrator.runtime.speaker_statuses import status_name, status_of
from orchestrator.runtime.store import ObjectStore
from orchestrator.sources.interface import Upserted
from orchestrator.sources.manifests.state import ManifestsSink
from tests.support.objects import service

NAMESPACE = "metallb-system"
WEB = ObjectKey("shop", "web")
LAYER2 = Announced(service=WEB, protocol=Protocol.LAYER2, addresses=(ip_address("192.0.2.1"),))
BGP = Announced(service=WEB, protocol=Protocol.BGP, addresses=(ip_address("192.0.2.1"),), peers=("tor",))
EMPTY = GroupPlan()
EVENT = "events/shop/web.nodeAssigned.metallb-speaker.yaml"


class Told:
    """A report with its state folder, metrics and store."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.metrics = Metrics(SPEAKER_METRICS)
        self.store = ObjectStore(NAMESPACE, "ferrule-last-good")
        self.report = SpeakerReport("n1", NAMESPACE, ManifestsSink(state), self.metrics)

    def files(self) -> set[str]:
        return {str(path.relative_to(self.state)) for path in self.state.rglob("*.yaml")}

    async def eventually(self, expected: set[str]) -> None:
        """Let what is said about BGP be written behind, until the files are these."""

        async def quiet() -> None:
            await asyncio.sleep(0)

        behind = asyncio.get_running_loop().create_task(self.report.write_behind(quiet))
        async with asyncio.timeout(10):
            while self.files() != expected:
                await asyncio.sleep(0)
        behind.cancel()

    def exposed(self) -> str:
        return generate_latest(self.metrics.registry).decode()


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def status_file(protocol: str, node: str = "n1") -> str:
    plural = "servicel2statuses" if protocol == "l2" else "servicebgpstatuses"
    return f"{plural}/{NAMESPACE}/{status_name(protocol, WEB, node)}.yaml"


async def test_announcement_has_status_event_and_metric(told: Told) -> None:
    await told.report.plans_changed(EMPTY, GroupPlan(announced=(BGP, LAYER2)), told.store)
    await told.eventually({status_file("l2"), status_file("bgp"), EVENT})
    assert 'metallb_speaker_announced{ip="192.0.2.1",node="n1",protocol="bgp",service="shop/web"} 1.0' in told.exposed()


async def test_withdrawal_takes_status_and_metric_away(told: Told) -> None:
    announced = GroupPlan(announced=(BGP,))
    decline = Decline(service=WEB, protocol=Protocol.BGP, reason=DeclineReason.NO_ENDPOINTS)
    await told.report.plans_changed(EMPTY, announced, told.store)
    await told.eventually({status_file("bgp"), EVENT})
    await told.report.plans_changed(announced, GroupPlan(declined=(decline,)), told.store)
    await told.eventually({EVENT})
    assert "metallb_speaker_announced{" not in told.exposed()
    assert 'ferrule_services_declined{protocol="bgp",reason="noEndpoints"} 1.0' in told.exposed()


async def test_event_is_not_repeated_without_a_change(told: Told) -> None:
    plan = GroupPlan(announced=(LAYER2,))
    await told.report.plans_changed(EMPTY, plan, told.store)
    await told.report.plans_changed(plan, plan, told.store)
    (event,) = (told.state / "events" / "shop").glob("*.yaml")
    assert "count: 1" in event.read_text()


async def test_new_owner_removes_the_status_of_the_old_one(told: Told) -> None:
    old = SpeakerReport("n2", NAMESPACE, ManifestsSink(told.state), Metrics(SPEAKER_METRICS))
    await old.plans_changed(EMPTY, GroupPlan(announced=(LAYER2,)), told.store)
    told.store.apply([Upserted(status_of(LAYER2, "n2", NAMESPACE))])
    await told.report.plans_changed(EMPTY, GroupPlan(announced=(LAYER2,)), told.store)
    assert status_file("l2", "n2") not in told.files()
    assert status_file("l2") in told.files()


def other_owner(told: Told) -> Path:
    """What node n2 said of the Service, which everybody has heard of; returns its file."""
    status = status_of(LAYER2, "n2", NAMESPACE)
    told.store.apply([Upserted(status)])
    path = told.state / status_file("l2", "n2")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


async def test_old_owner_that_lives_is_left_to_remove_its_status_itself(told: Told) -> None:
    theirs = other_owner(told)
    await told.report.plans_changed(EMPTY, GroupPlan(announced=(LAYER2,)), told.store, living={"n1", "n2"})
    await told.report.compare(told.store)
    assert theirs.exists()
    assert told.report.unsettled.is_set()
    await told.report.compare(told.store)
    assert not theirs.exists()
    assert not told.report.unsettled.is_set()


async def test_owner_that_says_so_again_is_not_denied(told: Told) -> None:
    await told.report.plans_changed(EMPTY, GroupPlan(announced=(LAYER2,)), told.store, living={"n1", "n2"})
    for _ in range(2):
        await told.report.compare(told.store)
    theirs = other_owner(told)
    for _ in range(2):
        await told.report.compare(told.store)
    assert theirs.exists()


async def test_former_owner_removes_nothing_of_the_next(told: Told) -> None:
    plan = GroupPlan(announced=(LAYER2,))
    await told.report.plans_changed(EMPTY, plan, told.store)
    await told.report.compare(told.store)
    await told.report.plans_changed(plan, EMPTY, told.store)
    theirs = other_owner(told)
    for _ in range(2):
        await told.report.compare(told.store)
    assert theirs.exists()


async def test_status_that_went_without_notice_is_written_again_while_it_is_true(told: Told) -> None:
    plan = GroupPlan(announced=(LAYER2,))
    await told.report.plans_changed(EMPTY, plan, told.store)
    (told.state / status_file("l2")).unlink()
    assert told.report.unsettled.is_set()
    await told.report.compare(told.store)
    assert status_file("l2") in told.files()
    await told.report.plans_changed(plan, EMPTY, told.store)
    await told.report.compare(told.store)
    assert status_file("l2") not in told.files()


async def test_status_that_somebody_removed_is_written_again_while_it_is_true(told: Told) -> None:
    plan = GroupPlan(announced=(LAYER2,))
    await told.report.plans_changed(EMPTY, plan, told.store)
    lost = ObjectRef("ServiceL2Status", NAMESPACE, status_name("l2", WEB, "n1"))
    (told.state / status_file("l2")).unlink()
    await told.report.restore([lost])
    assert status_file("l2") in told.files()
    await told.report.plans_changed(plan, EMPTY, told.store)
    await told.report.restore([lost])
    assert status_file("l2") not in told.files()


async def test_leftovers_of_an_earlier_speaker_go_those_of_others_stay(told: Told) -> None:
    sink = ManifestsSink(told.state)
    for node in ("n1", "n1-b"):
        other = SpeakerReport(node, NAMESPACE, sink, Metrics(SPEAKER_METRICS))
        await other.plans_changed(EMPTY, GroupPlan(announced=(LAYER2,)), told.store)
    await told.report.remember([])
    await told.report.forget_leftovers([])
    assert told.files() == {status_file("l2", "n1-b"), EVENT}


async def test_true_status_is_no_leftover(told: Told) -> None:
    plan = GroupPlan(announced=(LAYER2,))
    await told.report.plans_changed(EMPTY, plan, told.store)
    await told.report.remember([])
    await told.report.forget_leftovers([plan])
    assert status_file("l2") in told.files()


def events(told: Told, reason: str) -> list[str]:
    return [path.read_text() for path in (told.state / "events" / "shop").glob(f"web.{reason}.*")]


def declined(reason: DeclineReason, detail: str = "") -> GroupPlan:
    return GroupPlan(declined=(Decline(service=WEB, protocol=Protocol.LAYER2, reason=reason, detail=detail),))


async def test_restarted_speaker_repeats_no_event(told: Told) -> None:
    plan = GroupPlan(announced=(BGP, LAYER2))
    await told.report.plans_changed(EMPTY, plan, told.store)
    await told.eventually({status_file("l2"), status_file("bgp"), EVENT})
    (before,) = events(told, "nodeAssigned")
    again = Told(told.state)
    await again.report.remember([])
    await again.report.plans_changed(EMPTY, plan, again.store)
    await again.report.plans_changed(plan, EMPTY, again.store)
    await again.eventually({EVENT})
    assert events(told, "nodeAssigned") == [before]
    await again.report.plans_changed(EMPTY, plan, again.store)
    await again.eventually({status_file("l2"), status_file("bgp"), EVENT})
    assert events(told, "nodeAssigned") != [before]


async def test_missing_interface_is_said_per_address_in_the_words_of_the_contract(told: Told) -> None:
    told.store.apply([Upserted(service("web", "shop", held=["192.0.2.1"]))])
    await told.report.plans_changed(EMPTY, declined(DeclineReason.NO_INTERFACE), told.store)
    (event,) = events(told, "announceFailed")
    words = 'the interfaces specified by LB IP "192.0.2.1" doesn\'t exist in assigned node "n1" with protocol "layer2"'
    assert words in " ".join(event.replace("''", "'").split())


async def test_address_left_to_others_is_said_once(told: Told) -> None:
    refused = declined(DeclineReason.ADDRESS_IN_USE, "02:00:00:00:00:01 has it; unplug that")
    await told.report.plans_changed(EMPTY, refused, told.store)
    await told.report.plans_changed(refused, refused, told.store)
    (event,) = events(told, "announceFailed")
    assert "02:00:00:00:00:01 has it; unplug that" in event
    assert "count: 1" in event


async def test_address_that_was_left_to_others_before_the_restart_is_not_said_again(told: Told) -> None:
    await told.report.remember([WEB])
    await told.report.plans_changed(EMPTY, declined(DeclineReason.YIELDED), told.store)
    assert events(told, "announceFailed") == []


async def test_defended_address_is_said_with_the_mac(told: Told) -> None:
    conflict = AddressConflict(address="192.0.2.1", mac="02:00:00:00:00:01", interface="eth0")
    await told.report.conflict(conflict, [WEB])
    (event,) = events(told, "addressConflict")
    assert "02:00:00:00:00:01" in event
