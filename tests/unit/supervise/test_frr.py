from pathlib import Path

import pytest

from orchestrator.errors import StartupError
from orchestrator.fsm.supervision import Program
from orchestrator.settings import RunFolder
from orchestrator.supervise import frr


@pytest.fixture
def installed(tmp_path: Path) -> frr.Installation:
    (tmp_path / "bin").mkdir()
    (tmp_path / "run").mkdir()
    return frr.Installation(binaries=tmp_path / "bin", files=RunFolder(tmp_path / "run"))


def program(installed: frr.Installation, name: str, *daemons: str) -> Program:
    return next(program for program in frr.programs(installed, daemons) if program.name == name)


def test_bgpd_alone_runs_without_zebra_and_does_not_listen(installed: frr.Installation) -> None:
    (alone,) = frr.programs(installed, ["bgpd"])
    folder = str(installed.files.path)
    assert frr.command(installed, alone) == (
        f"{installed.binaries}/bgpd",
        *("-f", f"{folder}/bgpd.conf", "-i", f"{folder}/bgpd.pid", "-z", f"{folder}/zserv.api"),
        *("--vty_socket", folder, "-A", "127.0.0.1", "-P", "0", "-u", "frr", "-g", "frr"),
        *("--log", "stdout", "--log-level", "informational"),
        *("-p", "0", "-Z"),
    )


def test_bgpd_waits_for_zebra_and_is_bound_to_it(installed: frr.Installation) -> None:
    assert [each.name for each in frr.programs(installed, ["bgpd", "bfdd", "zebra"])] == ["zebra", "bfdd", "bgpd"]
    bgpd = program(installed, "bgpd", "bgpd", "zebra")
    assert (bgpd.after, bgpd.bound_to) == (frozenset({"zebra"}), "zebra")
    assert "-Z" not in frr.command(installed, bgpd)


@pytest.mark.parametrize(
    ("line", "listens"),
    [
        (" neighbor 10.0.0.254 passive", True),
        (" bgp listen range 10.0.0.0/24 peer-group x", True),
        (" neighbor 10.0.0.254 description passive", False),
        ("! neighbor 10.0.0.254 passive", False),
    ],
)
def test_bgpd_listens_only_for_passive_neighbors(installed: frr.Installation, line: str, listens: bool) -> None:
    installed.files.daemon_conf("bgpd").write_text(f"router bgp 65001\n{line}\n")
    assert ("-p" not in frr.command(installed, program(installed, "bgpd", "bgpd"))) is listens


def test_zebra_keeps_foreign_routes(installed: frr.Installation) -> None:
    installed.files.daemon_conf("zebra").write_text("hostname n1\n")
    frr.write_start_file(installed, "zebra")
    start_file = installed.files.path / "zebra.start.conf"
    assert start_file.read_text() == frr.GUARD + "hostname n1\n"
    command = frr.command(installed, program(installed, "zebra", "zebra"))
    assert command[-3:] == ("-r", "-K", "2147483647")
    assert str(start_file) in command


def test_zebra_of_frr_10_starts_with_what_it_knows_of_the_guard_and_takes_over_routes(
    installed: frr.Installation,
) -> None:
    assert not frr.takes_over_routes(installed, "zebra")
    (installed.binaries / "mgmtd").touch()
    frr.write_start_file(installed, "zebra")
    assert (installed.files.path / "zebra.start.conf").read_text() == "no zebra nexthop kernel enable\n"
    assert frr.takes_over_routes(installed, "zebra")
    assert not frr.takes_over_routes(installed, "bgpd")


def test_bfdd_has_a_control_socket_of_its_own_before_frr_9(installed: frr.Installation) -> None:
    command = frr.command(installed, program(installed, "bfdd", "bfdd"))
    assert command[-2:] == ("--bfdctl", str(installed.files.path / "bfdd.sock"))
    (installed.binaries / "mgmtd").touch()
    assert "--bfdctl" not in frr.command(installed, program(installed, "bfdd", "bfdd"))


def test_mgmtd_comes_before_zebra_where_it_exists(installed: frr.Installation) -> None:
    (installed.binaries / "mgmtd").touch()
    assert [each.name for each in frr.programs(installed, ["zebra"])] == ["mgmtd", "zebra"]
    assert [each.name for each in frr.programs(installed, ["bgpd"])] == ["bgpd"]
    mgmtd, zebra = frr.programs(installed, ["zebra"])
    assert zebra.after == {"mgmtd"}
    assert "-f" not in frr.command(installed, mgmtd)
    assert frr.command(installed, mgmtd)[-2:] == ("-N", frr.path_space(installed.files))


def test_run_folders_of_the_same_name_do_not_share_the_sockets_of_mgmtd() -> None:
    one, other = (frr.path_space(RunFolder(Path(folder) / "run")) for folder in ("/a", "/b"))
    assert one != other
    assert "/" not in one


def test_missing_and_empty_documents_are_problems(installed: frr.Installation) -> None:
    assert "missing or empty" in (frr.document_problem(installed.files, "bgpd") or "")
    installed.files.daemon_conf("bgpd").write_text(" \n")
    assert "missing or empty" in (frr.document_problem(installed.files, "bgpd") or "")
    installed.files.daemon_conf("bgpd").write_text("! heading\n")
    assert frr.document_problem(installed.files, "bgpd") is None


def test_folder_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="too long for unix sockets"):
        frr.prepare_folder(tmp_path / ("x" * 100))
