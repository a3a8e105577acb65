"""Flags that several commands share, with MetalLB's names and environment variables (contract 7.1, 7.2)."""

import argparse
from pathlib import Path
from typing import TypedDict

from orchestrator.cli import origin
from orchestrator.errors import InvalidConfig
from orchestrator.net.bgp import BgpEngine
from orchestrator.resources.classes import ServedClasses
from orchestrator.resources.durations import parse_seconds
from orchestrator.settings import HEALTH_PORT, METRICS_PORT, Cluster, Folders, default_namespace, environment

LOG_LEVELS = ("all", "debug", "info", "warn", "error", "none")
DEFAULT_RUN_FOLDER = Path("/run/ferrule")


def add_process_arguments(parser: argparse.ArgumentParser) -> None:
    """What controller and speaker have in common."""
    origin.add_arguments(parser)
    parser.add_argument(
        "--namespace",
        default="",
        metavar="NAME",
        help="namespace of our own objects, METALLB_NAMESPACE (default: the pod's, else metallb-system)",
    )
    add_class_arguments(parser)
    add_log_level(parser)
    parser.add_argument(
        "--port",
        type=port,
        default=METRICS_PORT,
        metavar="PORT",
        help="port of /metrics, 0 is off (default: %(default)s)",
    )
    parser.add_argument(
        "--health-probe-port",
        type=port,
        default=HEALTH_PORT,
        metavar="PORT",
        help="port of /healthz and /readyz, 0 is off (default: %(default)s)",
    )


def add_files_argument(parser: argparse.ArgumentParser) -> None:
    """The manifests of a command that can also be told where objects are (`origin.add_arguments`)."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="manifests; folders are searched, - is standard input (default: -, unless --source or --kubeconfig)",
    )


def add_namespace_argument(parser: argparse.ArgumentParser) -> None:
    """Where a command looks for our own objects; empty if the flag is not there."""
    parser.add_argument(
        "--namespace", default="", metavar="NS", help="where our objects are (default: the pod's, else metallb-system)"
    )


def add_engine_argument(parser: argparse.ArgumentParser, what: str = "which daemon speaks BGP") -> None:
    """Which engine a command computes for."""
    parser.add_argument(
        "--bgp-engine",
        type=BgpEngine,
        choices=tuple(BgpEngine),
        default=BgpEngine.FRR,
        metavar="{frr,exabgp}",
        help=f"{what} (default: frr)",
    )


def add_class_arguments(parser: argparse.ArgumentParser) -> None:
    """Which Services are ours, by their loadBalancerClass."""
    parser.add_argument(
        "--lb-class",
        default="",
        metavar="CLASS,...",
        help="handle only Services of these loadBalancerClasses (default: those without one)",
    )
    parser.add_argument(
        "--lb-classless", action="store_true", help="with --lb-class: handle Services without a class, too"
    )


def classes_of(arguments: argparse.Namespace) -> ServedClasses:
    """Return what `add_class_arguments` asked for."""
    names = frozenset(name for part in arguments.lb_class.split(",") if (name := part.strip()))
    return ServedClasses(names=names, classless=arguments.lb_classless or not names)


class ProcessFields(TypedDict):
    """The fields of settings.ProcessSettings."""

    origin: Folders | Cluster
    namespace: str
    classes: ServedClasses
    log_level: str
    metrics_port: int
    health_port: int


def process_fields(arguments: argparse.Namespace) -> ProcessFields:
    """Return what `add_process_arguments` asked for. Raises StartupError."""
    return ProcessFields(
        origin=origin.origin_of(arguments),
        namespace=arguments.namespace or default_namespace(),
        classes=classes_of(arguments),
        log_level=arguments.log_level,
        metrics_port=arguments.port,
        health_port=arguments.health_probe_port,
    )


def port(text: str) -> int:
    """Return a TCP or UDP port, 0..65535."""
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f'"{text}" is not a port from 0 to 65535')
    return int(text)


def seconds(text: str) -> float:
    """Return a positive number of seconds; `15` and Go's `15s`, `1m30s` are understood."""
    value = _duration(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f'"{text}" is not a positive number of seconds')
    return value


def seconds_or_none(text: str) -> float:
    """Return a number of seconds, written as for `seconds`, that may be 0."""
    value = _duration(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f'"{text}" is no number of seconds')
    return value


def _duration(text: str) -> float:
    """Return -1 for what is none."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(parse_seconds(text))
    except (InvalidConfig, OverflowError):
        return -1.0


def name(text: str) -> str:
    """Return a name that is one."""
    if not text:
        raise argparse.ArgumentTypeError("it must not be empty")
    return text


def add_node_arguments(parser: argparse.ArgumentParser) -> None:
    """Which node, and the folder that its processes share."""
    node = environment("METALLB_NODE_NAME")
    what = "this node's name, METALLB_NODE_NAME"
    parser.add_argument("--node", "--node-name", type=name, default=node, required=not node, metavar="NAME", help=what)
    what = "folder that the processes of a node share (default: %(default)s)"
    parser.add_argument("--run", type=Path, default=DEFAULT_RUN_FOLDER, metavar="DIR", help=what)


NATIVE = "native"
"""METALLB_BGP_TYPE for MetalLB's engine without FRR; ours is ExaBGP."""


def default_engine() -> BgpEngine:
    """Return the engine that METALLB_BGP_TYPE asks for."""
    return BgpEngine.EXABGP if environment("METALLB_BGP_TYPE") == NATIVE else BgpEngine.FRR


def add_log_level(parser: argparse.ArgumentParser) -> None:
    what = "least level of the JSON log lines (default: %(default)s)"
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="info", help=what)
