"""`ferrule crds` prints what `kubectl apply` takes, or writes one file each."""

from pathlib import Path

import pytest
import yaml

from orchestrator.cli.main import main
from orchestrator.resources.schema import DEFINED, definition


def test_printed_definitions_are_one_stream(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crds"]) == 0
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    assert documents == [definition(kind) for kind in DEFINED]


def test_written_definitions_are_one_file_each(tmp_path: Path) -> None:
    assert main(["crds", "--out", str(tmp_path / "crds")]) == 0
    written = {yaml.safe_load(path.read_text())["metadata"]["name"] for path in (tmp_path / "crds").iterdir()}
    assert written == {f"{kind.plural}.{kind.group}" for kind in DEFINED}
