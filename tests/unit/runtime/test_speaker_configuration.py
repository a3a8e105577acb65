"""What a speaker says of the configuration: it ends with its cause."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from orchestrator.config.model import Config
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.core import Node
from orchestrator.resources.metallb import BGPPeer
from orchestrator.runtime.speaker_configuration import SpeakerConfiguration
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import Folders, RunFolder, SpeakerSettings
from orchestrator.sources.interface import Upserted
from orchestrator.sources.manifests.state import ManifestsSink
from tests.support.objects import NAMESPACE, node_object, peer_object, with_conditions

GOOD = peer_object("tor")
BROKEN = peer_object("tor", bfd_profile="fast")
STATE = f"configurationstates/{NAMESPACE}/speaker-n1.yaml"


class Speaker:
    """The configuration of node n1, its metrics and its state folder."""

    def __init__(self, state: Path, **flags: Any) -> None:
        self.metrics = Metrics(SPEAKER_METRICS)
        self._state = state
        self._store = ObjectStore(NAMESPACE, "ferrule-last-good")
        settings = SpeakerSettings(origin=Folders(source=state, state=state), node="n1", run=RunFolder(state), **flags)
        self._configuration = SpeakerConfiguration(settings, ManifestsSink(state), self.metrics)

    async def knows(self, *nodes: Node) -> Config:
        """The configuration with these nodes."""
        self._store.apply([Upserted(node) for node in nodes])
        return await self._configuration.resolve(self._store)

    async def reads(self, obj: BGPPeer | Node) -> tuple[float, str, str]:
        """The gauge of stale configuration, result and summary after the object is so."""
        self._store.apply([Upserted(obj)])
        await self._configuration.resolve(self._store)
        (path,) = self._state.rglob("speaker-n1.yaml")
        status = yaml.safe_load(path.read_text())["status"]
        lines = generate_latest(self.metrics.registry).decode().splitlines()
        (stale,) = (line for line in lines if line.startswith("metallb_k8s_client_config_stale_bool"))
        return float(stale.split()[-1]), status["result"], status.get("errorSummary", "")


async def test_stale_configuration_is_over_when_the_edit_is_taken_back(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path)
    assert await speaker.reads(GOOD) == (0.0, "Valid", "")
    summary = "configuration error: peer tor referencing non existing bfd profile fast"
    assert await speaker.reads(BROKEN) == (1.0, "Invalid", summary)
    assert await speaker.reads(GOOD) == (0.0, "Valid", "")


async def test_warning_is_logged_when_it_comes_and_not_again(tmp_path: Path) -> None:
    speaker = Speaker(tmp_path)
    wrong = node_object("n1", {"ferrule.io/med": "low"})
    with capture_logs() as logged:
        assert await speaker.reads(node_object("n1")) == (0.0, "Valid", "")
        assert await speaker.reads(wrong) == (0.0, "Valid", "")
        assert await speaker.reads(GOOD) == (0.0, "Valid", "")
    assert [(line["object"], line["field"]) for line in logged] == [("Node n1", "metadata.annotations[ferrule.io/med]")]


@pytest.mark.parametrize("asked", [True, False])
async def test_readiness_counts_only_if_asked_for(tmp_path: Path, asked: bool) -> None:
    sick = with_conditions(node_object("n1"), Ready="False")
    others = [with_conditions(node_object(name), Ready="True") for name in ("n2", "n3", "n4")]
    config = await Speaker(tmp_path, withdraw_not_ready=asked).knows(sick, *others)
    assert config.nodes["n1"].not_ready is asked
