"""From plans and what the responder reports to its table, and back into the next plan. Node-a, in MetalLB's order b a c."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from orchestrator.apply.layer2 import ResponderEvent
from orchestrator.fsm.liveness import NodeState
from orchestrator.fsm.membership import Role
from orchestrator.fsm.responder_api import Claimed, Entry, Liveness, Mode, Probed, Silent
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources import core
from orchestrator.resources.extensions import AddressConflict, SpeakerState, SpeakerStateSpec
from orchestrator.resources.kinds import KubeObject
from orchestrator.resources.meta import ObjectMeta
from orchestrator.resources.metallb import ServiceL2Status, ServiceL2StatusStatus
from orchestrator.resources.secret_text import SecretText
from orchestrator.runtime.exclusion_list import Exclusions
from orchestrator.runtime.planning import Outcome, Planner
from orchestrator.runtime.speaker_drain import NodeDrain
from orchestrator.runtime.speaker_layer2 import START_S, Layer2
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import ConflictAction, Folders, RunFolder, SpeakerSettings
from orchestrator.sources.interface import Upserted
from tests.support import objects

A, B, C = "node-a", "node-b", "node-c"
TEXT = "10.0.0.1"
ADDRESS = ip_address(TEXT)
MAC = "02:00:00:00:00:01"
WEB = objects.service("web", held=(TEXT,))
SLICE = core.EndpointSlice(
    metadata=ObjectMeta(name="web-1", namespace="default", labels={core.LABEL_SERVICE_NAME: "web"}),
    endpoints=(objects.endpoint(A),),
)
POOL = objects.pool("lan", "10.0.0.0/24", l2_advertisements=(objects.l2("all", A, B, C),))
CONFIG = objects.config(nodes=(A, B, C), pools=[POOL])
FOLDER = Path("/nonexistent")
SETTINGS = SpeakerSettings(origin=Folders(source=FOLDER, state=FOLDER), node=A, run=RunFolder(FOLDER))
ALONE = Liveness(states={B: NodeState.DOWN, C: NodeState.UP}, alive=(A, C))
TOGETHER = Liveness(states={B: NodeState.UP, C: NodeState.UP}, alive=(A, B, C))
SPLIT = Liveness(states={B: NodeState.DOWN, C: NodeState.DOWN}, alive=(A,))
RESTING = Liveness(states={B: NodeState.UP, C: NodeState.UP}, alive=(A, C))


def state(node: str, *conflicts: AddressConflict) -> SpeakerState:
    spec = SpeakerStateSpec(node=node, mesh_addresses=(f"192.0.2.{ord(node[-1])}",), conflicts=conflicts)
    return SpeakerState(metadata=ObjectMeta(name=node), spec=spec)


def status(node: str) -> ServiceL2Status:
    text = ServiceL2StatusStatus(node=node, service_name="web", service_namespace="default")
    return ServiceL2Status(metadata=ObjectMeta(name=f"l2-{node}", namespace=objects.NAMESPACE), status=text)


class Speaker:
    """Plans and layer 2 of node-a, not connected to any responder; `now` is seconds after its start."""

    def __init__(self, *known: KubeObject, settings: SpeakerSettings = SETTINGS) -> None:
        self.store = ObjectStore(objects.NAMESPACE, "ferrule-last-good")
        metrics = Metrics(SPEAKER_METRICS)
        self.layer2 = Layer2(
            settings, metrics, self.store, lambda _event: None, NodeDrain(settings, self.store, metrics)
        )
        self.planner = Planner(self.layer2.view(0.0), self.store)
        self.start = self.layer2.deadline(0.0) - START_S
        self.tell(WEB, SLICE, *known)
        self.layer2.look_around(CONFIG)
        self.fresh: list[Outcome] = [self.planner.configuration_changed(CONFIG)]

    def tell(self, *known: KubeObject) -> None:
        self.store.apply([Upserted(each) for each in known])

    def cycle(self, *events: ResponderEvent | Exclusions, now: float = START_S + 1) -> tuple[Entry, ...]:
        """A round of planning, as the speaker makes it; returns the entries of the table."""
        for event in events:
            self.layer2.took(event)
        for _ in range(2):
            self.fresh.append(self.planner.view_changed(self.layer2.view(self.start + now)))
            self.layer2.judge_claims(self.planner, self.start + now)
            self.layer2.follow(self.fresh, self.planner, self.start + now)
            self.fresh = []
        self.layer2.send(SecretText(""))
        return self.layer2.table.entries


ALL = (state(A), state(B), state(C))


def claim(node: str = "") -> Claimed:
    return Claimed(address=TEXT, interface="eth0", mac=MAC, node=node)


def owning(*known: KubeObject, settings: SpeakerSettings = SETTINGS) -> Speaker:
    """Node-a owns the address, for node-b was lost."""
    speaker = Speaker(*ALL, status(B), *known, settings=settings)
    assert speaker.cycle(ALONE) == (Entry(TEXT, None, Mode.ANSWER, B),)
    return speaker


def test_nobody_takes_what_a_node_is_about_to_have_that_has_not_spoken_yet() -> None:
    speaker = Speaker(state(A))
    alone = Liveness(states={}, alive=(A,))
    assert speaker.cycle(alone, now=1.0) == ()
    assert speaker.layer2.deadline(speaker.start + 1.0) == speaker.start + START_S
    assert speaker.cycle(now=START_S) == (Entry(TEXT, None, Mode.PROBE),)


def test_restarted_speaker_waits_for_nobody() -> None:
    speaker = Speaker(state(A), status(A))
    speaker.layer2.resume(state(A))
    assert speaker.cycle(Liveness(states={}, alive=(A,)), now=1.0) == (Entry(TEXT),)


def test_held_node_has_orders_for_what_nobody_else_may_own() -> None:
    held = Liveness(states={B: NodeState.UP, C: NodeState.UP}, alive=(B, C), role=Role.STANDBY, reserve=(A,))
    assert Speaker(*ALL, status(A)).cycle(held) == ()
    speaker = Speaker(*ALL, status(A), objects.service("web", held=(TEXT,), external_traffic_policy="Local"))
    assert speaker.cycle(held) == (Entry(TEXT),)
    assert speaker.layer2.table.for_reserve
    assert speaker.cycle(TOGETHER) == (Entry(TEXT),)
    assert not speaker.layer2.table.for_reserve


def test_first_use_is_probed_first() -> None:
    speaker = Speaker(*ALL)
    assert speaker.cycle(ALONE) == (Entry(TEXT, None, Mode.PROBE),)
    assert speaker.cycle(Probed(address=TEXT)) == (Entry(TEXT),)


def test_address_that_this_node_had_before_its_restart_is_not_probed() -> None:
    speaker = Speaker(*ALL, status(A))
    assert speaker.cycle(ALONE) == (Entry(TEXT),)


def test_address_that_another_node_refused_is_probed() -> None:
    refused = AddressConflict(address=TEXT, mac=MAC, action="refused")
    speaker = Speaker(state(A), state(B, refused), state(C), status(A))
    assert speaker.cycle(ALONE) == (Entry(TEXT, None, Mode.PROBE),)


def test_address_in_use_is_left_alone_and_asked_for() -> None:
    speaker = Speaker(*ALL)
    speaker.cycle(ALONE)
    assert speaker.cycle(Probed(address=TEXT, interface="eth0", mac=MAC)) == (Entry(TEXT, None, Mode.PROBE),)
    assert speaker.planner.plan.layer2 == {}
    assert speaker.cycle(Probed(address=TEXT)) == (Entry(TEXT),)
    assert ADDRESS in speaker.planner.plan.layer2


def test_returned_owner_of_better_rank_gets_its_address_released() -> None:
    assert owning().cycle(TOGETHER) == (Entry(TEXT, None, Mode.RELEASE),)


def test_split_is_decided_by_rank() -> None:
    speaker = owning()
    speaker.layer2.took(SPLIT)
    assert speaker.cycle(claim(C)) == (Entry(TEXT, None, Mode.ANSWER, B),)
    assert speaker.cycle(claim(B)) == (Entry(TEXT, None, Mode.WATCH, B),)
    assert [each.action for each in speaker.layer2.tenures.conflicts] == ["yielded"]


def test_address_comes_back_when_the_better_node_falls_silent() -> None:
    speaker = owning()
    speaker.cycle(SPLIT, claim(B))
    assert speaker.cycle(Silent(address=TEXT)) == (Entry(TEXT, None, Mode.ANSWER, B),)


def test_address_comes_back_when_the_better_node_is_heard_again_and_stands_by() -> None:
    speaker = owning()
    speaker.cycle(SPLIT, claim(B))
    assert speaker.cycle(RESTING) == (Entry(TEXT, None, Mode.ANSWER, B),)
    assert speaker.cycle(claim(B)) == (Entry(TEXT, None, Mode.ANSWER, B),)


@pytest.mark.parametrize(("action", "mode"), [(ConflictAction.DEFEND, Mode.ANSWER), (ConflictAction.YIELD, Mode.WATCH)])
def test_stranger_is_fought_or_not_as_the_flag_says(action: ConflictAction, mode: Mode) -> None:
    speaker = owning(settings=replace(SETTINGS, on_address_conflict=action))
    assert [entry.mode for entry in speaker.cycle(claim())] == [mode]


def test_exclusion_list_goes_into_the_table() -> None:
    speaker = owning()
    speaker.cycle(Exclusions(patterns=("^wg",)))
    assert speaker.layer2.table.exclude == ("^wg",)


def test_times_of_the_flags_go_into_the_table() -> None:
    speaker = owning(settings=replace(SETTINGS, return_hold_s=7.0, isolation_hold_s=3.0))
    assert (speaker.layer2.table.hold_s, speaker.layer2.table.isolation_s) == (7.0, 3.0)


def test_table_is_sent_when_something_changed_only() -> None:
    speaker = owning()
    number = speaker.layer2.table.number
    speaker.cycle()
    assert speaker.layer2.table.number == number


def test_use_and_counts_of_an_address_end_with_its_service() -> None:
    speaker = owning()
    speaker.layer2.forget_unknown()
    assert speaker.layer2.tenures.used == {ADDRESS}
    speaker.tell(objects.service("web"))
    speaker.layer2.forget_unknown()
    assert speaker.layer2.tenures.used == frozenset()
