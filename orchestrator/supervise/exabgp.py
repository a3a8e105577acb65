"""ExaBGP as a child process: command line, environment, files. ExaBGP 5.0.15.

It runs in the foreground as the supervisor's user, because it needs the rights to bind and to set TCP MD5 keys, and
because its document must be readable whenever it is read again. No listening: the routers are dialed.

It starts a dead helper again by itself: sessions and routes stay, and the speaker connects again. A helper that cannot
be started, or died for the sixth time within a minute, ends ExaBGP, which is ours to start again then: without
`respawn` or `terminate` it would go on without an API, or stop its sessions and stay (all tried).
"""

import os
import pwd
import stat
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from orchestrator.errors import StartupError
from orchestrator.fsm.supervision import Program
from orchestrator.supervise import exabgp_helper

EXABGP = "exabgp"
DAEMONS = (EXABGP,)
ANNOUNCER = EXABGP
LONGEST_FOLDER = 107 - len("/supervisor.sock")
RUN_FOLDER_MODE = 0o2770
ENVIRONMENT = {
    "exabgp_api_ack": "true",
    "exabgp_api_chunk": "200",
    "exabgp_api_cli": "false",
    "exabgp_api_respawn": "true",
    "exabgp_api_terminate": "true",
    "exabgp_daemon_daemonize": "false",
    "exabgp_daemon_drop": "false",
    "exabgp_log_destination": "stdout",
    "exabgp_log_level": "WARNING",
    "exabgp_log_short": "true",
}
"""What it would take from a file otherwise."""


class DaemonFiles(Protocol):
    """Where a node's ExaBGP has its files (settings.RunFolder)."""

    @property
    def exabgp_socket(self) -> Path: ...

    def daemon_conf(self, daemon: str) -> Path: ...


def command(words: Collection[str]) -> tuple[str, ...]:
    """The command line of ExaBGP itself: `server FILE` or `validate FILE`."""
    settings = (f"{name}={value}" for name, value in sorted({**ENVIRONMENT, "exabgp_daemon_user": _user()}.items()))
    return ("/usr/bin/env", *settings, sys.executable, "-m", "exabgp", *words)


def _user() -> str:
    """It would become `nobody` as root, even with `drop` off, and start no helper again after that."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return "root"


def helper_command(files: DaemonFiles) -> tuple[str, ...]:
    """What the document says that ExaBGP shall start for the API."""
    return (sys.executable, "-ISE", str(Path(exabgp_helper.__file__).resolve()), str(files.exabgp_socket))


def programs(_installation: object, daemons: Collection[str]) -> tuple[Program, ...]:
    """The demand that follows from what the speaker wants."""
    return tuple(Program(name=name) for name in DAEMONS if name in daemons)


def document_problem(files: DaemonFiles, daemon: str) -> str | None:
    """Why it cannot be started; None if it can."""
    path = files.daemon_conf(daemon)
    return None if path.exists() and path.stat().st_size else f"{path} is missing or empty"


def stale_files(files: DaemonFiles) -> tuple[Path, ...]:
    """What is left behind; valid only while ExaBGP does not run."""
    return (files.exabgp_socket,)


def clear_scratch(_daemon: str, _pid: int) -> None:
    """ExaBGP leaves nothing elsewhere."""


def prepare_folder(folder: Path) -> None:
    """Make the run folder one that speaker and ExaBGP share by its group. Raises StartupError."""
    if len(str(folder)) > LONGEST_FOLDER:
        raise StartupError(f"{folder}: longer than {LONGEST_FOLDER} characters, too long for unix sockets in it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) != RUN_FOLDER_MODE:
            folder.chmod(RUN_FOLDER_MODE)
    except OSError as error:
        raise StartupError(f"{folder}: {error.strerror}; run as root, or make it 2770 with a group of yours") from error
