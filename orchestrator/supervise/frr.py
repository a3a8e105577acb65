"""FRR's daemons as child processes: command lines, order, files, and the meaning of their output. FRR 8.4.4 and 10.

Which of them run is the speaker's decision. What follows from it:

- bgpd without zebra gets `-Z`, or it would wait for zebra with every next hop. That cannot be changed in a running
  bgpd, so it is restarted when zebra joins. When zebra goes, bgpd runs on: its sessions need no zebra.
- bgpd listens (`-p 0` is left out) only if its document has a passive neighbor or a listen range.
- zebra never changes a route of another routing daemon of the host. `-r` keeps routes at its end. `-K` puts off by 68
  years the removal of what zebra takes for remains of an earlier one, which is any route with one of FRR's protocol
  numbers; with `-K 5` they are gone after 5 s. It would also install all of those a second time as its own, and remove
  them when bgpd ends; so it starts with GUARD before its document, and installs nothing (8.4.4, all tried). The price:
  a next hop that is only reachable through such a route counts as unreachable.
- FRR 10 moved zebra's route-maps into mgmtd: GUARD comes too late there, after zebra has installed such routes again,
  and then removes them (10.3, tried). So zebra is not started while there are any (`ROUTES_TAKEN_OVER`).
- A zebra of FRR 10 without mgmtd is busy all the time, so mgmtd is started with it where the binary is there. The two meet
  in a folder that only a path space (`-N`) can change; it is named after the run folder.

This module is all that Ferrule knows of differences between versions of FRR in what is started; what they print in
different words is `render.canonical`'s.
"""

import grp
import hashlib
import re
import shutil
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.errors import StartupError
from orchestrator.fsm.supervision import Program

BGPD, ZEBRA, BFDD, MGMTD = "bgpd", "zebra", "bfdd", "mgmtd"
DAEMONS = (MGMTD, ZEBRA, BFDD, BGPD)
ANNOUNCER = BGPD
USER, GROUP, VTY_GROUP = "frr", "frr", "frrvty"
GUARD = """\
no zebra nexthop kernel enable
route-map keep-foreign-routes deny 1
ip protocol any route-map keep-foreign-routes
ipv6 protocol any route-map keep-foreign-routes
"""
"""What zebra starts with, beside its document. FRR 10 knows the first line alone."""

ROUTES_TAKEN_OVER = frozenset({11, 42, *range(186, 199)})
"""The protocol numbers (RTPROT_*) of routes that zebra takes for its own: those of every daemon of FRR."""

SCRATCH = Path("/var/tmp/frr")  # noqa: S108 - FRR's compiled-in path
LONGEST_FOLDER = 107 - len("/supervisor.sock")
"""Characters; sun_path has 108 octets with its NUL."""

RUN_FOLDER_MODE = 0o2770
_NEVER_S = str(2**31 - 1)
_WITH_ZEBRA, _LISTENING = "zebra", "listening"
_LISTEN = re.compile(r"^ *(neighbor \S+ passive|bgp listen range .*)$", re.MULTILINE)


class DaemonFiles(Protocol):
    """Where a node's daemons have their files (settings.RunFolder)."""

    @property
    def path(self) -> Path: ...

    @property
    def zserv(self) -> Path: ...

    def daemon_conf(self, daemon: str) -> Path: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The folder of the daemons' binaries and the run folder."""

    binaries: Path
    files: DaemonFiles

    @property
    def has_mgmtd(self) -> bool:
        """True from FRR 9 on."""
        return (self.binaries / MGMTD).exists()


def programs(installation: Installation, daemons: Collection[str]) -> tuple[Program, ...]:
    """The demand that follows from the daemons that the speaker wants, in the order of their start."""
    wanted = {name for name in DAEMONS if name in daemons}
    if ZEBRA in wanted and installation.has_mgmtd:
        wanted.add(MGMTD)
    return tuple(_program(installation, name, wanted) for name in DAEMONS if name in wanted)


def _program(installation: Installation, name: str, wanted: Collection[str]) -> Program:
    if name == BGPD:
        after = frozenset({ZEBRA} & set(wanted))
        features = frozenset({_WITH_ZEBRA} if after else ()) | _listening(installation.files)
        return Program(name=BGPD, features=features, after=after, bound_to=ZEBRA if after else None)
    before = {BFDD: ZEBRA, ZEBRA: MGMTD}.get(name)
    return Program(name=name, after=frozenset({before} & set(wanted) if before else ()))


def _listening(files: DaemonFiles) -> frozenset[str]:
    return frozenset({_LISTENING} if _LISTEN.search(_document(files, BGPD)) else ())


