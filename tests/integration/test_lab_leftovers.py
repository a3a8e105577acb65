import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import StartupError
from orchestrator.lab import namespaces, processes, record, router
from orchestrator.lab.layout import NODES
from orchestrator.lab.topology import Lab

NAME = f"left{os.getpid()}"

BUILD_AND_HANG = f"""
import sys
from orchestrator.lab import processes, router
from orchestrator.lab.layout import NODES
from orchestrator.lab.topology import Lab
lab = Lab.up({NAME!r})
router.start(lab)
processes.start_endpoint(lab, NODES[0].endpoint)
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def killed_lab() -> Lab:
    """A lab whose maker was killed; the lab itself runs on."""
    with subprocess.Popen(
        [sys.executable, "-c", BUILD_AND_HANG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "up\n"
        maker.kill()
    return Lab.find(NAME)


def running(lab: Lab) -> list[int]:
    return [started.identity.pid for started in lab.processes if started.is_running]


def crash_logs(pids: list[int]) -> list[Path]:
    return [path for pid in pids for path in record.CRASH_LOGS.glob(f"*.{pid}")]


def test_lab_outlives_its_maker_and_the_next_removes_all_of_it(killed_lab: Lab) -> None:
    old = running(killed_lab)
    assert len(old) == len(router.DAEMONS) + 1
    lab = Lab.up(NAME)
    try:
        assert running(killed_lab) == []
        assert crash_logs(old) == []
        assert lab.processes == ()
        router.start(lab)
        processes.start_endpoint(lab, NODES[0].endpoint)
    finally:
        new = running(lab)
        lab.down()
    assert len(new) == len(router.DAEMONS) + 1
    assert [pid for pid in new if Path(f"/proc/{pid}").exists()] == []
    assert crash_logs(new) == []
    assert namespaces.names(f"fl-{NAME}-") == []
    assert not record.LabFolder.of(NAME).path.exists()


def test_interrupted_build_is_removed_too() -> None:
    folder = record.LabFolder.of(NAME)
    record.write(folder, record.Record(machines=("switch", "never-made")))
    namespaces.Namespace.create(record.namespace_name(NAME, "switch"))
    record.clear(NAME)
    assert namespaces.names(f"fl-{NAME}-") == []
    assert not folder.path.exists()


def test_absent_lab_is_named_with_the_remedy() -> None:
    with pytest.raises(StartupError, match="ferrule lab up"):
        Lab.find(NAME)


def test_name_is_held_by_one_process() -> None:
    with (
        record.exclusive(NAME),
        pytest.raises(StartupError, match="in use"),
        record.exclusive(NAME),
    ):
        pass


@pytest.mark.parametrize("name", ["", "a/b", "..", "x" * 21, "a b"])
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(StartupError):
        record.LabFolder.of(name)
