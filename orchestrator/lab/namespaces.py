"""Network namespaces: created, wired, given addresses, run in, removed with everything that runs in them.

Netlink and /proc/sys act on the namespace of the calling thread. So every operation gets a thread of its own, which
enters the namespace, does its work and ends: no process is forked, the caller's namespace never changes, and callers
may sit inside an event loop (pyroute2's blocking API cannot run where one is running already).

Whoever is found in a namespace that the lab created was started by the lab. `remove` therefore goes by membership and
holds each process by a pidfd before it looks a second time: a pid that was reused meanwhile is never signalled.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from pathlib import Path
from typing import IO, Protocol, TypeVar, cast

from pyroute2 import netns
from pyroute2.iproute.linux import IPRoute

Result = TypeVar("Result")

NETNS_FOLDER = Path("/run/netns")
CLONE_NEWNET = 0x40000000
IFA_F_NODAD = 0x02
"""linux/if_addr.h: no duplicate address detection; the address can be used at once."""

RT_SCOPE_LINK = 253
KILL_LIMIT_S = 10.0


class Message(Protocol):
    """What pyroute2 returns per object."""

    def get(self, key: str) -> object: ...


class Netlink(Protocol):
    """The calls of pyroute2.IPRoute that the lab uses; its own annotations hide them behind a mixin."""

    def link(self, command: str, **spec: object) -> Sequence[Message]: ...
    def addr(self, command: str, **spec: object) -> Iterable[Message]: ...
    def route(self, command: str, **spec: object) -> Iterable[Message]: ...
    def neigh(self, command: str, **spec: object) -> Iterable[Message]: ...
    def link_lookup(self, *, ifname: str) -> Sequence[int]: ...


@dataclass(eq=False, slots=True)
class Namespace:
    """One network namespace by its name in /run/netns; make new ones with `create`."""

    name: str
    _children: list[subprocess.Popen[str]] = field(default_factory=list, repr=False)

    @classmethod
    def create(cls, name: str) -> "Namespace":
        """A new namespace with its loopback up. Raises FileExistsError if the name is taken."""
        _in_thread(lambda: _unshare_as(name))
        namespace = cls(name)
        set_up(namespace, "lo")
        return namespace

    @property
    def path(self) -> Path:
        return NETNS_FOLDER / self.name

    def remove(self) -> None:
        """End every process inside and take the namespace away; one that is not there is fine."""
        kill_members(self)
        while self._children:
            with self._children.pop() as child:
                child.kill()
        with contextlib.suppress(FileNotFoundError):
            netns.remove(self.name)

    def command(self, argv: Sequence[str]) -> list[str]:
        """`argv` prefixed so that it runs inside; the process keeps its pid."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(
        self, argv: Sequence[str], *, timeout_s: float = 10.0, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end with captured output. Raises CalledProcessError, with what the command said as a note."""
        done = subprocess.run(
            self.command(argv), input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        if check and done.returncode:
            error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
            error.add_note(done.stderr or done.stdout)
            raise error
        return done

    def popen(
        self,
        argv: Sequence[str],
        *,
        stdin: int | IO[str] | None = subprocess.DEVNULL,
        stdout: int | IO[str] | None = None,
        stderr: int | IO[str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[str]:
        """Start in a session of its own; `remove` ends what is still running and closes its pipes."""
        child = subprocess.Popen(
            self.command(argv), stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd,
            text=True, start_new_session=True,
        )  # fmt: skip
        self._children.append(child)
        return child

    def sysctl(self, key: str, value: object) -> None:
        """Set e.g. "net.ipv4.ip_forward"; interface names with dots cannot be written this way."""
        path = Path("/proc/sys", *key.split("."))
        self.inside(lambda: path.write_text(str(value)))

    def inside(self, action: Callable[[], Result]) -> Result:
        """Run `action` in a thread inside the namespace; sockets that it opens stay inside it."""

        def enter() -> Result:
            netns.setns(self.name, flags=0, fork=False)
            return action()

        return _in_thread(enter)


def connect(a: Namespace, a_interface: str, b: Namespace, b_interface: str) -> None:
    """Lay a cable (a veth pair) between two namespaces, both ends up."""
    peer = {"ifname": b_interface, "net_ns_fd": str(b.path)}
    with_netlink(a, lambda netlink: netlink.link("add", ifname=a_interface, kind="veth", peer=peer))
    set_up(a, a_interface)
    set_up(b, b_interface)


def bridge(namespace: Namespace, name: str) -> None:
    """Add a switch that floods multicast (no snooping: nobody queries here) and forwards at once."""
    with_netlink(namespace, lambda netlink: netlink.link("add", ifname=name, kind="bridge", br_mcast_snooping=0))
    set_up(namespace, name)


def attach(namespace: Namespace, interface: str, bridge_name: str) -> None:
    """Plug an interface into a bridge of the same namespace."""
    with_netlink(
        namespace,
        lambda netlink: netlink.link(
            "set", index=_index(netlink, interface), master=_index(netlink, bridge_name)
        ),
    )  # fmt: skip


def add_address(namespace: Namespace, interface: str, address: str) -> None:
    """Give an interface an address such as "10.0.0.1/24"; IPv6 is usable at once."""
    parsed = ip_interface(address)
    flags = {"flags": IFA_F_NODAD} if parsed.version == 6 else {}
    with_netlink(
        namespace,
        lambda netlink: netlink.addr(
            "add", index=_index(netlink, interface), address=str(parsed.ip), prefixlen=parsed.network.prefixlen, **flags
        ),
    )


def remove_address(namespace: Namespace, interface: str, address: str) -> None:
    """Take an address away again."""
    parsed = ip_interface(address)
    with_netlink(
        namespace,
        lambda netlink: netlink.addr(
            "del", index=_index(netlink, interface), address=str(parsed.ip), prefixlen=parsed.network.prefixlen
        ),
    )


def addresses(namespace: Namespace, interface: str) -> list[str]:
    """Return an interface's addresses as "10.0.0.1/24", link-local ones left out; none if there is no such interface."""

    def read(netlink: Netlink) -> list[str]:
        indexes = netlink.link_lookup(ifname=interface)
        entries = [entry for index in indexes for entry in netlink.addr("dump", index=index)]
        return [f"{one.get('address')}/{one.get('prefixlen')}" for one in entries if one.get("scope") != RT_SCOPE_LINK]

    return with_netlink(namespace, read)


