from pathlib import Path

from orchestrator.settings import RunFolder

RUN = Path("/run/ferrule")


def test_files_of_an_frr_that_runs_elsewhere_start_no_daemon_here() -> None:
    elsewhere = RunFolder(RUN, frr_sockets=Path("/run/frr"))
    assert elsewhere.vty("bgpd") == Path("/run/frr/bgpd.vty")
    assert elsewhere.frr_conf == RunFolder(RUN).frr_conf
    assert elsewhere.daemon_conf("bgpd") != RunFolder(RUN).daemon_conf("bgpd")
