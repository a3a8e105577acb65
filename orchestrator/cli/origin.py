"""Flags that say where objects are: a Kubernetes cluster, or a folder of manifests beside one of states."""

import argparse
from pathlib import Path

from orchestrator.errors import StartupError
from orchestrator.settings import Cluster, Folders, default_kubeconfig, environment

KUBE = "kube"
MANIFESTS = "manifests:"


def source(text: str) -> str | Path:
    """Return the folder of `manifests:DIR`, or KUBE; the `type` of --source."""
    return text if text == KUBE else manifests_folder(text)


def manifests_folder(text: str) -> Path:
    """Return the folder of `manifests:DIR`."""
    folder = Path(text.removeprefix(MANIFESTS))
    if not text.startswith(MANIFESTS) or not text.removeprefix(MANIFESTS):
        raise argparse.ArgumentTypeError(f'"{text}": write {MANIFESTS}DIR, the folder of the manifests')
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{folder} is not a folder; make it, it may be empty")
    return folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    parser.add_argument(
        "--source",
        type=source,
        metavar="{kube,manifests:DIR}",
        help="where the objects are: the cluster, or a watched folder of manifests (default: kube)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="with manifests: folder of the statuses; controller and speakers share it",
    )
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="how to reach the cluster, KUBECONFIG (default: the ServiceAccount of our own pod)",
    )
    parser.add_argument(
        "--context", default="", metavar="NAME", help="context of the kubeconfig (default: its current one)"
    )
    parser.add_argument(
        "--pod-name",
        default=environment("METALLB_POD_NAME"),
        metavar="NAME",
        help="our own pod, METALLB_POD_NAME; names us in events and in the election (default: none, outside of pods)",
    )


def is_live(arguments: argparse.Namespace) -> bool:
    """Return whether the flags name a place, instead of `files`. Raises StartupError if both are given."""
    live = bool(arguments.source or arguments.kubeconfig or arguments.context or arguments.state)
    if live and arguments.files:
        raise StartupError("either files or --source, --kubeconfig; run the command for each of them")
    return live


def origin_of(arguments: argparse.Namespace) -> Folders | Cluster:
    """Return what the flags say together. Raises StartupError if they contradict each other."""
    if isinstance(arguments.source, Path):
        return _folders(arguments)
    if arguments.state is not None:
        raise StartupError(f"--state is for manifests; give --source {MANIFESTS}DIR as well, or leave --state out")
    kubeconfig = arguments.kubeconfig or default_kubeconfig()
    if arguments.context and kubeconfig is None:
        raise StartupError("--context is for a kubeconfig; give --kubeconfig FILE as well")
    return Cluster(kubeconfig=kubeconfig, context=arguments.context, pod_name=arguments.pod_name)


def _folders(arguments: argparse.Namespace) -> Folders:
    if arguments.state is None:
        raise StartupError(f"--source {MANIFESTS}{arguments.source} needs --state DIR, the folder of the statuses")
    for flag in ("kubeconfig", "context"):
        if getattr(arguments, flag):
            raise StartupError(f"--{flag} is for a cluster, and --source {MANIFESTS}DIR is none; give one of them")
    return Folders(source=arguments.source, state=arguments.state)