def _document(files: DaemonFiles, daemon: str) -> str:
    """The daemon's document; empty if there is none (yet)."""
    try:
        return files.daemon_conf(daemon).read_text(errors="replace")
    except FileNotFoundError:
        return ""


def document_problem(files: DaemonFiles, daemon: str) -> str | None:
    """Why the daemon cannot be started with its document; None if it can."""
    if daemon == MGMTD:
        return None
    if not _document(files, daemon).strip():
        return f"{files.daemon_conf(daemon)} is missing or empty"
    return None


def start_file(files: DaemonFiles, daemon: str) -> Path:
    """What `-f` names; zebra's is made by `write_start_file`."""
    return files.path / "zebra.start.conf" if daemon == ZEBRA else files.daemon_conf(daemon)


def write_start_file(installation: Installation, daemon: str) -> None:
    """Bring the start file of a daemon up to date with its document, just before it is started."""
    files = installation.files
    path = start_file(files, daemon)
    if path != files.daemon_conf(daemon):
        guard = GUARD.splitlines(keepends=True)[0] if installation.has_mgmtd else GUARD
        path.write_text(guard + _document(files, daemon))


def takes_over_routes(installation: Installation, daemon: str) -> bool:
    """Whether the daemon must not start where another routing daemon of the host has routes."""
    return daemon == ZEBRA and installation.has_mgmtd


def command(installation: Installation, program: Program) -> tuple[str, ...]:
    """The command line of one daemon: in the foreground, with all of its files in the run folder."""
    files, name = installation.files, program.name
    conf = () if name == MGMTD else ("-f", str(start_file(files, name)))
    return (
        str(installation.binaries / name),
        *conf,
        *("-i", str(files.path / f"{name}.pid")),
        *("-z", str(files.zserv)),
        *("--vty_socket", str(files.path)),
        *("-A", "127.0.0.1", "-P", "0"),
        *("-u", USER, "-g", GROUP),
        *("--log", "stdout", "--log-level", "informational"),
        *_own_options(installation, program),
    )


def _own_options(installation: Installation, program: Program) -> tuple[str, ...]:
    space = ("-N", path_space(installation.files)) if installation.has_mgmtd else ()
    match program.name:
        case "bgpd":
            listen = () if _LISTENING in program.features else ("-p", "0")
            return (*listen, *(() if _WITH_ZEBRA in program.features else ("-Z",)))
        case "zebra":
            return (*space, "-r", "-K", _NEVER_S)
        case "bfdd" if not installation.has_mgmtd:
            return ("--bfdctl", str(installation.files.path / "bfdd.sock"))
        case "mgmtd":
            return space
        case _:
            return ()


def path_space(files: DaemonFiles) -> str:
    """Return a name that no other run folder of this machine has; FRR takes no slashes, and sockets are below it."""
    return f"ferrule-{hashlib.sha256(bytes(files.path)).hexdigest()[:12]}"


def stale_files(files: DaemonFiles) -> tuple[Path, ...]:
    """Sockets and pid files that daemons leave behind; valid only while none of them runs.

    mgmtd's own are in a folder of the user frr: it removes them when it starts.
    """
    per_daemon = (files.path / f"{name}.{suffix}" for name in DAEMONS for suffix in ("vty", "pid"))
    return (*per_daemon, files.zserv, files.path / "bfdd.sock")


def clear_scratch(daemon: str, pid: int) -> None:
    """Remove the folder that a killed daemon leaves in /var/tmp (8.4.4); the name holds the pid, so it is this one's."""
    shutil.rmtree(SCRATCH / f"{daemon}.{pid}", ignore_errors=True)


def prepare_folder(folder: Path) -> None:
    """Make the run folder one that daemons (user frr) and speaker (group frrvty) can write to. Raises StartupError.

    setgid: whoever writes a document, the daemons can read it; bgpd starts empty with one that it cannot read. A folder
    that belongs to the group already, as a volume of the pod does, keeps its owner: to change it takes CAP_CHOWN.
    """
    if len(str(folder)) > LONGEST_FOLDER:
        raise StartupError(f"{folder}: longer than {LONGEST_FOLDER} characters, too long for unix sockets in it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_gid != grp.getgrnam(VTY_GROUP).gr_gid:
            shutil.chown(folder, USER, VTY_GROUP)
        if stat.S_IMODE(folder.stat().st_mode) != RUN_FOLDER_MODE:
            folder.chmod(RUN_FOLDER_MODE)
    except LookupError as error:
        raise StartupError(f"FRR's user and group are missing ({error}); install the package frr") from error
    except OSError as error:
        raise StartupError(f"{folder}: {error.strerror}; run as root, or make it {USER}:{VTY_GROUP} 2770") from error
