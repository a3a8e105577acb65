"""`ferrule speaker`: announces from one node what that node should announce."""

import argparse
import asyncio

from orchestrator.cli.arguments import add_node_arguments, add_process_arguments, port, process_fields
from orchestrator.settings import MESH_PORT, RunFolder, SpeakerSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_process_arguments(parser)
    add_node_arguments(parser)
    parser.add_argument(
        "--ignore-exclude-lb",
        action="store_true",
        help="announce from nodes labelled exclude-from-external-load-balancers, too",
    )
    parser.add_argument(
        "--ml-bindport",
        type=port,
        default=MESH_PORT,
        metavar="PORT",
        help="UDP port of the heartbeats between nodes (default: %(default)s)",
    )
    parser.add_argument(
        "--daemon-group",
        default="frr",
        metavar="GROUP",
        help="group that may read the rendered files (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    from orchestrator.observe import logs
    from orchestrator.runtime import speaker

    logs.configure(arguments.log_level)
    settings = SpeakerSettings(
        **process_fields(arguments),
        node=arguments.node,
        run=RunFolder(arguments.run),
        ignore_exclude_label=arguments.ignore_exclude_lb,
        mesh_port=arguments.ml_bindport,
        daemon_group=arguments.daemon_group,
    )
    return asyncio.run(speaker.run(settings))
