"""Real FRR daemons in a namespace, started as the supervisor does it, and a router to peer with."""

import asyncio
import grp
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.apply.vty import VtyClient
from orchestrator.errors import OrchestratorError
from orchestrator.lab.namespaces import Namespace, add_address, connect
from orchestrator.render.canonical import Line, parse
from orchestrator.settings import RunFolder
from orchestrator.supervise import exabgp, frr
from tests.support.frr_versions import FrrVersion, binaries

PATIENCE_S = 20.0
FOLDERS_OF_PATH_SPACES = (Path("/run/frr"), Path("/var/lib/frr"))
"""Where FRR 10 makes a folder for each path space: for mgmtd's own sockets, and for nothing."""
FRR_GID = grp.getgrnam("frr").gr_gid


class Daemons:
    """FRR's daemons of one run folder and of one version, each started with the file that is there."""

    def __init__(self, namespace: Namespace, folder: Path, version: FrrVersion = FrrVersion.MACHINE) -> None:
        self.namespace = namespace
        self.run = RunFolder(folder)
        self.version = version
        self._children: dict[str, subprocess.Popen[str]] = {}

    def start(self, daemon: str, *flags: str) -> None:
        """Start; bgpd without zebra gets `-Z`, zebra of FRR 10 its mgmtd. Use `ask` or an announcer to wait for it."""
        program = binaries(self.version) / daemon
        alone = ["-Z"] if daemon == "bgpd" and "zebra" not in self._children else []
        space = ["-N", frr.path_space(self.run)] if daemon in {"zebra", "mgmtd"} and self.has_mgmtd else []
        conf = [] if daemon == "mgmtd" else ["-f", str(self.run.daemon_conf(daemon))]
        if daemon == "zebra" and self.has_mgmtd:
            self.start("mgmtd")
        with self.log(daemon).open("a") as output:
            self._children[daemon] = self.namespace.popen(
                [
                    str(program), *conf, *space, "-i", str(self.run.path / f"{daemon}.pid"), "-z", str(self.run.zserv),
                    "--vty_socket", str(self.run.path), "-A", "127.0.0.1", "-P", "0", "-u", "frr", "-g", "frr",
                    "--log", "stdout", *alone, *flags,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def has_mgmtd(self) -> bool:
        """True of FRR 10, where it has zebra's configuration and must be started with it."""
        return (binaries(self.version) / "mgmtd").exists()

    def start_exabgp(self) -> None:
        """Start ExaBGP with the file that is there."""
        words = exabgp.command(("server", str(self.run.daemon_conf("exabgp"))))
        with self.log("exabgp").open("a") as output:
            self._children["exabgp"] = self.namespace.popen(list(words), stdout=output, stderr=subprocess.STDOUT)

    def pid(self, daemon: str) -> int:
        return self._children[daemon].pid

    def log(self, daemon: str) -> Path:
        return self.run.path / f"{daemon}.log"

    def kill(self, daemon: str) -> None:
        """End it as a crash does."""
        child = self._children.pop(daemon)
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=10)

    async def ask(self, daemon: str, *commands: str) -> list[str]:
        """What the commands print, over a connection of their own. Raises DaemonError for a refused one."""
        client = await VtyClient.connect(daemon, self.run.vty(daemon), patience_s=PATIENCE_S)
        try:
            return [await client.run(command) for command in commands]
        finally:
            client.close()

    async def json(self, command: str) -> Any:
        return json.loads((await self.ask("bgpd", command))[0])

    async def running(self, daemon: str = "bgpd") -> frozenset[Line]:
        return parse((await self.ask(daemon, "show running-config"))[0])


@contextmanager
def run_folder() -> Iterator[Path]:
    """A run folder that daemons of user frr can use; removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="fr-"))
    os.chown(folder, pwd.getpwnam("frr").pw_uid, grp.getgrnam("frrvty").gr_gid)
    folder.chmod(0o770)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        forget_path_space(RunFolder(folder))


def forget_path_space(run: RunFolder) -> None:
    """Remove the folders that FRR 10 makes outside the run folder."""
    for folder in FOLDERS_OF_PATH_SPACES:
        shutil.rmtree(folder / frr.path_space(run), ignore_errors=True)


@contextmanager
def namespace(role: str) -> Iterator[Namespace]:
    """A namespace that ends with everything in it."""
    made = Namespace.create(f"fr{os.getpid()}{role}")
    try:
        yield made
    finally:
        made.remove()


@contextmanager
def daemons(role: str, version: FrrVersion = FrrVersion.MACHINE) -> Iterator[Daemons]:
    """An empty run folder in a namespace of its own, for daemons of this version."""
    with run_folder() as folder, namespace(role) as made:
        yield Daemons(made, folder, version)


@contextmanager
def node_and_router(version: FrrVersion = FrrVersion.MACHINE) -> Iterator[tuple[Daemons, Daemons]]:
    """A node (10.99.0.1, fd99::1) of this version and a router (10.99.0.254, fd99::fe) with a cable, both called eth0."""
    with daemons("n", version) as node, daemons("r") as router:
        connect(node.namespace, "eth0", router.namespace, "eth0")
        for side, last in ((node, "1"), (router, "254")):
            add_address(side.namespace, "eth0", f"10.99.0.{last}/24")
        add_address(node.namespace, "eth0", "fd99::1/64")
        add_address(router.namespace, "eth0", "fd99::fe/64")
        yield node, router


ROUTER_CONFIG = """\
router bgp 65000
 bgp router-id 10.99.0.254
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 coalesce-time 0
 neighbor 10.99.0.1 remote-as {asn}
 neighbor 10.99.0.1 timers connect 1
 neighbor fd99::1 remote-as {asn}
 neighbor fd99::1 timers connect 1
{options} address-family ipv4 unicast
  neighbor 10.99.0.1 activate
 exit-address-family
 address-family ipv6 unicast
  neighbor fd99::1 activate
 exit-address-family
exit
"""


def start_router(router: Daemons, *, asn: int = 65001, options: str = "") -> None:
    """Start the router's bgpd; the node's AS number is `asn` (65000 makes it iBGP), `options` are lines for its instance."""
    router.run.daemon_conf("bgpd").write_text(ROUTER_CONFIG.format(asn=asn, options=options))
    router.run.daemon_conf("bgpd").chmod(0o644)
    router.start("bgpd")


async def note_updates(router: Daemons) -> None:
    """Have the router's bgpd log every route that it is sent from now on."""
    await eventually(lambda: router.ask("bgpd", "show version"), "the router's bgpd")
    await router.ask("bgpd", "debug bgp updates in")


def updates_of(router: Daemons) -> list[str]:
    """The prefixes that the router was sent since `note_updates`, in their order; a withdrawn one with a minus."""
    found = re.finditer(r" rcvd (?:UPDATE about )?(\S+/\d+) IPv[46] unicast(.*)", router.log("bgpd").read_text())
    return [f"-{each[1]}" if "withdrawn" in each[2] else each[1] for each in found]


async def eventually(condition: Callable[[], Awaitable[object]], what: str, patience_s: float = PATIENCE_S) -> None:
    """Return when the condition holds. An error of ours (a daemon that starts) counts as not yet."""
    deadline = time.monotonic() + patience_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = await condition()
        except (OrchestratorError, json.JSONDecodeError) as error:
            last = error
        if last and not isinstance(last, Exception):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what}: not within {patience_s} s, last: {last!r}")
