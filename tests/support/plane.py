"""A real Kubernetes control plane on this machine: etcd, kube-apiserver and, if asked for, controllers and scheduler.

It lives in a network namespace of its own without a default route: kube-apiserver dials ClusterIPs, pods and nodes
(webhooks by service, aggregated APIs), which must not leave the machine. Nothing of it survives: its processes die with
the namespace on `stop`, and with the thread that started it (PR_SET_PDEATHSIG) when the test process is killed.
"""

import asyncio
import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from orchestrator.lab.namespaces import Namespace
from tests.support import binaries
from tests.support.certificates import Authority

Result = TypeVar("Result")

PORT = 6443
ETCD_PORT, ETCD_PEER_PORT = 2379, 2380
START_LIMIT_S = 90.0
ADMIN, PROXY, SCHEDULER = "admin", "system:kube-proxy", "system:kube-scheduler"
USERS = {ADMIN: "system:masters", PROXY: "", SCHEDULER: ""}
"""Their groups; each has a token, see `token`."""
SERVICE_CLUSTER_IP = "10.96.0.1"
"""Of Service default/kubernetes."""
SERVICE_NETWORKS = "10.96.0.0/16,fd00:10:96::/112"
LOG_TAIL = 15
CLOSED_WHILE_IDLE = (http.client.RemoteDisconnected, ssl.SSLEOFError, BrokenPipeError)


def token(user: str) -> str:
    """The static token of one of a plane's users."""
    return f"{user.rpartition(':')[2]}-token"


class PlaneError(Exception):
    """A part of the plane ended or did not become ready; the message has the end of its log."""


