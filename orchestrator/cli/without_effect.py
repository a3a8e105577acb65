"""Flags and variables of MetalLB that mean nothing here: accepted, so that its manifests start, and named once in the log.

One table says why; flags, log line and docs/flags.md are made from it. Values that MetalLB refuses are refused here, too.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.cli.arguments import NATIVE
from orchestrator.cli.go_flags import switch
from orchestrator.errors import StartupError
from orchestrator.settings import environment

CONTROLLER, SPEAKER = "controller", "speaker"
GROUP = "accepted for MetalLB's manifests, without effect"
TLS_12, TLS_13 = "VersionTLS12", "VersionTLS13"
ONLY_WEBHOOK = "onlywebhook"
HIGHEST_CURVE = 65535
BGP_TYPES = (NATIVE, "frr", "frr-k8s", "frr-k8s-external")

NO_TLS = "/metrics is served as plain HTTP"
NO_WEBHOOK = "there is no webhook: the CRDs' own rules and the conditions of objects say what is wrong"
NO_MEMBERLIST = "the responders' heartbeats find the nodes through their SpeakerState"
NO_FRR_K8S = "FRR runs in the speaker's own pod, without frr-k8s"
NO_RELOADER = "FRR is configured through its sockets in the run folder, without a reloader"


def curves(text: str) -> str:
    """Comma separated numbers from 1 to 65535, none twice."""
    numbers = [part.strip() for part in text.split(",")] if text else []
    for number in numbers:
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= HIGHEST_CURVE):
            raise argparse.ArgumentTypeError(f'"{number}" is not the number of a curve, 1 to {HIGHEST_CURVE}')
    if len({int(number) for number in numbers}) < len(numbers):
        raise argparse.ArgumentTypeError(f'"{text}" names a curve twice')
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class WithoutEffect:
    """`flag` has no dashes and is empty if there is only the variable; `of` are the commands that take it."""

    flag: str = ""
    env: str = ""
    of: tuple[str, ...] = (CONTROLLER, SPEAKER)
    why: str
    form: Callable[[str], object] = str
    choices: tuple[str, ...] | None = None

    def given(self, arguments: argparse.Namespace) -> str:
        """Return how it was given, empty if it was not."""
        if self.flag and getattr(arguments, self.destination) is not None:
            return f"--{self.flag}"
        return self.env if self.env and environment(self.env) else ""

    @property
    def destination(self) -> str:
        return self.flag.replace("-", "_")


TABLE = (
    WithoutEffect(flag="pprof-bind-address", why="there is no Go runtime to profile"),
    WithoutEffect(flag="metrics-cert-dir", why=NO_TLS),
    WithoutEffect(flag="tls-min-version", why=NO_TLS, choices=("", TLS_12, TLS_13)),
    WithoutEffect(flag="tls-cipher-suites", why=NO_TLS),
    WithoutEffect(flag="tls-curve-preferences", why=NO_TLS, form=curves),
    WithoutEffect(
        flag="deployment",
        env="METALLB_DEPLOYMENT",
        of=(CONTROLLER,),
        why="the heartbeats' Secret has no owner: a new Deployment goes on with the key",
    ),
    WithoutEffect(flag="webhook-mode", of=(CONTROLLER,), why=NO_WEBHOOK, choices=("enabled", "disabled", ONLY_WEBHOOK)),
    WithoutEffect(flag="webhook-secret", of=(CONTROLLER,), why=NO_WEBHOOK),
    WithoutEffect(flag="webhook-http2", of=(CONTROLLER,), why=NO_WEBHOOK, form=switch),
    WithoutEffect(flag="disable-cert-rotation", of=(CONTROLLER,), why=NO_WEBHOOK, form=switch),
    WithoutEffect(flag="cert-dir", of=(CONTROLLER,), why=NO_WEBHOOK),
    WithoutEffect(flag="cert-service-name", of=(CONTROLLER,), why=NO_WEBHOOK),
    WithoutEffect(flag="host", env="METALLB_HOST", of=(SPEAKER,), why="MetalLB ignores it, too"),
    WithoutEffect(flag="ml-bindaddr", env="METALLB_ML_BIND_ADDR", of=(SPEAKER,), why=NO_MEMBERLIST),
    WithoutEffect(flag="ml-labels", env="METALLB_ML_LABELS", of=(SPEAKER,), why=NO_MEMBERLIST),
    WithoutEffect(flag="ml-wan-config", of=(SPEAKER,), why=NO_MEMBERLIST, form=switch),
    WithoutEffect(flag="frrk8s-namespace", env="FRRK8S_NAMESPACE", of=(SPEAKER,), why=NO_FRR_K8S),
    WithoutEffect(flag="frrk8s-secret-passthrough", of=(SPEAKER,), why=NO_FRR_K8S, form=switch),
    WithoutEffect(
        flag="bgp-debounce-timeout",
        env="METALLB_BGP_DEBOUNCE_TIMEOUT",
        of=(SPEAKER,),
        why="changes are applied at once: only the difference goes to FRR",
    ),
    WithoutEffect(env="FRR_CONFIG_FILE", of=(SPEAKER,), why=NO_RELOADER),
    WithoutEffect(env="FRR_RELOADER_PID_FILE", of=(SPEAKER,), why=NO_RELOADER),
    WithoutEffect(env="FRR_LOGGING_LEVEL", of=(SPEAKER,), why="FRR logs what it finds informational"),
)


def add_arguments(parser: argparse.ArgumentParser, command: str) -> None:
    """Declare the flags of one command."""
    group = parser.add_argument_group(GROUP)
    for entry in TABLE:
        if not entry.flag or command not in entry.of:
            continue
        why = f"{entry.why} ({entry.env})" if entry.env else entry.why
        if entry.form is switch:
            group.add_argument(f"--{entry.flag}", nargs="?", const=True, type=switch, metavar="BOOL", help=why)
        else:
            group.add_argument(
                f"--{entry.flag}", type=entry.form, choices=entry.choices, metavar=_metavar(entry), help=why
            )


def _metavar(entry: WithoutEffect) -> str:
    return "{" + ",".join(filter(None, entry.choices)) + "}" if entry.choices else "VALUE"


def given(arguments: argparse.Namespace, command: str) -> Mapping[str, str]:
    """Return what was given in vain: how, and why it has no effect. Raises StartupError for what MetalLB refuses."""
    _check(arguments)
    entries = [(entry.given(arguments), entry.why) for entry in TABLE if command in entry.of]
    return {name: why for name, why in entries if name} | _engine(command)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.tls_cipher_suites and arguments.tls_min_version != TLS_12:
        raise StartupError(
            f"--tls-cipher-suites has no meaning for TLS 1.3, which is the least version here; give "
            f"--tls-min-version={TLS_12}, or leave it out"
        )
    if getattr(arguments, "webhook_mode", None) == ONLY_WEBHOOK:
        raise StartupError(f"--webhook-mode={ONLY_WEBHOOK}: {NO_WEBHOOK}; this process has nothing to do, remove it")


def _engine(command: str) -> dict[str, str]:
    """METALLB_BGP_TYPE as far as it is not what happens. Raises StartupError if it is no type."""
    bgp_type = environment("METALLB_BGP_TYPE")
    if bgp_type and bgp_type not in BGP_TYPES:
        raise StartupError(f'METALLB_BGP_TYPE "{bgp_type}" is none of {", ".join(BGP_TYPES)}')
    if command == CONTROLLER or bgp_type in ("", "frr", NATIVE):
        return {}
    return {f"METALLB_BGP_TYPE={bgp_type}": NO_FRR_K8S}


def tell(arguments: argparse.Namespace, command: str) -> None:
    """Write the log line, if there is anything to say. Raises StartupError."""
    import structlog

    if found := given(arguments, command):
        structlog.get_logger().info("flags without effect", flags=found)
