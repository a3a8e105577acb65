"""What a supervisor leaves for its successor in the run folder: a list of its children.

The daemons outlive a supervisor that was killed (they change their user, which drops PR_SET_PDEATHSIG; experiments 1).
The successor ends those of the list whose pid still has the recorded start time, and touches nothing else.
"""

import os
import select
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import structlog

from orchestrator.supervise.process import Identity, start_time

log = structlog.get_logger()


def write_children(path: Path, children: Iterable[Identity]) -> None:
    """Replace the list of children, whole."""
    partial = path.with_name(path.name + ".new")
    partial.write_bytes(msgspec.json.encode(sorted(children, key=lambda child: child.name)))
    partial.replace(path)


def read_children(path: Path) -> tuple[Identity, ...]:
    """What the previous supervisor recorded; a file that is no such list is reported and counts as empty."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Identity, ...])
    except FileNotFoundError:
        return ()
    except msgspec.MsgspecError as error:
        log.warning("list of children unreadable, nothing is reaped", path=str(path), reason=str(error))
        return ()


def reap(children: Sequence[Identity], limit_s: float) -> tuple[Identity, ...]:
    """End those that still run, TERM then KILL; blocks up to `limit_s` before the KILL. Returns what was ended."""
    found = {child: descriptor for child in children if (descriptor := _open(child)) is not None}
    try:
        _signal(found.values(), signal.SIGTERM)
        stubborn = _wait(found.values(), limit_s)
        _signal(stubborn, signal.SIGKILL)
        _wait(stubborn, limit_s)
    finally:
        for descriptor in found.values():
            os.close(descriptor)
    return tuple(found)


def _open(child: Identity) -> int | None:
    """A descriptor of exactly this process: the pid cannot change hands between the check and the signal."""
    try:
        descriptor = os.pidfd_open(child.pid)
    except ProcessLookupError:
        return None
    if start_time(child.pid) == child.start_time:
        return descriptor
    os.close(descriptor)
    return None


def _signal(descriptors: Iterable[int], number: signal.Signals) -> None:
    for descriptor in descriptors:
        try:
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            continue


def _wait(descriptors: Iterable[int], limit_s: float) -> tuple[int, ...]:
    """Wait until all have ended; returns those that have not within `limit_s`."""
    poll, left = select.poll(), set(descriptors)
    for descriptor in left:
        poll.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + limit_s
    while left and (remaining := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(remaining * 1000):
            poll.unregister(descriptor)
            left.discard(descriptor)
    return tuple(left)
