"""What is told waits for what is on the air."""

import math
from dataclasses import replace
from pathlib import Path

from prometheus_client import generate_latest

from orchestrator.config.model import Weight
from orchestrator.fsm.damping import FREE
from orchestrator.fsm.responder_api import Probed
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources import core
from orchestrator.resources.extensions import DrainReport
from orchestrator.resources.meta import ObjectMeta
from orchestrator.runtime.planning import Outcome, Planner
from orchestrator.runtime.speaker_drain import NodeDrain
from orchestrator.runtime.speaker_layer2 import Layer2
from orchestrator.runtime.speaker_report import SpeakerReport
from orchestrator.runtime.speaker_routes import SpeakerRoutes
from orchestrator.runtime.speaker_telling import COUNTS_INTERVAL_S, Telling
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import Folders, RunFolder, SpeakerSettings
from orchestrator.sources.interface import Upserted
from orchestrator.sources.manifests.state import ManifestsSink
from tests.support import objects

FIRST, SECOND = "10.0.0.1", "2001:db8::1"
POOL = objects.pool("lan", "10.0.0.0/24", "2001:db8::/120", l2_advertisements=(objects.l2("all", "a"),))
CONFIG = objects.config(nodes=("a",), pools=[POOL])
SHARING = {"metallb.io/allow-shared-ip": "one"}


def slice_of(service: str, *, ready: bool = True) -> core.EndpointSlice:
    metadata = ObjectMeta(name=f"{service}-1", namespace="default", labels={core.LABEL_SERVICE_NAME: service})
    return core.EndpointSlice(metadata=metadata, endpoints=(objects.endpoint("a", ready=ready),))


NOT_DRAINED = DrainReport()


