"""A state folder that cannot be written costs a metric and a log line, nothing else."""

from pathlib import Path

from prometheus_client import generate_latest

from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.extensions import SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta
from orchestrator.runtime.tolerant_sink import TolerantSink
from orchestrator.sources.manifests.state import ManifestsSink

STATE = SpeakerState(metadata=ObjectMeta(name="n1"), spec=SpeakerStateSpec(node="n1"))


async def test_unwritable_folder_is_counted(tmp_path: Path) -> None:
    occupied = tmp_path / "state"
    occupied.write_text("a file where the folder should be")
    metrics = Metrics(SPEAKER_METRICS)
    await TolerantSink(ManifestsSink(occupied), metrics).write(STATE)
    assert "metallb_k8s_client_update_errors_total 1.0" in generate_latest(metrics.registry).decode()


async def test_what_can_be_written_is_written(tmp_path: Path) -> None:
    await TolerantSink(ManifestsSink(tmp_path), Metrics(SPEAKER_METRICS)).write(STATE)
    assert (tmp_path / "speakerstates" / "n1.yaml").is_file()
