"""`ferrule respond`: answer ARP for the addresses that the speaker hands over."""

import argparse
import asyncio
from pathlib import Path

from orchestrator.observe import logs
from orchestrator.runtime import responder
from orchestrator.runtime.responder import ResponderSettings
from orchestrator.settings import RunFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which node, where its speaker finds us; all else comes with the speaker's tables."""
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="folder of the node's sockets")
    parser.add_argument("--node", required=True, help="name of this node")
    parser.add_argument("--log-level", default="info", choices=sorted(logs.LEVELS), help="default: info")


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    settings = ResponderSettings(run=RunFolder(arguments.run), node=arguments.node, log_level=arguments.log_level)
    logs.configure(settings.log_level)
    asyncio.run(responder.run(settings))
    return 0
