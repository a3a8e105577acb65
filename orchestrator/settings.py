"""Flags and environment become one frozen Settings per command; the only reader of os.environ.

RunFolder names every file that the processes of one node share; the speaker, the supervisor and the responder meet there.
"""

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from orchestrator.net.bgp import BgpEngine
from orchestrator.resources.classes import CLASSLESS, ServedClasses
from orchestrator.resources.taints import TaintRule

FRR_DAEMON_FOLDER = Path("/usr/lib/frr")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`/run/ferrule` of a node: sockets, pids and rendered files (0770, setgid). Paths of sockets stay below 108 bytes.

    `frr_sockets` is where the vty sockets of an FRR are that runs elsewhere; None if `ferrule supervise` has it here.
    """

    path: Path
    frr_sockets: Path | None = None

    @property
    def frr_conf(self) -> Path:
        """The whole rendered document, for people."""
        return self.path / "frr.conf"

    def daemon_conf(self, daemon: str) -> Path:
        """The part of the document that this daemon starts with.

        One that runs elsewhere does not: another name keeps our supervisor from starting a second one with it.
        """
        return self.path / (f"{daemon}.conf" if self.frr_sockets is None else f"{daemon}.elsewhere.conf")

    def vty(self, daemon: str) -> Path:
        """The daemon's vty socket."""
        return (self.frr_sockets or self.path) / f"{daemon}.vty"

    @property
    def zserv(self) -> Path:
        """Zebra's API socket."""
        return self.path / "zserv.api"

    @property
    def responder_socket(self) -> Path:
        """Where `ferrule respond` takes tables from the speaker."""
        return self.path / "responder.sock"

    @property
    def supervisor_socket(self) -> Path:
        """Where `ferrule supervise` talks with the speaker."""
        return self.path / "supervisor.sock"

    @property
    def exabgp_socket(self) -> Path:
        """Where ExaBGP's helper takes commands from the speaker."""
        return self.path / "exabgp.sock"

    @property
    def trial(self) -> Path:
        """The folder of a bgpd that only tries a text out."""
        return self.path / "trial"

    @property
    def children(self) -> Path:
        """JSON list of the supervisor's children with pid and start time, for the reaping of leftovers."""
        return self.path / "children.json"


def template_folder() -> Path:
    """Return the folder of the templates: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    packaged = package / "templates"
    return packaged if packaged.is_dir() else package.parent / "templates"


def environment(name: str, default: str = "") -> str:
    """Return an environment variable; `cli` gives these as defaults of its flags."""
    return os.environ.get(name, default)


DEFAULT_NAMESPACE = "metallb-system"
HEARTBEAT_SECRET = "memberlist"  # noqa: S105 - the name of the Secret, MetalLB's (contract 4.8)
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where a pod finds the namespace that it is in."""
METRICS_PORT = 9120
HEALTH_PORT = 17472
MESH_PORT = 7946


def default_namespace(file: Path = NAMESPACE_FILE) -> str:
    """Return METALLB_NAMESPACE, else the namespace of our own pod (`file`), else MetalLB's usual one."""
    if name := environment("METALLB_NAMESPACE"):
        return name
    try:
        return file.read_text().strip() or DEFAULT_NAMESPACE
    except OSError:
        return DEFAULT_NAMESPACE


def default_kubeconfig() -> Path | None:
    """Return the file that KUBECONFIG names, None if it names none."""
    return Path(found) if (found := environment("KUBECONFIG")) else None


