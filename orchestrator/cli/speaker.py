"""`ferrule speaker`: announces from one node what that node should announce."""

import argparse
import asyncio

from orchestrator.cli.arguments import add_node_arguments, add_process_arguments, port, process_fields, seconds
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
        "--return-hold",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long a node that was gone must be back before it owns layer-2 addresses again (default: %(default)g)",
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
        return_hold_s=arguments.return_hold,
        daemon_group=arguments.daemon_group,
    )
    return asyncio.run(speaker.run(settings))
