"""Real processes: how they are started, read, ended and, after a supervisor's death, reaped."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import DaemonError, StartupError
from orchestrator.supervise import folder_lock, leftovers
from orchestrator.supervise.process import LINE_LIMIT, ChildProcess, Identity, Output, start_time
from tests.support.supervise import alive, until, wait_until


async def start(script: str, output: Output = Output.FORWARDED) -> ChildProcess:
    return await ChildProcess.start("sh", ["sh", "-c", script], output)


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[str]]:
    """A process that ignores TERM and has said so."""
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(99)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "deaf\n"
        try:
            yield process
        finally:
            process.kill()


async def test_output_of_both_streams_comes_line_by_line() -> None:
    lines: list[str] = []
    process = await start("echo one; echo two >&2; printf 'no end'; exit 3")
    assert await process.wait(lines.append) == 3
    assert sorted(lines) == ["no end", "one", "two"]


async def test_endless_line_is_cut() -> None:
    lines: list[str] = []
    process = await start(f"head -c {LINE_LIMIT * 3} /dev/zero | tr '\\0' x")
    await process.wait(lines.append)
    assert sum(map(len, lines)) == LINE_LIMIT * 3
    assert max(map(len, lines)) <= LINE_LIMIT * 2


async def test_grandchild_that_holds_the_pipe_does_not_delay_the_end() -> None:
    lines: list[str] = []
    process = await start("sleep 60 & echo $!")
    async with asyncio.timeout(20):
        assert await process.wait(lines.append) == 0
    os.kill(int(lines[0]), signal.SIGKILL)


async def test_process_has_a_session_of_its_own() -> None:
    process = await start("exec sleep 60")
    assert os.getsid(process.identity.pid) == process.identity.pid
    assert process.identity.start_time == start_time(process.identity.pid)
    await process.end(5.0)
    assert await process.wait(print) == -signal.SIGTERM


async def test_process_that_ignores_term_is_killed_with_its_group() -> None:
    lines: list[str] = []
    process = await start("trap '' TERM; sleep 60 & echo $!; while :; do wait; done")
    async with asyncio.TaskGroup() as tasks:
        ended = tasks.create_task(process.wait(lines.append))
        await until(lambda: bool(lines), "trap set")
        await process.end(0.2)
    assert ended.result() == -signal.SIGKILL
    await until(lambda: not alive(int(lines[0])), "end of the grandchild")


async def test_program_that_cannot_be_executed_is_a_daemon_error(tmp_path: Path) -> None:
    with pytest.raises(DaemonError, match=r"bgpd: start: .*No such file"):
        await ChildProcess.start("bgpd", [str(tmp_path / "bgpd")], Output.FORWARDED)


def test_start_time_of_a_process_that_is_gone_or_a_zombie_is_none() -> None:
    with subprocess.Popen(["true"]) as process:
        wait_until(lambda: start_time(process.pid) is None, "zombie")
    assert start_time(process.pid) is None


def test_reap_kills_what_ignores_term(stubborn: subprocess.Popen[str]) -> None:
    child = Identity(name="bgpd", pid=stubborn.pid, start_time=start_time(stubborn.pid) or 0)
    assert leftovers.reap([child], 0.2) == (child,)
    assert stubborn.wait(timeout=10) == -signal.SIGKILL


def test_reap_leaves_processes_with_another_start_time_alone(stubborn: subprocess.Popen[str]) -> None:
    began = time.monotonic()
    child = Identity(name="bgpd", pid=stubborn.pid, start_time=(start_time(stubborn.pid) or 0) + 1)
    assert leftovers.reap([child], 5.0) == ()
    assert alive(stubborn.pid)
    assert time.monotonic() - began < 5.0


def test_list_of_children_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "children.json"
    children = (Identity(name="bfdd", pid=2, start_time=20), Identity(name="bgpd", pid=1, start_time=10))
    leftovers.write_children(path, reversed(children))
    assert leftovers.read_children(path) == children
    assert leftovers.read_children(tmp_path / "absent") == ()


@pytest.mark.parametrize("text", ["", "{}", '[{"name": "bgpd", "pid": "1", "start_time": 1}]'])
def test_unreadable_list_of_children_counts_as_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "children.json"
    path.write_text(text)
    assert leftovers.read_children(path) == ()


def test_folder_is_held_by_one_and_free_afterwards(tmp_path: Path) -> None:
    with folder_lock.hold(tmp_path, "supervisor"):
        second = folder_lock.hold(tmp_path, "supervisor")
        with pytest.raises(StartupError, match=f"pid {os.getpid()};"):
            second.__enter__()
    with folder_lock.hold(tmp_path, "supervisor"):
        assert (tmp_path / "supervisor.lock").read_text() == f"{os.getpid()}\n"
