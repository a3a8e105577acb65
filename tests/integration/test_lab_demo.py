import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from orchestrator.lab import namespaces, record
from orchestrator.lab.probes import until
from orchestrator.lab.steps import STEPS

NAME = f"show{os.getpid()}"
LAB = [sys.executable, "-m", "orchestrator", "lab"]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    found = namespaces.names(f"fl-{NAME}-"), record.LabFolder.of(NAME).path.exists()
    record.clear(NAME)
    assert found == ([], False)


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    action, *rest = arguments
    return subprocess.run(
        [*LAB, action, "--name", NAME, *rest], capture_output=True, text=True, timeout=100, check=False
    )


def test_every_step_of_the_demo_holds() -> None:
    done = lab("demo")
    summary = done.stdout.rpartition("summary")[2].splitlines()[2:]
    assert [line.split()[-1] for line in summary] == ["yes"] * len(STEPS), done.stdout + done.stderr
    assert done.returncode == 0
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_demo_leaves_nothing(number: signal.Signals, status: int) -> None:
    with subprocess.Popen([*LAB, "demo", "--name", NAME], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        next(line for line in demo.stdout if line.startswith("1."))
        demo.send_signal(number)
        demo.stdout.read()
        assert demo.wait(20) == status


def test_demo_interrupted_while_the_network_is_wired_leaves_nothing() -> None:
    with subprocess.Popen([*LAB, "demo", "--name", NAME], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as demo:
        until(lambda: len(namespaces.names(f"fl-{NAME}-")) > 3, "some of the machines")
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=20)
        assert demo.returncode == 130


def test_lab_stays_up_until_it_is_taken_down() -> None:
    up = lab("up")
    assert up.returncode == 0, up.stdout + up.stderr
    try:
        status = json.loads(lab("status", "-o", "json").stdout)
        nodes = {one["name"]: one for one in status["machines"] if one["name"].startswith("node-")}
        assert all(len(node["running"]) == 2 and not node["ended"] for node in nodes.values())
        assert {one["name"]: one["addresses"] for one in status["services"]}["shop"] == ["203.0.113.50"]
        assert "node-a" in lab("status").stdout
        found = lab("exec", "node-b", "--", "ip", "-br", "address", "show", "eth0")
        assert "192.0.2.12/24" in found.stdout
        assert lab("exec", "node-x").returncode == 4
    finally:
        assert lab("down").returncode == 0


def test_absent_lab_is_reported() -> None:
    done = lab("status")
    assert done.returncode == 4
    assert f"ferrule lab up --name {NAME}" in done.stderr
