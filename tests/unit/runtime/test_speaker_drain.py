from pathlib import Path

from prometheus_client import generate_latest

from orchestrator.decide.drain import DrainStage
from orchestrator.decide.node_plan import Announced, GroupPlan, Protocol
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.core import ANNOTATION_DRAIN
from orchestrator.resources.extensions import DrainReport, PeerSession, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta, ObjectRef
from orchestrator.runtime.speaker_drain import HELD_BACK_LIMIT, NodeDrain
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import Folders, RunFolder, SpeakerSettings
from orchestrator.sources.interface import Removed, Upserted
from tests.support.objects import NAMESPACE, ips, key, node_object

HERE = Path("/nowhere")
SETTINGS = SpeakerSettings(origin=Folders(source=HERE, state=HERE), node="a", run=RunFolder(HERE), drain_wait_s=5.0)


def announcing(service: str) -> GroupPlan:
    part = Announced(service=key(service), protocol=Protocol.BGP, addresses=ips("10.0.0.1"))
    return GroupPlan(announced=(part,))


SESSION = (PeerSession(peer="r", neighbor="192.0.2.1", established=True),)


class Speaker:
    """The drain of node a, and what its speaker knows."""

    def __init__(self) -> None:
        self.store = ObjectStore(NAMESPACE, "ferrule-last-good")
        self.metrics = Metrics(SPEAKER_METRICS)
        self.drain = NodeDrain(SETTINGS, self.store, self.metrics)

    def ask(self, text: str, now: float) -> None:
        self.store.apply([Upserted(node_object("a", {ANNOTATION_DRAIN: text}))])
        self.drain.look(now)

    def hear(self, node: str, drain: DrainReport | None = None, *, draining: bool = False, sessions: int = 1) -> None:
        spec = SpeakerStateSpec(node=node, draining=draining, drain=drain or DrainReport(), sessions=SESSION * sessions)
        self.store.apply([Upserted(SpeakerState(metadata=ObjectMeta(name=node), spec=spec))])

    def step(self, now: float, *services: str) -> str | None:
        """The reason of the event that this moment has, announcing these Services."""
        event = self.drain.news(self.drain.report(map(announcing, services), now))
        return None if event is None else event.reason


def test_every_step_is_told_once_as_an_event_of_the_node() -> None:
    speaker = Speaker()
    assert speaker.step(0.0, "web") is None
    speaker.ask("true", 10.0)
    assert [speaker.step(now, "web") for now in (10.0, 14.0)] == ["DrainStarted", None]
    assert [speaker.step(now, "web") for now in (15.0, 16.0)] == ["DrainHeldBack", None]
    assert [speaker.step(17.0), speaker.step(18.0)] == ["Drained", None]
    speaker.ask("", 20.0)
    assert [speaker.step(now, "web") for now in (20.0, 21.0)] == ["DrainEnded", None]


def test_report_names_some_of_what_is_held_back_and_counts_all() -> None:
    speaker = Speaker()
    speaker.ask("true", 0.0)
    report = speaker.drain.report([announcing(f"s{number}") for number in range(30)], 6.0)
    speaker.drain.news(report)
    assert (report.stage, report.by) == ("withdrawn", f"annotation {ANNOTATION_DRAIN}")
    assert (len(report.held_back), report.held_back_count) == (HELD_BACK_LIMIT, 30)
    assert "ferrule_drain_held_back 30.0" in generate_latest(speaker.metrics.registry).decode()
    assert "ferrule_drain_stage 2.0" in generate_latest(speaker.metrics.registry).decode()


def test_forced_drain_holds_nothing_back() -> None:
    speaker = Speaker()
    speaker.ask("force", 0.0)
    assert speaker.drain.stage(6.0) is DrainStage.OUT
    assert speaker.drain.report([], 6.0).forced


def test_next_speaker_goes_on_where_the_last_one_was() -> None:
    speaker = Speaker()
    speaker.drain.resume(DrainReport(stage="withdrawn", since="2026-11-22T00:00:00Z"))
    speaker.ask("true", 100.0)
    assert speaker.drain.stage(100.0) is DrainStage.HANDED_OVER
    assert speaker.drain.report([], 100.0).since == "2026-11-22T00:00:00Z"


def test_drain_that_was_undone_while_no_speaker_ran_is_over() -> None:
    speaker = Speaker()
    speaker.drain.resume(DrainReport(stage="withdrawn", since="2026-11-22T00:00:00Z"))
    speaker.ask("", 100.0)
    assert speaker.drain.stage(100.0) is DrainStage.SERVING
    assert speaker.step(100.0) == "DrainEnded"


def test_node_whose_object_is_gone_stays_as_it_is() -> None:
    speaker = Speaker()
    speaker.ask("true", 0.0)
    speaker.store.apply([Removed(ObjectRef("Node", "", "a"))])
    speaker.drain.look(9.0)
    assert speaker.drain.stage(9.0) is DrainStage.HANDED_OVER


def test_successors_have_a_speaker_that_stays_a_session_that_is_up_and_a_node_that_is_ready() -> None:
    speaker = Speaker()
    speaker.ask("true", 0.0)
    for name in ("a", "b", "c"):
        speaker.hear(name)
    speaker.hear("d", draining=True)
    speaker.hear("f", sessions=0)
    speaker.hear("e", DrainReport(stage="withdrawn", since="2020"))
    assert speaker.drain.successors(4.0, ()) == frozenset()
    assert speaker.drain.successors(5.0, ("c",)) == {"b"}


def test_node_that_is_not_drained_reports_nothing() -> None:
    assert Speaker().drain.report([], 0.0) == DrainReport()