def in_pod() -> bool:
    """Whether this process runs in a pod: kubelet says so to every container."""
    return bool(environment("KUBERNETES_SERVICE_HOST"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Objects are files: `source` holds the manifests, `state` the statuses. One host."""

    source: Path
    state: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Objects are in a Kubernetes cluster.

    `kubeconfig` None means the ServiceAccount of our own pod; `context` empty the current one. `pod_name` (in our own
    namespace) owns what we write, identifies us in the election and is the reporting instance of events; empty if we
    run outside a pod.
    """

    kubeconfig: Path | None = None
    context: str = ""
    pod_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """What controller and speaker have in common; `metrics_port` and `health_port` 0 mean not served."""

    origin: Folders | Cluster
    namespace: str = DEFAULT_NAMESPACE
    classes: ServedClasses = CLASSLESS
    log_level: str = "info"
    metrics_port: int = METRICS_PORT
    health_port: int = HEALTH_PORT


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings(ProcessSettings):
    """`removed_pool_hold_s`: how long addresses of a pool that is gone stay with their Services.

    `cool_down_s`: how long others get a released address only if no other is free; `sticky_s`: how long it is kept for the
    Service that had it, should that be made again. Both may be 0.

    `heartbeat_secret`: the Secret that is made with the key of the nodes' heartbeats, if there is none of that name.

    The Lease of the leader in a cluster: it holds for `lease_duration_s` after each renewal, is renewed every
    `lease_retry_s`, and a leader that could not renew for `lease_renew_s` writes no more.
    """

    removed_pool_hold_s: float = 300.0
    cool_down_s: float = 60.0
    sticky_s: float = 0.0
    heartbeat_secret: str = HEARTBEAT_SECRET
    lease_duration_s: float = 15.0
    lease_renew_s: float = 10.0
    lease_retry_s: float = 2.0


class ConflictAction(Enum):
    """What a node does when a machine that is not one of ours claims an address of ours."""

    DEFEND = "defend"
    YIELD = "yield"


EXCLUSION_FILE = Path("/etc/metallb/excludel2.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerSettings(ProcessSettings):
    """One node's speaker. `audit_interval_s`: how often the daemons' running configuration is compared.

    `return_hold_s`: how long a node that was gone must be back before it owns layer-2 addresses again.
    `isolation_hold_s`: how long a node that lost most of its peers at once takes nothing over.
    `withdraw_not_ready`: nothing is announced over BGP from a NotReady node (unless too many are). `damping_limit_s`: how
    long a prefix that comes and goes is kept back at most; `withdrawal_hold_s`: how long a configuration waits that would
    withdraw most prefixes; either may be 0.
    `exclusion_file`: interfaces that never answer (contract 4.4); it need not exist. `key_folder`: where the heartbeats'
    key is a file; without it the key is the Secret's. `drain_wait_s`: how long routes are marked before they are withdrawn.
    """

    node: str
    run: RunFolder
    ignore_exclude_label: bool = False
    withdraw_not_ready: bool = False
    damping_limit_s: float = 60.0
    withdrawal_hold_s: float = 5.0
    mesh_port: int = MESH_PORT
    return_hold_s: float = 30.0
    isolation_hold_s: float = 10.0
    exclusion_file: Path = EXCLUSION_FILE
    key_folder: Path | None = None
    on_address_conflict: ConflictAction = ConflictAction.DEFEND
    daemon_group: str = "frr"
    audit_interval_s: float = 5.0
    bgp_engine: BgpEngine = BgpEngine.FRR
    recomputation_interval_s: float = 60.0
    drain_wait_s: float = 5.0
    drain_taints: tuple[TaintRule, ...] = ()


class StaleRoutesAction(Enum):
    """What the supervisor does with BGP routes when the speaker stays away."""

    DEPREFER = "deprefer"
    WITHDRAW = "withdraw"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSettings:
    """One node's supervisor. `http_port` 0 means that /metrics, /healthz and /readyz are not served."""

    run: RunFolder
    node: str
    engine: BgpEngine = BgpEngine.FRR
    frr_binaries: Path = FRR_DAEMON_FOLDER
    stale_after_s: float = 120.0
    stale_routes_action: StaleRoutesAction = StaleRoutesAction.DEPREFER
    http_port: int = 0
    log_level: str = "info"