class Speaker:
    """The only node, with a dual-stack Service; it writes to a folder."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.metrics, sink = Metrics(SPEAKER_METRICS), ManifestsSink(state)
        metrics = self.metrics
        settings = SpeakerSettings(origin=Folders(source=state, state=state), node="a", run=RunFolder(state))
        self.store = ObjectStore(objects.NAMESPACE, "ferrule-last-good")
        web = objects.service("web", held=(FIRST, SECOND), annotations=SHARING)
        self.store.apply([Upserted(web), Upserted(slice_of("web"))])
        self.layer2 = Layer2(
            settings, metrics, self.store, lambda _event: None, NodeDrain(settings, self.store, metrics)
        )
        self.planner = Planner(self.layer2.view(0.0), self.store)
        report = SpeakerReport("a", objects.NAMESPACE, sink, metrics)
        self.routes = SpeakerRoutes(settings.damping_limit_s, metrics)
        self.telling = Telling("instance", sink, report, self.planner, self.layer2, self.routes)

    async def tell(self, *outcomes: Outcome, now: float = 0.0) -> None:
        self.layer2.follow(outcomes, self.planner, now)
        self.routes.follow(self.planner.plan, outcomes, now)
        await self.telling.planned(outcomes, self.store)

    def reported(self) -> set[str]:
        """What the metrics say of the Service over BGP: announced, or why it is not."""
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        of_bgp = [line for line in lines if 'protocol="bgp"' in line]
        declined = {line.split('reason="')[1].split('"')[0] for line in of_bgp if "ferrule_services_declined" in line}
        return declined or {"announced" for line in of_bgp if "metallb_speaker_announced" in line}

    def told(self) -> list[str]:
        """The kinds of what was written, by folder."""
        return sorted({path.relative_to(self.state).parts[0] for path in self.state.rglob("*.yaml")})


async def test_status_waits_until_the_address_is_found_free(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path)
    await speaker.tell(speaker.planner.configuration_changed(CONFIG))
    assert speaker.told() == []
    speaker.layer2.took(Probed(address=FIRST))
    await speaker.tell()
    assert speaker.told() == ["events", "servicel2statuses"]
    assert speaker.layer2.tenures.held == {objects.ips(FIRST)[0]}


async def test_service_that_meets_another_on_its_address_keeps_its_status(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path)
    await speaker.tell(speaker.planner.configuration_changed(CONFIG))
    for address in (FIRST, SECOND):
        speaker.layer2.took(Probed(address=address))
    await speaker.tell()
    (status,) = (tmp_path / "servicel2statuses").rglob("*.yaml")
    api = objects.service("api", held=(FIRST,), ports=(81,), annotations=SHARING)
    changes = speaker.store.apply([Upserted(api), Upserted(slice_of("api"))])
    await speaker.tell(speaker.planner.services_changed(changes.services))
    assert status.exists()
    assert len(list(status.parent.iterdir())) == 2


async def test_state_counts_what_is_answered_for_and_is_written_on_change_only(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path)
    await speaker.tell(speaker.planner.configuration_changed(CONFIG))
    for address in (FIRST, SECOND):
        speaker.layer2.took(Probed(address=address))
    await speaker.telling.state(0.0, NOT_DRAINED)
    (path,) = (tmp_path / "speakerstates").iterdir()
    assert "announcedAddresses: 2" in path.read_text()
    path.unlink()
    await speaker.telling.state(0.0, NOT_DRAINED)
    assert not path.exists()
    speaker.telling.forget_state()
    await speaker.telling.state(0.0, NOT_DRAINED)
    assert path.exists()
    await speaker.telling.state(0.0, NOT_DRAINED, draining=True)
    assert "draining: true" in path.read_text()


async def test_counts_alone_are_told_now_and_then(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path)
    await speaker.telling.state(10.0, NOT_DRAINED)
    await speaker.tell(speaker.planner.configuration_changed(CONFIG))
    for address in (FIRST, SECOND):
        speaker.layer2.took(Probed(address=address))
    await speaker.telling.state(11.0, NOT_DRAINED)
    (path,) = (tmp_path / "speakerstates").iterdir()
    assert "announcedAddresses: 0" in path.read_text()
    assert speaker.telling.deadline == 10.0 + COUNTS_INTERVAL_S
    await speaker.telling.state(speaker.telling.deadline, NOT_DRAINED)
    assert "announcedAddresses: 2" in path.read_text()
    assert speaker.telling.deadline == math.inf


async def test_precision_of_weights_is_told_at_once(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path)
    pool = replace(POOL, bgp_advertisements=(objects.bgp("all", "a", weight=Weight.ENDPOINTS),))
    weighed = objects.config(nodes=("a",), pools=[pool], peers=[objects.peer("tor", "a")])
    await speaker.tell(speaker.planner.configuration_changed(weighed))
    await speaker.telling.state(10.0, NOT_DRAINED)
    (path,) = (tmp_path / "speakerstates").iterdir()
    assert "weights: fine" in path.read_text()
    for limit, told in ((0, "beyondLimit"), (300, "fine")):
        await speaker.tell(speaker.planner.limit_policies(limit))
        await speaker.telling.state(10.0, NOT_DRAINED)
        assert f"weights: {told}" in path.read_text()


async def test_service_whose_prefixes_are_kept_back_has_no_status_until_they_are_announced(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path)
    pool = objects.pool("lan", "10.0.0.0/24", "2001:db8::/120", bgp_advertisements=(objects.bgp("all", "a"),))
    config = objects.config(
        nodes=("a",), pools=[pool], peers=[objects.peer("tor", "a", dual_stack_address_family=True)]
    )
    await speaker.tell(speaker.planner.configuration_changed(config))
    assert speaker.reported() == {"announced"}
    for number in range(FREE + 1):
        for ready in (False, True):
            changes = speaker.store.apply([Upserted(slice_of("web", ready=ready))])
            await speaker.tell(speaker.planner.services_changed(changes.announcements), now=number / 10)
    assert speaker.reported() == {"dampened"}
    await speaker.telling.state(1.0, NOT_DRAINED)
    (path,) = (tmp_path / "speakerstates").iterdir()
    assert "dampened:\n  - 10.0.0.1/32" in path.read_text()
    assert "announcedPrefixes: 0" in path.read_text()
    await speaker.tell(now=speaker.routes.deadline)
    assert speaker.reported() == {"announced"}
