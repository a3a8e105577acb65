"""How each supervised program is started, known to be ready, and cleared away: the responder and FRR's daemons."""

import sys
from functools import partial
from pathlib import Path

from orchestrator.apply import kernel_routes
from orchestrator.apply.vty import VtyClient
from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.supervision import Program
from orchestrator.runtime.children import Recipe
from orchestrator.settings import SupervisorSettings
from orchestrator.supervise import exabgp, frr
from orchestrator.supervise.process import Output

RESPONDER = Program(name="responder")
DAEMON_LIMIT_S = 1.0
"""Between TERM and KILL; FRR's daemons need 20 ms."""
RESPONDER_LIMIT_S = 2.0
"""It hands its addresses over first, which takes up to 1 s."""

FRUGAL = ("/usr/bin/env", "MALLOC_ARENA_MAX=1", "MALLOC_MMAP_THRESHOLD_=65536", "MALLOC_TRIM_THRESHOLD_=65536")
"""Begins the responder's command: the C library gives back what a large table took for a moment (mallopt(3)).

Without these its thresholds grow with what is freed. 5000 addresses: 2 MiB less, and no growth from table to table.
"""


def recipe(settings: SupervisorSettings, installation: frr.Installation, program: Program) -> Recipe:
    if program == RESPONDER:
        return _responder(settings)
    return _exabgp(settings) if program.name == exabgp.EXABGP else _daemon(settings, installation, program)


def _responder(settings: SupervisorSettings) -> Recipe:
    """Its output needs no forwarding: it writes our log lines itself."""
    socket = settings.run.responder_socket
    return Recipe(
        command=(*responder_command(settings.run.path, settings.node), "--log-level", settings.log_level),
        output=Output.INHERITED,
        limit_s=RESPONDER_LIMIT_S,
        prepare=partial(socket.unlink, missing_ok=True),
        probe=partial(_exists, socket),
        clear=lambda _pid: socket.unlink(missing_ok=True),
    )


def responder_command(run: Path, node: str) -> tuple[str, ...]:
    return (*FRUGAL, sys.executable, "-m", "orchestrator", "respond", "--run", str(run), "--node", node)


def _daemon(settings: SupervisorSettings, installation: frr.Installation, program: Program) -> Recipe:
    vty = settings.run.vty(program.name)
    return Recipe(
        command=frr.command(installation, program),
        output=Output.FORWARDED,
        limit_s=DAEMON_LIMIT_S,
        prepare=partial(_prepare_daemon, installation, program.name, vty),
        probe=partial(_answers, program.name, vty),
        clear=partial(frr.clear_scratch, program.name),
    )


def _exabgp(settings: SupervisorSettings) -> Recipe:
    """Ready when its helper has made the socket: the speaker's connection is not taken for an answer."""
    socket = settings.run.exabgp_socket
    return Recipe(
        command=exabgp.command(("server", str(settings.run.daemon_conf(exabgp.EXABGP)))),
        output=Output.FORWARDED,
        limit_s=DAEMON_LIMIT_S,
        prepare=partial(socket.unlink, missing_ok=True),
        probe=partial(_exists, socket),
        clear=lambda _pid: socket.unlink(missing_ok=True),
    )


def _prepare_daemon(installation: frr.Installation, name: str, vty: Path) -> None:
    """Raises DaemonError if the daemon would do harm on this host."""
    vty.unlink(missing_ok=True)
    frr.write_start_file(installation, name)
    if frr.takes_over_routes(installation, name) and (routes := kernel_routes.made_by(frr.ROUTES_TAKEN_OVER)):
        others = f"{routes} routes of another routing daemon are on this host, and zebra of FRR 10 would take them over"
        raise DaemonError(name, "start", f"{others}; see docs/frr.md")


async def _answers(name: str, vty: Path) -> None:
    """Raises NotReady while the daemon reads its document: it answers when that is in force."""
    client = await VtyClient.connect(name, vty, patience_s=0.0)
    client.close()


async def _exists(socket: Path) -> None:
    """A connection would be taken for a speaker's; the file is enough, as a stale one was removed before the start."""
    if not socket.exists():
        raise NotReady(f"{socket} is not there yet")
