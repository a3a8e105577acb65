from pathlib import Path

import pytest

from orchestrator.errors import StartupError
from orchestrator.fsm.supervision import Program
from orchestrator.settings import RunFolder
from orchestrator.supervise import exabgp


def test_command_line_leaves_nothing_to_a_file_of_the_machine() -> None:
    command = exabgp.command(("server", "/run/ferrule/exabgp.conf"))
    assert command[0] == "/usr/bin/env"
    assert {"exabgp_daemon_drop=false", "exabgp_api_cli=false", "exabgp_api_terminate=true"} <= set(command)
    assert any(word.startswith("exabgp_daemon_user=") and word != "exabgp_daemon_user=nobody" for word in command)
    assert command[-4:] == ("-m", "exabgp", "server", "/run/ferrule/exabgp.conf")


def test_helper_is_a_script_that_needs_nothing_of_ours() -> None:
    _, isolated, script, socket = exabgp.helper_command(RunFolder(Path("/run/ferrule")))
    assert (isolated, socket) == ("-ISE", "/run/ferrule/exabgp.sock")
    text = Path(script).read_text()
    assert "orchestrator" not in text
    assert "import asyncio" not in text


def test_it_runs_when_the_speaker_wants_it_and_its_document_is_there(tmp_path: Path) -> None:
    assert exabgp.programs(None, ("exabgp",)) == (Program(name="exabgp"),)
    assert exabgp.programs(None, ("bgpd", "zebra")) == ()
    files = RunFolder(tmp_path)
    assert exabgp.document_problem(files, "exabgp") == f"{tmp_path}/exabgp.conf is missing or empty"
    files.daemon_conf("exabgp").write_text("process x {}\n")
    assert exabgp.document_problem(files, "exabgp") is None
    assert exabgp.stale_files(files) == (tmp_path / "exabgp.sock",)


def test_run_folder_is_shared_by_its_group(tmp_path: Path) -> None:
    exabgp.prepare_folder(tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o7777 == 0o2770


def test_folder_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="too long"):
        exabgp.prepare_folder(tmp_path / ("x" * 100))
