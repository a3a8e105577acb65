"""Goldens of the other engine: the same manifests -> exabgp.conf and API commands; `exabgp validate` accepts each file."""

import subprocess
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.supervise import exabgp

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/resources.yaml"))
NAMES = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_command_prints_the_golden(case: Path, golden_update: bool, capsys: pytest.CaptureFixture[str]) -> None:
    node = (case / "node.txt").read_text().strip()
    words = ["--bgp-engine", "exabgp", "--show-passwords", "--node", node, str(case / "resources.yaml")]
    status = main(["render", *words])
    printed = capsys.readouterr()
    complaints = printed.err.replace(f"{case}/", "")
    if golden_update:
        (case / "exabgp.conf").write_text(printed.out)
        (case / "exabgp-problems.txt").write_text(complaints)
    assert status == 0
    assert printed.out == (case / "exabgp.conf").read_text()
    assert complaints == (case / "exabgp-problems.txt").read_text()


def validated(path: Path) -> subprocess.CompletedProcess[str]:
    words = [*exabgp.command(("validate",)), str(path)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_exabgp_accepts_the_golden(case: Path) -> None:
    verdict = validated(case / "exabgp.conf")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_checker_notices_a_statement_that_exabgp_does_not_take(tmp_path: Path) -> None:
    text = (CASES[0] / "exabgp.conf").read_text()
    bad = tmp_path / "exabgp.conf"
    bad.write_text(text.replace("hold-time 180", "").replace("passive false;", "passive false;\n  hold-time soon;"))
    assert validated(bad).returncode != 0
