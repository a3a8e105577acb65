"""A node with a supervisor and a router with FRR, in two network namespaces; and a speaker that only makes demands."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.apply.supervisor import SupervisorClient, SupervisorEvent
from orchestrator.fsm.supervision import Phase
from orchestrator.fsm.supervisor_api import Children, ChildReport, Tried
from orchestrator.lab.namespaces import Namespace, add_address, connect
from orchestrator.settings import FRR_DAEMON_FOLDER, RunFolder
from orchestrator.supervise.process import start_time
from tests.support.frr import forget_path_space
from tests.support.frr_versions import FrrVersion, binaries

REPOSITORY = Path(__file__).parents[2]
PREFIX = "192.0.2.1/32"
FOREIGN_ROUTES = ("203.0.113.0/24", "203.0.114.0/24")
DEADLINE_S = 30.0
_COUNTER = itertools.count()

NODE_BGPD = f"""
router bgp 65001
 bgp router-id 10.0.0.1
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 coalesce-time 0
 neighbor 10.0.0.254 remote-as 65100
 neighbor 10.0.0.254 timers connect 1
 address-family ipv4 unicast
  neighbor 10.0.0.254 activate
  network {PREFIX}
 exit-address-family
"""
ROUTER_BGPD = """
debug bgp updates in
router bgp 65100
 bgp router-id 10.0.0.254
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 coalesce-time 0
 neighbor 10.0.0.1 remote-as 65001
 neighbor 10.0.0.1 timers connect 1
 address-family ipv4 unicast
  neighbor 10.0.0.1 activate
 exit-address-family
"""
ZEBRA = "hostname n1\n"
BFDD = "bfd\n peer 10.0.0.254\n"


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return when the condition holds; fails after the deadline."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {deadline_s} s: {what}"
        time.sleep(0.01)


async def until(condition: Callable[[], bool], what: str) -> None:
    """As `wait_until`, while the event loop goes on."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    return start_time(pid) is not None


@dataclass
class Router:
    """FRR's bgpd as the node's neighbor; it logs each UPDATE."""

    folder: Path
    process: subprocess.Popen[str]

    def has_route(self) -> bool:
        return PREFIX in self.show("show bgp ipv4 unicast json")

    def show(self, command: str) -> str:
        words = ["vtysh", "--vty_socket", str(self.folder), "-d", "bgpd", "-c", command]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout

    def log(self) -> str:
        return (self.folder / "log").read_text()


@dataclass
class Supervised:
    """One running `ferrule supervise`; its standard output is read from a file."""

    process: subprocess.Popen[str]
    output: Path

    def lines(self) -> list[dict[str, object]]:
        """The JSON lines that are complete; a line that is no JSON fails here."""
        text = self.output.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def logged(self, event: str, **keys: object) -> list[dict[str, object]]:
        """Log lines whose event contains the text and whose keys are these."""
        return [line for line in self.lines() if event in str(line["event"]) and keys.items() <= line.items()]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DEADLINE_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=DEADLINE_S)


@dataclass
class Node:
    """The node's namespace and run folder; supervisors are started one after the other."""

    namespace: Namespace
    run: RunFolder
    version: FrrVersion
    supervisors: list[Supervised] = field(default_factory=list)

    def write(self, **documents: str) -> None:
        """Write documents as the speaker does: readable for the daemons, each at once."""
        for daemon, text in documents.items():
            partial = self.run.path / f".{daemon}.new"
            partial.write_text(text)
            shutil.chown(partial, group="frr")
            partial.chmod(0o640)
            partial.replace(self.run.daemon_conf(daemon))

    def supervise(self, *flags: str) -> Supervised:
        number = len(self.supervisors)
        output = self.run.path.parent / f"supervisor-{number}.log"
        words = [sys.executable, "-m", "orchestrator", "supervise", "--run", str(self.run.path), "--node", "n1"]
        words += ["--frr-bin", str(binaries(self.version)), *flags]
        with output.open("w") as stream:
            process = self.namespace.popen(words, stdout=stream, stderr=stream, cwd=REPOSITORY)
        supervised = Supervised(process, output)
        self.supervisors.append(supervised)
        wait_until(self.run.supervisor_socket.exists, "supervisor socket")
        return supervised

    def recorded(self) -> Mapping[str, int]:
        """name -> pid as in children.json"""
        return {child["name"]: child["pid"] for child in json.loads(self.run.children.read_bytes())}

    def kill(self, name: str) -> None:
        os.kill(self.recorded()[name], signal.SIGKILL)

    def add_foreign_routes(self) -> None:
        """What another FRR on this host would have installed: one with the metric that FRR itself uses."""
        for route, extra in zip(FOREIGN_ROUTES, ((), ("metric", "20")), strict=True):
            self.namespace.run(["ip", "route", "add", route, "via", "10.0.0.254", "proto", "bgp", *extra])

    def foreign_routes(self) -> str:
        return self.namespace.run(["ip", "route", "show", "proto", "bgp"]).stdout