class Plane:
    """A running control plane. `server` is its URL inside `namespace`; `request` and `kubectl` act as cluster admin."""

    def __init__(
        self, folder: Path, namespace: Namespace, address: str, flags: Sequence[str], users: Mapping[str, str]
    ) -> None:
        self.users = {**USERS, **users}
        self.folder, self.namespace, self.address, self.flags = folder, namespace, address, tuple(flags)
        self.server = f"https://{address or '127.0.0.1'}:{PORT}"
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._connection: http.client.HTTPSConnection | None = None
        self._owns_namespace = False

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        controllers: Sequence[str] = (),
        flags: Sequence[str] = (),
        address: str = "",
        namespace: Namespace | None = None,
        users: Mapping[str, str] | None = None,
    ) -> Self:
        """A plane that is ready; with `controllers` also kube-controller-manager running just these.

        `flags` are for kube-apiserver. With `address`, which `namespace` must have, the server is the endpoint of
        Service default/kubernetes. A `namespace` that is passed in is its owner's to remove. `users` are more users with
        the group of each, for `kubeconfig`.
        """
        binaries.require("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
        folder.mkdir(parents=True, exist_ok=True)
        own = namespace or Namespace.create(f"plane-{os.getpid()}-{secrets.token_hex(3)}")
        plane = cls(folder, own, address, flags, users or {})
        plane._owns_namespace = namespace is None
        try:
            plane._prepare()
            plane.start_etcd()
            plane.start_api_server()
            if controllers:
                plane.start_controllers(controllers)
        except BaseException:
            plane.stop()
            raise
        return plane

    def stop(self) -> None:
        """Kill everything at once (a graceful end takes seconds) and remove the namespace."""
        self._disconnect()
        for name in tuple(self._processes):
            self._kill(name)
        if self._owns_namespace:
            self.namespace.remove()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    # ---- asking

    def run(self, coroutine: Coroutine[object, object, Result]) -> Result:
        """Run to the end in an event loop inside the namespace: its sockets reach the API server."""
        return self.namespace.inside(lambda: asyncio.run(coroutine))

    def request(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """Return status and decoded body of one request as admin. Raises OSError if the server is away."""
        headers = {
            "Authorization": f"Bearer {token(ADMIN)}",
            "Content-Type": content_type,
            "Accept": "application/json",
        }
        content = None if body is None else json.dumps(body)
        for attempt in ("kept", "new"):
            connection = self._connect()
            try:
                connection.request(method, path, content, headers)
                answer = connection.getresponse()
                text = answer.read()
                break
            except (OSError, http.client.HTTPException) as error:
                self._disconnect()
                if attempt == "new" or not isinstance(error, CLOSED_WHILE_IDLE):
                    raise OSError(f"{method} {path}: {error}") from error
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text.decode(errors="replace")

    def kubectl(
        self, *argv: str, stdin: str | None = None, check: bool = True, timeout_s: float = 60
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl as admin, as a user would. Raises CalledProcessError with what it said as a note."""
        command = [str(binaries.path("kubectl")), "--kubeconfig", str(self.kubeconfig()), *argv]
        return self.namespace.run(command, stdin=stdin, check=check, timeout_s=timeout_s)

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """A kubeconfig file of one of `users`."""
        return self._kubeconfig(user.rpartition(":")[2], token(user))

    def account_kubeconfig(self, namespace: str, name: str, seconds: int = 3600) -> Path:
        """A kubeconfig file with a token of a ServiceAccount; its RBAC applies."""
        return self._kubeconfig(f"{namespace}-{name}", self.account_token(namespace, name, seconds))

    def account_token(self, namespace: str, name: str, seconds: int = 3600) -> str:
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        status, answer = self.request("POST", path, {**wanted, "spec": {"expirationSeconds": seconds}})
        if status != 201:
            raise PlaneError(f"no token for ServiceAccount {namespace}/{name}: {status} {answer}")
        return str(answer["status"]["token"])

    def pid(self, name: str) -> int:
        """Of "etcd", "kube-apiserver", "kube-controller-manager" or "kube-scheduler"."""
        return self._processes[name].pid

    # ---- its parts

    def start_etcd(self) -> None:
        url, peer_url = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PEER_PORT}"
        argv = ["--name=e", f"--data-dir={self.folder}/etcd", "--unsafe-no-fsync", "--log-level=warn"]
        argv += [f"--listen-client-urls={url}", f"--advertise-client-urls={url}", f"--listen-peer-urls={peer_url}"]
        argv += [f"--initial-advertise-peer-urls={peer_url}", f"--initial-cluster=e={peer_url}"]
        self._spawn("etcd", argv)
        self.wait("etcd", lambda: self._listens(ETCD_PORT))

    def start_api_server(self) -> None:
        """Start kube-apiserver, on the same data after `stop_api_server`, and wait until it is ready."""
        keys = self._authority.folder
        argv = [
            *(f"--etcd-servers=http://127.0.0.1:{ETCD_PORT}", f"--secure-port={PORT}", "--bind-address=::"),
            *(f"--advertise-address={self.address or '127.0.0.1'}", "--allow-privileged=true", "--profiling=false"),
            f"--endpoint-reconciler-type={'lease' if self.address else 'none'}",
            *(f"--tls-cert-file={keys}/apiserver.crt", f"--tls-private-key-file={keys}/apiserver.key"),
            *(f"--client-ca-file={keys}/ca.crt", f"--token-auth-file={self.folder}/tokens.csv"),
            *("--authorization-mode=Node,RBAC", "--service-account-issuer=https://kubernetes.default.svc"),
            *(f"--service-account-key-file={keys}/sa.pub", f"--service-account-signing-key-file={keys}/sa.key"),
            *(f"--service-cluster-ip-range={SERVICE_NETWORKS}", *self.flags),
        ]
        self._spawn("kube-apiserver", argv)
        self.wait("kube-apiserver", self.is_ready)

    def stop_api_server(self) -> None:
        """SIGKILL: connections break, what is stored stays."""
        self._disconnect()
        self._kill("kube-apiserver")

    def start_controllers(self, controllers: Sequence[str], *flags: str) -> None:
        """Start kube-controller-manager with these; ready when the default ServiceAccount exists, if they make it."""
        argv = [
            *(f"--kubeconfig={self.kubeconfig()}", "--leader-elect=false", f"--controllers={','.join(controllers)}"),
            f"--service-account-private-key-file={self._authority.folder}/sa.key",
            *(f"--root-ca-file={self._authority.certificate}", "--bind-address=127.0.0.1", "--secure-port=10257"),
            *("--endpointslice-updates-batch-period=0s", "--concurrent-gc-syncs=2", "--profiling=false", *flags),
        ]
        self._spawn("kube-controller-manager", argv)
        if any("serviceaccount-controller" in one for one in controllers):
            self.wait("kube-controller-manager", self._has_default_account)

    def start_scheduler(self) -> None:
        binaries.require("kube-scheduler")
        argv = [f"--kubeconfig={self.kubeconfig(SCHEDULER)}", "--leader-elect=false", "--bind-address=127.0.0.1"]
        self._spawn("kube-scheduler", [*argv, "--secure-port=10259"])
        self.wait("kube-scheduler", lambda: self._listens(10259))

    def is_ready(self) -> bool:
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def wait(self, name: str, condition: Callable[[], bool], limit_s: float = START_LIMIT_S) -> None:
        """Return when the condition holds. Raises PlaneError if the process `name` ends before, or after the limit."""
        deadline = time.monotonic() + limit_s
        while not condition():
            ended = self._processes[name].poll()
            if ended is not None or time.monotonic() > deadline:
                what = "is not ready in time" if ended is None else f"ended with {ended}"
                raise PlaneError(f"{name} {what}; the end of {self.log(name)}:\n{self.last_words(name)}")
            time.sleep(0.02)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def last_words(self, name: str) -> str:
        return "\n".join(self.log(name).read_text(errors="replace").splitlines()[-LOG_TAIL:])

    # ---- inner parts

    def _prepare(self) -> None:
        self._authority = Authority(self.folder / "pki")
        names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
        own = [self.address] if self.address else []
        self._authority.serving("apiserver", "127.0.0.1", "::1", SERVICE_CLUSTER_IP, *names, *own)
        self._authority.key_pair("sa")
        lines = [f'{token(user)},{user},{user}-uid,"{group}"' for user, group in self.users.items()]
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n")

    def _kubeconfig(self, name: str, token: str) -> Path:
        cluster = {"server": self.server, "certificate-authority": str(self._authority.certificate)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(json.dumps(config, indent=1))
        path.chmod(0o600)
        return path

    def _spawn(self, name: str, argv: Sequence[str]) -> None:
        # setpriv: the kernel kills the process when we are killed ourselves, before anybody could stop it.
        command = ["setpriv", "--pdeathsig", "KILL", str(binaries.path(name)), *argv]
        with self.log(name).open("a") as log:
            self._processes[name] = self.namespace.popen(command, stdout=log, stderr=subprocess.STDOUT)

    def _kill(self, name: str) -> None:
        if process := self._processes.pop(name, None):
            process.send_signal(signal.SIGKILL)
            process.wait()

    def _listens(self, port: int) -> bool:
        def knock() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            return False

        return self.namespace.inside(knock)

    def _has_default_account(self) -> bool:
        return self.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200

    def _connect(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            context = ssl.create_default_context(cafile=str(self._authority.certificate))
            connection = http.client.HTTPSConnection("127.0.0.1", PORT, context=context, timeout=60)
            self.namespace.inside(connection.connect)
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextlib.contextmanager
def running_plane(
    *, controllers: Sequence[str] = (), flags: Sequence[str] = (), base: Path = Path("/dev/shm")
) -> Iterator[Plane]:
    """A plane with its data in memory; both are gone afterwards."""
    folder = base / f"ferrule-plane-{os.getpid()}-{secrets.token_hex(3)}"
    with clean_end_on_sigterm():
        try:
            plane = Plane.start(folder, controllers=controllers, flags=flags)
            try:
                yield plane
            finally:
                plane.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def clean_end_on_sigterm() -> Iterator[None]:
    """SIGTERM (`timeout` sends it) unwinds the stack instead of ending Python on the spot."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
