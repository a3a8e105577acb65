"""`ferrule failover` and `ferrule arping` in a lab that serves: the address moves, the wire agrees, and it moves back."""

import json
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from orchestrator.cli.main import main
from orchestrator.lab import layout
from orchestrator.lab.objects import layer2_nodes
from orchestrator.lab.topology import Lab
from tests.support.running_lab import LIMIT_S, address_of, owner, process, running_lab, wait


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab("byhand") as running:
        yield running


def failover(lab: Lab, *words: str) -> int:
    folders = ["--source", f"manifests:{lab.folder.manifests}", "--state", str(lab.folder.state)]
    return main(["failover", *folders, "--wait", str(LIMIT_S), *words])


def asked(lab: Lab, address: str) -> tuple[int, dict[str, object]]:
    words = ["arping", "-o", "json", "--timeout", "5", "--state", str(lab.folder.state), address]
    done = lab.machines[layout.NEIGHBOR].run(
        [sys.executable, "-m", "orchestrator", *words], check=False, timeout_s=LIMIT_S
    )
    return done.returncode, json.loads(done.stdout)


def test_address_moves_by_hand_and_back(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    address = address_of(lab, "intranet")
    before = wait(lambda: owner(lab), "an owner")
    assert asked(lab, address)[1]["expected"] == [before]
    assert failover(lab, address) == 0
    away = wait(lambda: owner(lab), "an owner after the move")
    assert away != before
    status, said = asked(lab, address)
    assert (status, said["verdict"], said["expected"]) == (0, "expected", [away])
    third = next(node.name for node in layout.NODES if node.name not in (before, away))
    assert failover(lab, address, "--to", third) == 0
    assert wait(lambda: owner(lab), "an owner after the second move") == third
    assert failover(lab, address, "--undo") == 0
    wait(lambda: owner(lab) == before or None, "the elected owner again")


def test_new_owner_removes_the_statuses_of_a_speaker_that_hangs(lab: Lab) -> None:
    """Its responder lives, so the new owner gives it the time to remove them itself."""
    address = address_of(lab, "intranet")
    before = wait(lambda: owner(lab), "an owner")
    wait(lambda: layer2_nodes(lab, "intranet") == [before], "its status alone")
    pid = process(lab, f"speaker-{before}").identity.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        assert failover(lab, address) == 0
        (away,) = wait(lambda: layer2_nodes(lab, "intranet"), "an owner after the move")
        assert away != before
        wait(lambda: layer2_nodes(lab, "intranet-admin") == [away], "the same of the other Service")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert failover(lab, address, "--undo") == 0
    wait(lambda: layer2_nodes(lab, "intranet") == [before], "the elected owner again")
