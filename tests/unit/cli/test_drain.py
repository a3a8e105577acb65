from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.resources.core import ANNOTATION_DRAIN
from orchestrator.resources.encode import encode_object
from orchestrator.resources.extensions import DrainReport, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta
from orchestrator.sources.manifests.writing import to_yaml

NODE = "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "node.yaml").write_text(NODE)
    (tmp_path / "state" / "speakerstates").mkdir(parents=True)
    return tmp_path


def drain(folder: Path, *words: str) -> int:
    return main(["drain", "--source", f"manifests:{folder / 'manifests'}", "--state", str(folder / "state"), *words])


def say(folder: Path, report: DrainReport) -> None:
    """What the node's speaker would have said."""
    state = SpeakerState(metadata=ObjectMeta(name="n1"), spec=SpeakerStateSpec(node="n1", drain=report))
    (folder / "state" / "speakerstates" / "n1.yaml").write_text(to_yaml(encode_object(state)))


def annotated(folder: Path) -> bool:
    path = folder / "state" / "nodes" / "n1.yaml"
    return path.exists() and ANNOTATION_DRAIN in path.read_text()


def test_node_without_a_speaker_is_asked_and_the_person_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drain(folder, "n1", "--wait", "0.1") == 1
    assert "no speaker of this node has said anything" in capsys.readouterr().out
    assert annotated(folder)
    assert drain(folder, "n1", "--undo", "--wait", "0") == 0
    assert not annotated(folder)


@pytest.mark.parametrize(
    ("report", "words", "status", "text"),
    [
        (DrainReport(stage="withdrawn", by="x"), (), 0, "n1: announces nothing any more, until undone"),
        (DrainReport(stage="marked", by="x"), (), 1, "n1: after 0.1 s routes carry GRACEFUL_SHUTDOWN"),
        (
            DrainReport(stage="withdrawn", by="x", held_back=("default/web",), held_back_count=3),
            (),
            3,
            "n1: still announced, because no other node would: default/web and 2 more; announce them from another node",
        ),
        (DrainReport(stage="withdrawn", by="x", forced=True), ("--force",), 0, "n1: announces nothing any more"),
        (DrainReport(), ("--undo",), 0, "n1: announces again"),
        (DrainReport(stage="withdrawn", by="taint k"), ("--undo",), 1, "n1: after 0.1 s still drained: taint k"),
    ],
)
def test_status_and_sentence_follow_the_speaker(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    report: DrainReport,
    words: tuple[str, ...],
    status: int,
    text: str,
) -> None:
    say(folder, report)
    assert drain(folder, "n1", "--wait", "0.1", *words) == status
    assert capsys.readouterr().out.startswith(text)


def test_undo_names_an_annotation_that_stands_in_a_manifest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "manifests" / "node.yaml").write_text(
        NODE.replace("n1}", f'n1, annotations: {{{ANNOTATION_DRAIN}: "true"}}}}')
    )
    say(folder, DrainReport(stage="withdrawn", by=f"annotation {ANNOTATION_DRAIN}"))
    assert drain(folder, "n1", "--undo", "--wait", "0.1") == 1
    assert "the annotation stands in a manifest, remove it there" in capsys.readouterr().out


def test_drained_nodes_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drain(folder) == 0
    assert capsys.readouterr().out == "no node is drained\n"
    say(folder, DrainReport(stage="withdrawn", by="taint k"))
    assert drain(folder) == 0
    assert capsys.readouterr().out == "n1: routes are withdrawn (taint k)\n"


def test_unknown_node_and_flags_without_one_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert drain(folder, "n2") == 1
    assert "there is no node n2; known nodes: n1" in capsys.readouterr().err
    assert drain(folder, "--force") == 2
