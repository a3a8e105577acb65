"""How processes of ours are made to end: every way to hit every one of them is a card of a shuffled deck.

Which process a card means is found when it is played; whoever is gone at that moment has been hit already.
"""

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random
from typing import Any

from tests.e2e.cluster.cluster import SYSTEM_NAMESPACE, Cluster

DAEMONS = ("bgpd", "zebra", "bfdd", "responder")
CONTROLLERS = ("controller 0", "controller 1")
"""By the order of their pods' names."""


class Way(Enum):
    KILL = "SIGKILL"
    STOP = "SIGSTOP for a while"
    DELETE = "kubectl delete pod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """`place` is a node or one of CONTROLLERS; `daemon` empty means the whole container."""

    way: Way
    place: str
    container: str
    daemon: str = ""

    def __str__(self) -> str:
        return f"{self.way.value} {self.place} {self.container}{f' ({self.daemon})' if self.daemon else ''}"


def all_blows(nodes: list[str]) -> list[Blow]:
    """Every card, in the same order each time."""
    found = [Blow(way=way, place=place, container="controller") for place in CONTROLLERS for way in Way]
    for node in nodes:
        found += [Blow(way=way, place=node, container="speaker") for way in Way]
        found.append(Blow(way=Way.KILL, place=node, container="frr"))
        found += [Blow(way=Way.KILL, place=node, container="frr", daemon=daemon) for daemon in DAEMONS]
        found += [Blow(way=Way.STOP, place=node, container="frr", daemon=each) for each in ("bgpd", "responder")]
    return found


def deck(nodes: list[str], random: Random) -> Iterator[Blow]:
    """All cards in random order, and then again, without an end."""
    cards = all_blows(nodes)
    while True:
        random.shuffle(cards)
        yield from tuple(cards)


@dataclass(slots=True)
class Striker:
    """Plays cards, and lets stopped processes go on in time."""

    cluster: Cluster
    _stopped: list[tuple[float, int]] = field(default_factory=list)
    """When to go on (monotonic), and a pidfd: a number may be another process by then."""

    def strike(self, blow: Blow, pause_s: float) -> bool:
        """Whether there was somebody to hit; `pause_s` is how long a stopped one stays so."""
        pod = self._pod(blow)
        if pod is None:
            return False
        name = pod["metadata"]["name"]
        if blow.way is Way.DELETE:
            self.cluster.kubectl("delete", "pod", name, "-n", SYSTEM_NAMESPACE, "--wait=false")
            return True
        try:
            pids = self.cluster.pod_processes(name, blow.container, SYSTEM_NAMESPACE)
        except (OSError, AssertionError, ValueError):
            return False  # its container is being started
        hit = [pid for pid in pids if not blow.daemon or _is(pid, blow.daemon)]
        for pid in hit:
            self._hit(pid, blow.way, pause_s)
        return bool(hit)

    def wake(self) -> None:
        """Let those go on whose time has come."""
        now = time.monotonic()
        for due, handle in [each for each in self._stopped if each[0] <= now]:
            self._resume(handle)
            self._stopped.remove((due, handle))

    def wake_all(self) -> None:
        while self._stopped:
            self._resume(self._stopped.pop()[1])

    def _hit(self, pid: int, way: Way, pause_s: float) -> None:
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            signal.pidfd_send_signal(handle, signal.SIGKILL if way is Way.KILL else signal.SIGSTOP)
            if way is Way.STOP:
                self._stopped.append((time.monotonic() + pause_s, handle))
            else:
                os.close(handle)

    def _resume(self, handle: int) -> None:
        ended, _, _ = select.select([handle], [], [], 0)
        if not ended:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGCONT)
        os.close(handle)

    def _pod(self, blow: Blow) -> dict[str, Any] | None:
        component = "controller" if blow.place in CONTROLLERS else "speaker"
        found = self.cluster.pods(f"ferrule.io/component={component}", namespace=SYSTEM_NAMESPACE)
        alive = [pod for pod in found if "deletionTimestamp" not in pod["metadata"] and pod["spec"].get("nodeName")]
        if component == "controller":
            number = CONTROLLERS.index(blow.place)
            return alive[number] if number < len(alive) else None
        return next((pod for pod in alive if pod["spec"]["nodeName"] == blow.place), None)


def _is(pid: int, daemon: str) -> bool:
    """Whether this process is that daemon: FRR's by name, ours by its command."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    if daemon == "responder":
        return b"respond" in words
    return Path(os.fsdecode(words[0])).name == daemon
