"""The command itself: help, exit statuses, what happens to errors and closed pipes."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli import main as cli
from orchestrator.supervise import folder_lock
from orchestrator.version import __version__

LAZY = ("asyncio", "jinja2", "msgspec", "prometheus_client", "pyroute2", "rich", "structlog", "yaml")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["--help"])
    assert exit_info.value.code == 0
    printed = capsys.readouterr().out
    assert all(f"    {command.name}" in printed for command in cli.COMMANDS)


@pytest.mark.parametrize("command", [command.name for command in cli.COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main([command, "--help"])
    assert exit_info.value.code == 0
    assert f"ferrule {command}" in capsys.readouterr().out


def test_help_imports_nothing_that_takes_time() -> None:
    code = f"import sys; from orchestrator.cli.main import build_parser; build_parser(None).format_help(); print(sorted(set({LAZY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"ferrule {__version__}\n"


def test_unknown_command_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["announce"])
    assert exit_info.value.code == 2


def test_source_must_be_a_folder_of_manifests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for source in (str(tmp_path), "manifests:", f"manifests:{tmp_path}/absent"):
        with pytest.raises(SystemExit) as exit_info:
            cli.main(["controller", "--source", source, "--state", str(tmp_path)])
        assert exit_info.value.code == 2
    assert "manifests:DIR" in capsys.readouterr().err


def test_unknown_daemon_group_cannot_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = ["--source", f"manifests:{tmp_path}", "--state", str(tmp_path), "--run", str(tmp_path)]
    quiet = ["--port", "0", "--health-probe-port", "0"]
    status = cli.main(["speaker", "--node", "n1", "--daemon-group", "no-such-group", *folders, *quiet])
    assert status == 4
    assert 'ferrule speaker: there is no group "no-such-group" here' in capsys.readouterr().err


def test_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: s%d}\nspec: {loadBalncerIP: x}\n---\n"
    (tmp_path / "many.yaml").write_text("".join(service % number for number in range(2000)))
    lint = [sys.executable, "-m", "orchestrator", "lint", str(tmp_path)]
    with subprocess.Popen(lint, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        errors = child.stderr.read()
    assert "Traceback" not in errors
    assert child.returncode == 141


def test_second_controller_of_a_state_folder_cannot_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = ["--port", "0", "--health-probe-port", "0"]
    with folder_lock.hold(tmp_path, "controller"):
        status = cli.main(["controller", "--source", f"manifests:{tmp_path}", "--state", str(tmp_path), *quiet])
    assert status == 4
    assert f"ferrule controller: {tmp_path} belongs to the controller with pid" in capsys.readouterr().err
