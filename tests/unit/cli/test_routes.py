"""`ferrule routes` without a daemon: what it says when there is nothing to ask."""

from pathlib import Path

import pytest

from orchestrator.cli.main import CANNOT_START, FAILED, main


def said(capsys: pytest.CaptureFixture[str], run: Path) -> tuple[int, str]:
    return main(["routes", "--node", "a", "--run", str(run)]), capsys.readouterr().err


def test_folder_without_a_speaker_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = said(capsys, tmp_path)
    assert status == CANNOT_START
    assert "does a speaker run there?" in text


def test_folder_of_exabgp_says_why_it_cannot_be_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "exabgp.conf").write_text("# rendered\n")
    status, text = said(capsys, tmp_path)
    assert status == CANNOT_START
    assert "ExaBGP's API serves the speaker only" in text


def test_daemon_that_does_not_answer_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bgpd.conf").write_text("router bgp 65001\n")
    status, text = said(capsys, tmp_path)
    assert status == FAILED
    assert "bgpd does not answer" in text
