"""The lab's router: FRR's zebra, bgpd and bfdd, started by the lab with the files beside this module, and its state."""

import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeVar

import msgspec

from orchestrator.errors import StartupError
from orchestrator.lab import layout, probes
from orchestrator.lab.namespaces import Namespace
from orchestrator.lab.topology import Lab
from orchestrator.settings import FRR_DAEMON_FOLDER, RunFolder

Shape = TypeVar("Shape")

DAEMONS = ("zebra", "bgpd", "bfdd")
ESTABLISHED = "Established"


class Session(msgspec.Struct, frozen=True, rename="camel"):
    """A BGP session in `show bgp summary json`; `connections_dropped` grows with each flap."""

    state: str
    connections_established: int = 0
    connections_dropped: int = 0


class _Family(msgspec.Struct, frozen=True):
    peers: dict[str, Session] = {}


class _AsPath(msgspec.Struct, frozen=True):
    string: str


class _From(msgspec.Struct, frozen=True, rename="camel"):
    peer_id: str


class _Path(msgspec.Struct, frozen=True):
    peer: _From
    aspath: _AsPath
    metric: int = 0


class _Paths(msgspec.Struct, frozen=True):
    paths: tuple[_Path, ...] = ()


@dataclass(frozen=True, slots=True)
class RoutePath:
    """What the router compares of a route: the AS path as it prints it, and the MED."""

    as_path: str
    med: int


class _BfdPeer(msgspec.Struct, frozen=True):
    peer: str
    status: str


def start(lab: Lab) -> None:
    """Start zebra, and the others once it answers: bfdd tries again only after 10 s if it comes first (8.4.4)."""
    folder = lab.folder.router
    if not (FRR_DAEMON_FOLDER / "bgpd").exists():
        raise StartupError(f"{FRR_DAEMON_FOLDER}/bgpd is missing; install it with `apt-get install frr`")
    shutil.chown(folder.path, user="frr")
    for daemon in DAEMONS:
        source = Path(str(resources.files("orchestrator.lab"))) / "router" / f"{daemon}.conf"
        shutil.copyfile(source, folder.daemon_conf(daemon))
        lab.start(f"router-{daemon}", layout.ROUTER, _command(folder, daemon))
        if daemon == "zebra":
            probes.until(lambda: _answers(folder, "zebra"), "the router's zebra")


def _answers(folder: RunFolder, daemon: str) -> bool:
    """Whether the daemon takes connections: it has read its configuration, and zebra serves the others."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as vty:
        return vty.connect_ex(str(folder.vty(daemon))) == 0


def _command(folder: RunFolder, daemon: str) -> list[str]:
    options = {"bfdd": ["--bfdctl", str(folder.path / "bfdd.sock")], "zebra": ["-s", "90000000"]}
    return [
        *(str(FRR_DAEMON_FOLDER / daemon), "-f", str(folder.daemon_conf(daemon))),
        *("-i", str(folder.path / f"{daemon}.pid"), "-z", str(folder.zserv), "--vty_socket", str(folder.path)),
        *("-A", "127.0.0.1", "-P", "0", "-u", "frr", "-g", "frr", "--log", "stdout"),
        *options.get(daemon, []),
    ]


def vtysh(lab: Lab, machine: Namespace, folder: RunFolder, command: str) -> str:
    """Return what vtysh prints for one command, on the router or on a node. Raises CalledProcessError."""
    sockets = ["--vty_socket", str(folder.path), "--config_dir", str(lab.folder.vtysh)]
    return machine.run(["vtysh", *sockets, "-c", command]).stdout


def sessions(lab: Lab) -> Mapping[str, Session]:
    """The router's BGP sessions by the node's address, both families; empty while bgpd does not answer."""
    families = _show(lab, "show bgp summary json", dict[str, _Family])
    return {address: session for family in (families or {}).values() for address, session in family.peers.items()}


def established(lab: Lab) -> frozenset[str]:
    """The addresses of the nodes whose session is up."""
    return frozenset(address for address, session in sessions(lab).items() if session.state == ESTABLISHED)


def paths(lab: Lab, address: str) -> Mapping[str, RoutePath]:
    """The router's routes to a Service address by the node's address; empty while bgpd does not answer."""
    found = _show(lab, f"show bgp ipv4 unicast {address}/32 json", _Paths) or _Paths()
    return {each.peer.peer_id: RoutePath(each.aspath.string, each.metric) for each in found.paths}


def watched(lab: Lab) -> frozenset[str]:
    """The addresses of the nodes whose BFD session is up, one or two seconds after BGP's: BFD starts slowly."""
    found = _show(lab, "show bfd peers json", list[_BfdPeer]) or []
    return frozenset(one.peer for one in found if one.status == "up")


def _show(lab: Lab, command: str, shape: type[Shape]) -> Shape | None:
    """Return the router's answer as JSON; None while its daemon does not answer."""
    sockets = ["--vty_socket", str(lab.folder.router.path), "--config_dir", str(lab.folder.vtysh)]
    done = lab.machines[layout.ROUTER].run(["vtysh", *sockets, "-c", command], check=False)
    try:
        return msgspec.json.decode(done.stdout, type=shape)
    except msgspec.MsgspecError:
        return None


def next_hops(lab: Lab, address: str) -> frozenset[str]:
    """The nodes' addresses that the router's kernel forwards a Service address to."""
    return probes.next_hops(lab.machines[layout.ROUTER], f"{address}/32")
