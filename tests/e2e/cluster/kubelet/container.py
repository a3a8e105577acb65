"""One run of a container: a process that is the first of its own process namespace, in mounts and a name of its own.

`unshare` waits for it and dies with it; when the kubelet is killed, both die (--pdeathsig, --kill-child).
"""

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.cluster.kubelet.rootfs import Mount, Root

DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")
OWN_NAMESPACES = ("unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child")
EXIT_GRACE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to start a container; `network` is its network namespace's file, `privileges` a setpriv command."""

    network: Path
    root: Path
    image: Path
    mounts: Sequence[Mount]
    read_only: bool
    hostname: str
    working_folder: str
    privileges: Sequence[str]
    environment: Mapping[str, str]
    command: Sequence[str]
    log: Path

    @property
    def prefix(self) -> list[str]:
        """The words that each command of the container follows, be it its own or a probe's."""
        return [*self.privileges, "--", "env", "-i", *(f"{key}={value}" for key, value in self.environment.items())]


class StartFailed(Exception):
    """The container's root could not be built."""


class RunningContainer:
    """Made by `start`."""

    def __init__(self, outer: asyncio.subprocess.Process, prefix: Sequence[str]) -> None:
        self._outer, self._prefix = outer, prefix
        self._was_killed = False
        self.pid = _child_of(outer.pid)

    @property
    def is_running(self) -> bool:
        return self._outer.returncode is None

    async def wait(self) -> int:
        """Return the exit code as Kubernetes has it: 128 + n after signal n (unshare makes a SIGKILL from others a 1)."""
        code = await self._outer.wait()
        if self._was_killed:
            return 128 + signal.SIGKILL
        return code if code >= 0 else 128 - code

    async def stop(self, grace_s: float) -> None:
        """SIGTERM to its first process; SIGKILL to all of them when the time is over."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, grace_s)):
                await self._outer.wait()
        if self.is_running:
            self._was_killed = True
            self._signal(signal.SIGKILL)
        await self._outer.wait()

    async def run(self, argv: Sequence[str], limit_s: float) -> bool:
        """Whether a command inside, as the container's user, ends with 0 in time."""
        enter = ["nsenter", "-t", str(self.pid), "--mount", "--pid", "--uts", "--ipc", "--net", "--"]
        process = await asyncio.create_subprocess_exec(
            *enter, *self._prefix, *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(limit_s):
                return await process.wait() == 0
        except TimeoutError:
            return False
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


async def start(recipe: Recipe) -> RunningContainer:
    """Start a container and return once its own command runs. Raises StartFailed with what was said."""
    reading, writing = os.pipe()
    root = Root(
        at=recipe.root,
        image=recipe.image,
        mounts=recipe.mounts,
        read_only=recipe.read_only,
        hostname=recipe.hostname,
        working_folder=recipe.working_folder,
        started_descriptor=writing,
    )
    # unshare (2.38) says something itself when its child was killed; only the container's words belong into its log.
    output = f"exec >>{shlex.quote(str(recipe.log))} 2>&1\n"
    script = output + root.script([*recipe.prefix, *recipe.command])
    argv = [*DIES_WITH_US, "nsenter", f"--net={recipe.network}", *OWN_NAMESPACES, "bash", "-e", "-c", script]
    recipe.log.touch()
    offset = recipe.log.stat().st_size
    outer = None
    try:
        outer = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL, pass_fds=[writing], start_new_session=True,
        )  # fmt: skip
        os.close(writing)
        writing = -1
        await _until_readable(reading)
        told = os.read(reading, 64)
    except BaseException:
        if outer is not None and outer.returncode is None:
            outer.kill()
        raise
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    if not told:
        await outer.wait()
        raise StartFailed(recipe.log.read_bytes()[offset:].decode(errors="replace").strip()[-500:])
    return RunningContainer(outer, recipe.prefix)


async def _until_readable(descriptor: int) -> None:
    """Return when there is something to read, or the end."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


def _child_of(pid: int) -> int:
    """The one process that `unshare` started; 0 if it has ended already."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                if int(path.joinpath("stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    return int(path.name)
    return 0
