"""One child process: started in a session of its own, its output read, ended with TERM and then KILL.

A process is its pid and its start time: a pid alone may belong to somebody else by the time it is used.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Self

import msgspec

from orchestrator.errors import DaemonError

LINE_LIMIT = 64 * 1024
"""Octets of output without a line end that are reported as one line."""
DRAIN_LIMIT_S = 1.0
"""How long output is read on after the end: a grandchild may hold the pipe open for ever."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """`start_time` in clock ticks since boot (field 22 of /proc/PID/stat)."""

    name: str
    pid: int
    start_time: int


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if it does not run (any more)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command in field 2 may hold blanks and parentheses, so counting begins after its last one, at field 3.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


class Output(Enum):
    """Where a child's output goes. INHERITED is for children that write our own JSON lines."""

    FORWARDED = "forwarded"
    INHERITED = "inherited"


class ChildProcess:
    """A running child. `wait` must be awaited once, by one task: it also forwards the output."""

    def __init__(self, identity: Identity, process: asyncio.subprocess.Process, output: int | None) -> None:
        self.identity = identity
        self._process = process
        self._output = output

    @classmethod
    async def start(cls, name: str, command: Sequence[str], output: Output) -> Self:
        """Raises DaemonError if the program cannot be executed.

        The pipe is our own: asyncio's `wait` would also wait for the end of one that it made (Python 3.11).
        """
        reading, writing = os.pipe() if output is Output.FORWARDED else (None, None)
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=writing, stderr=writing, start_new_session=True
            )
        except OSError as error:
            _close(reading)
            raise DaemonError(name, "start", f"{error.filename or command[0]}: {error.strerror}") from error
        finally:
            _close(writing)
        started = start_time(process.pid)
        return cls(Identity(name=name, pid=process.pid, start_time=started or 0), process, reading)

    async def wait(self, on_line: Callable[[str], None]) -> int:
        """Return the exit status (negative: the signal) once the process has ended; `on_line` gets each line."""
        async with asyncio.TaskGroup() as tasks:
            forwarding = tasks.create_task(self._forward(on_line))
            status = await self._process.wait()
            await asyncio.wait([forwarding], timeout=DRAIN_LIMIT_S)
            forwarding.cancel()
        return status

    async def end(self, limit_s: float) -> None:
        """TERM, and KILL for its whole process group after `limit_s`; returns when the process has ended."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), limit_s)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """Until the status is fetched the pid, which is the group's too, cannot be given to another process."""
        if self._process.returncode is None:
            os.killpg(self.identity.pid, number)

    async def _forward(self, on_line: Callable[[str], None]) -> None:
        if self._output is None:
            return
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(self._output, "rb", buffering=0)
        )
        try:
            async for line in _lines(stream):
                on_line(line)
        finally:
            transport.close()


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield lines without their end; what exceeds LINE_LIMIT is cut."""
    rest = b""
    while chunk := await stream.read(LINE_LIMIT):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_LIMIT:
            whole, rest = [*whole, rest], b""
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")
