"""Flags that several commands share, with MetalLB's names and environment variables (contract 7.1, 7.2)."""

import argparse
from pathlib import Path
from typing import TypedDict

from orchestrator.settings import DEFAULT_NAMESPACE, HEALTH_PORT, METRICS_PORT, Folders, environment

LOG_LEVELS = ("all", "debug", "info", "warn", "error", "none")
MANIFESTS = "manifests:"
DEFAULT_RUN_FOLDER = Path("/run/ferrule")


def manifests_folder(text: str) -> Path:
    """Return the folder of `manifests:DIR`; the `type` of --source."""
    folder = Path(text.removeprefix(MANIFESTS))
    if not text.startswith(MANIFESTS) or not text.removeprefix(MANIFESTS):
        raise argparse.ArgumentTypeError(f'"{text}": write {MANIFESTS}DIR, the folder of the manifests')
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{folder} is not a folder; make it, it may be empty")
    return folder


def add_process_arguments(parser: argparse.ArgumentParser) -> None:
    """What controller and speaker have in common."""
    parser.add_argument(
        "--source",
        type=manifests_folder,
        required=True,
        metavar="manifests:DIR",
        help="where the objects are: a folder of manifests, watched",
    )
    parser.add_argument(
        "--state",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the statuses; controller and speakers share it",
    )
    parser.add_argument(
        "--namespace",
        default=environment("METALLB_NAMESPACE", DEFAULT_NAMESPACE),
        help="namespace of our own objects, METALLB_NAMESPACE (default: %(default)s)",
    )
    parser.add_argument(
        "--lb-class",
        default="",
        metavar="CLASS",
        help="handle only Services of this loadBalancerClass (default: those without one)",
    )
    add_log_level(parser)
    parser.add_argument(
        "--port", type=port, default=METRICS_PORT, help="port of /metrics, 0 is off (default: %(default)s)"
    )
    parser.add_argument(
        "--health-probe-port",
        type=port,
        default=HEALTH_PORT,
        help="port of /healthz and /readyz, 0 is off (default: %(default)s)",
    )


class ProcessFields(TypedDict):
    """The fields of settings.ProcessSettings."""

    origin: Folders
    namespace: str
    load_balancer_class: str
    log_level: str
    metrics_port: int
    health_port: int


def process_fields(arguments: argparse.Namespace) -> ProcessFields:
    """Return what `add_process_arguments` asked for."""
    return ProcessFields(
        origin=Folders(source=arguments.source, state=arguments.state),
        namespace=arguments.namespace,
        load_balancer_class=arguments.lb_class,
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
    """Return a positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f'"{text}" is not a positive number of seconds')
    return value


def add_node_arguments(parser: argparse.ArgumentParser) -> None:
    """Which node, and the folder that its processes share."""
    node = environment("METALLB_NODE_NAME")
    what = "this node's name, METALLB_NODE_NAME"
    parser.add_argument("--node", "--node-name", default=node, required=not node, metavar="NAME", help=what)
    what = "folder that the processes of a node share (default: %(default)s)"
    parser.add_argument("--run", type=Path, default=DEFAULT_RUN_FOLDER, metavar="DIR", help=what)


def add_log_level(parser: argparse.ArgumentParser) -> None:
    what = "least level of the JSON log lines (default: %(default)s)"
    parser.add_argument("--log-level", choices=LOG_LEVELS, default="info", help=what)