class Speaker:
    """The speaker's part of the conversation."""

    def __init__(self, socket: Path) -> None:
        self.children: dict[str, ChildReport] = {}
        self.tried: list[Tried] = []
        self.client = SupervisorClient(socket, self._on_event)

    def _on_event(self, event: SupervisorEvent) -> None:
        if isinstance(event, Tried):
            self.tried.append(event)
        else:
            self.children = {child.name: child for child in event.children} if isinstance(event, Children) else {}

    def ready(self, *names: str) -> bool:
        return all(name in self.children and self.children[name].state is Phase.READY for name in names)

    def replaced(self, name: str, old: int) -> bool:
        """Ready, and another process than the one with the pid `old`."""
        return self.ready(name) and self.pid(name) != old

    def pid(self, name: str) -> int:
        pid = self.children[name].pid
        assert pid is not None
        return pid


@contextlib.asynccontextmanager
async def speaking(node: Node, *daemons: str) -> AsyncIterator[Speaker]:
    """A speaker that wants these daemons and is connected until the end of the block."""
    speaker = Speaker(node.run.supervisor_socket)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(speaker.client.run())
        speaker.client.want(daemons, "n1")
        await until(lambda: speaker.client.connected, "speaker connected")
        yield speaker
        running.cancel()


@contextlib.contextmanager
def node_and_router(version: FrrVersion = FrrVersion.MACHINE) -> Iterator[tuple[Node, Router]]:
    """A node (10.0.0.1) with FRR of this version and a router (10.0.0.254) on one cable; nothing of them is left at the end."""
    suffix = f"{os.getpid()}-{next(_COUNTER)}"
    base = Path(tempfile.mkdtemp(prefix="ferrule-supervise-"))
    base.chmod(0o755)
    spaces = [Namespace.create(f"sv-{name}-{suffix}") for name in ("n1", "r")]
    try:
        connect(spaces[0], "eth0", spaces[1], "eth0")
        for space, address in zip(spaces, ("10.0.0.1/24", "10.0.0.254/24"), strict=True):
            add_address(space, "eth0", address)
        node = Node(spaces[0], RunFolder(base / "run"), version)
        node.run.path.mkdir()
        with _router(spaces[1], base / "router") as router:
            yield node, router
    finally:
        for log in sorted(base.rglob("*log")):
            print(log.name, log.read_text(), sep="\n")  # pytest shows it with a failure
        for space in spaces:
            space.remove()
        shutil.rmtree(base)
        forget_path_space(RunFolder(base / "run"))


@contextlib.contextmanager
def _router(namespace: Namespace, folder: Path) -> Iterator[Router]:
    folder.mkdir()
    shutil.chown(folder, "frr", "frrvty")
    (folder / "vtysh.conf").touch()
    (folder / "bgpd.conf").write_text(ROUTER_BGPD)
    with (folder / "log").open("w") as log:
        process = namespace.popen(_router_command(folder), stdout=log, stderr=log)
        try:
            yield Router(folder, process)
        finally:
            process.kill()
            process.wait()


def _router_command(folder: Path) -> Sequence[str]:
    return [
        str(FRR_DAEMON_FOLDER / "bgpd"),
        *("-f", str(folder / "bgpd.conf"), "-i", str(folder / "bgpd.pid"), "-z", str(folder / "zserv.api")),
        *("--vty_socket", str(folder), "-A", "127.0.0.1", "-P", "0", "-u", "frr", "-g", "frr", "-Z"),
        *("--log", "stdout", "--log-level", "debugging"),
    ]
