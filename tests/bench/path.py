"""The whole path with one node: a lab's network and router, a controller, one node's supervisor and speaker."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from subprocess import CalledProcessError

import msgspec

from orchestrator.lab import layout, probes, processes, router, topology
from orchestrator.lab.topology import Lab
from orchestrator.net.bgp import BgpEngine
from tests.bench import manifests
from tests.bench.processes import cpu_s

NODE = layout.NODES[0].name
SPEAKER = f"speaker-{NODE}"
SUPERVISOR = f"supervise-{NODE}"
CONTROLLER = "controller"
CONFIGURATIONS = {BgpEngine.FRR: manifests.CONFIGURATION, BgpEngine.EXABGP: manifests.EXABGP_CONFIGURATION}
UNDAMPED = ("--damping-limit", "0")
"""Benches take one endpoint away again and again."""
START_LIMIT_S = 300.0
QUIET_S = 0.1
"""CPU time per second of a speaker and a controller that have nothing to do, audits included."""


class LogLine(msgspec.Struct, frozen=True):
    """What benchmarks look at in a log line."""

    event: str = ""
    ts: str = ""

    @property
    def instant(self) -> float:
        """When it was written, seconds since the epoch."""
        return datetime.fromisoformat(self.ts).timestamp()


class _Peer(msgspec.Struct, frozen=True, rename="camel"):
    pfx_rcd: int = 0


class _Summary(msgspec.Struct, frozen=True):
    peers: dict[str, _Peer] = {}


@dataclass(slots=True)
class RunningPath:
    """`started` is when each process was started, seconds since the epoch."""

    lab: Lab
    engine: BgpEngine = BgpEngine.FRR
    started: dict[str, float] = field(default_factory=dict)

    def start_speaker(self) -> None:
        self.started[SPEAKER] = time.time()
        processes.start_speaker(self.lab, NODE, ["--bgp-engine", self.engine.value, *UNDAMPED])

    def start_supervisor(self) -> None:
        self.started[SUPERVISOR] = time.time()
        processes.start_supervisor(self.lab, NODE, self.engine)

    def start_controller(self) -> None:
        self.started[CONTROLLER] = time.time()
        processes.start_controller(self.lab)

    def pid(self, process: str) -> int:
        """The pid of the newest process of that name."""
        return [each.identity.pid for each in self.lab.processes if each.identity.name == process][-1]

    def logged(self, process: str, event: str) -> list[LogLine]:
        """What the newest process of that name has logged of an event, in order."""
        found = logged_in(self.lab.folder.logs / f"{process}.log", event)
        return [line for line in found if line.instant > self.started[process]]

    def until_logged_s(self, process: str, event: str) -> float:
        """Seconds from the start of a process to its first log line of that event, waited for."""
        found = probes.until(lambda: self.logged(process, event), f"{event} of {process}", limit_s=START_LIMIT_S)
        return found[0].instant - self.started[process]

    def until_routed_s(self, routes: int) -> float:
        """Seconds from the start of the speaker until the router has that many routes, looked at every 50 ms."""
        what = f"{routes} routes at the router"
        probes.until(lambda: self._routes() == routes, what, limit_s=START_LIMIT_S, interval_s=0.05)
        return time.time() - self.started[SPEAKER]

    def settle(self, services: int) -> None:
        """Return when the router has all routes and nothing of the start is left to do: no CPU used for a second."""
        self.until_routed_s(services)
        pids = [self.pid(CONTROLLER), self.pid(SPEAKER)]
        probes.until(lambda: _used_s(pids) < QUIET_S, "quiet processes", limit_s=START_LIMIT_S)

    def stop(self, process: str) -> None:
        """End a process in order and wait for it."""
        pid = self.pid(process)
        os.kill(pid, signal.SIGTERM)
        probes.until(lambda: not Path(f"/proc/{pid}/status").exists() or _is_zombie(pid), f"the end of {process}")

    def _routes(self) -> int | None:
        """How many prefixes the router has from the node; None while its bgpd does not answer."""
        question = "show bgp ipv4 unicast summary json"
        try:
            text = router.vtysh(self.lab, self.lab.machines[layout.ROUTER], self.lab.folder.router, question)
        except CalledProcessError:
            return None
        peer = msgspec.json.decode(text, type=_Summary).peers.get(str(layout.node(NODE).address))
        return peer.pfx_rcd if peer else 0


def logged_in(log: Path, event: str) -> list[LogLine]:
    """The lines of an event in a log, in order."""
    lines = [line for line in log.read_text().splitlines() if f'"event": "{event}"' in line]
    return [msgspec.json.decode(line, type=LogLine) for line in lines]


@contextmanager
def running_path(services: int, engine: BgpEngine = BgpEngine.FRR, configuration: str = "") -> Iterator[RunningPath]:
    """A started path over that many Services of which nobody has an address yet; gone afterwards, whatever happens."""
    with temporary_lab("bench") as lab:
        lab.write_manifest("nodes.yaml", (topology.manifest_folder() / "nodes.yaml").read_text())
        lab.write_manifest("configuration.yaml", configuration or CONFIGURATIONS[engine])
        lab.write_manifest("many.yaml", manifests.many_services(services, NODE))
        router.start(lab)
        path = RunningPath(lab, engine)
        path.start_supervisor()
        path.start_speaker()
        path.start_controller()
        yield path


@contextmanager
def temporary_lab(purpose: str) -> Iterator[Lab]:
    """A lab with nothing started; gone afterwards, whatever happens. A failure shows the logs."""
    lab = Lab.up(f"{purpose}{os.getpid()}")
    try:
        yield lab
    except Exception:
        _show_logs(lab)
        raise
    finally:
        with _undisturbed():
            lab.down()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait: removing the files of 10 000 Services takes a second."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _used_s(pids: list[int], during_s: float = 1.0) -> float:
    before = sum(map(cpu_s, pids))
    time.sleep(during_s)
    return sum(map(cpu_s, pids)) - before


def _is_zombie(pid: int) -> bool:
    """The lab's runner has not fetched the status of its child yet."""
    return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()


def _show_logs(lab: Lab, lines: int = 10) -> None:
    """Print the end of every process' log: the lab will be gone."""
    for path in sorted(lab.folder.logs.glob("*.log")):
        print(f"--- {path.name}", *path.read_text().splitlines()[-lines:], sep="\n", file=sys.stderr)