def add_route(namespace: Namespace, prefix: str, gateway: str) -> None:
    """Route a prefix ("0.0.0.0/0", "fd00::/64", ...) to a neighbor's address."""
    network = str(ip_network(prefix))
    with_netlink(namespace, lambda netlink: netlink.route("add", dst=network, gateway=gateway))


def set_up(namespace: Namespace, interface: str) -> None:
    """Set a link administratively up."""
    _set_state(namespace, interface, "up")


def set_down(namespace: Namespace, interface: str) -> None:
    """Set a link administratively down; a veth's other end loses its carrier."""
    _set_state(namespace, interface, "down")


def remove_link(namespace: Namespace, interface: str) -> None:
    """Take an interface away, a veth with its other end. Raises FileNotFoundError if it is not there."""
    with_netlink(namespace, lambda netlink: netlink.link("del", index=_index(netlink, interface)))


def mac_address(namespace: Namespace, interface: str) -> str:
    """Return the link's hardware address, lower case with colons."""
    return with_netlink(namespace, lambda netlink: str(netlink.link("get", ifname=interface)[0].get("address")))


def with_netlink(namespace: Namespace, action: Callable[[Netlink], Result]) -> Result:
    """Run `action` with a netlink socket of the namespace; lazy results must be read inside."""

    def open_and_act() -> Result:
        opened = IPRoute()  # type: ignore[no-untyped-call]  # pyroute2's constructor has no annotations
        with cast("AbstractContextManager[Netlink]", opened) as netlink:
            return action(netlink)

    return namespace.inside(open_and_act)


def names(prefix: str) -> list[str]:
    """Return the sorted names of all namespaces that begin with `prefix`."""
    return sorted(path.name for path in NETNS_FOLDER.glob(f"{prefix}*"))


def members(namespace: Namespace) -> list[int]:
    """Return the pids of all processes inside; empty if the namespace is gone."""
    try:
        inode = namespace.path.stat()
    except FileNotFoundError:
        return []
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in pids if _is_member(pid, inode)]


def kill_members(namespace: Namespace) -> None:
    """SIGKILL everything inside, again until nothing is left. Raises TimeoutError if something does not die."""
    deadline = time.monotonic() + KILL_LIMIT_S
    while pids := members(namespace):
        inode = namespace.path.stat()
        for pid in pids:
            _kill_member(pid, inode, deadline)


def _kill_member(pid: int, inode: os.stat_result, deadline: float) -> None:
    with _pidfd(pid) as descriptor:
        if descriptor is None or not _is_member(pid, inode):
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise TimeoutError(f"process {pid} survives SIGKILL")


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int | None]:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_member(pid: int, inode: os.stat_result) -> bool:
    """A zombie has no namespace any more and is no member."""
    try:
        found = Path(f"/proc/{pid}/ns/net").stat()
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (inode.st_dev, inode.st_ino)


def _unshare_as(name: str) -> None:
    if (NETNS_FOLDER / name).exists():
        raise FileExistsError(f"network namespace {name} exists")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"cannot create network namespace {name}; are you root?")
    netns.attach(name, threading.get_native_id())


def _set_state(namespace: Namespace, interface: str, state: str) -> None:
    with_netlink(namespace, lambda netlink: netlink.link("set", index=_index(netlink, interface), state=state))


def _index(netlink: Netlink, interface: str) -> int:
    found = netlink.link_lookup(ifname=interface)
    if not found:
        raise FileNotFoundError(f"no interface {interface}")
    return found[0]


def _in_thread(action: Callable[[], Result]) -> Result:
    """Run in a thread of its own and wait for it, on Ctrl-C too: what was begun is finished before anybody cleans up."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="namespace") as thread:
        return thread.submit(action).result()
