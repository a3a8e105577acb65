"""One process of a kind per folder: a locked file, which the kernel frees with the process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import StartupError


@contextmanager
def hold(folder: Path, role: str) -> Iterator[None]:
    """Hold `folder` as its only process of `role`; raises StartupError naming the pid of the one that has it."""
    descriptor = os.open(folder / f"{role}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        _lock(descriptor, folder, role)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, role: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
        raise StartupError(
            f"{folder} belongs to the {role} with pid {holder}; end it, or use another folder"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
