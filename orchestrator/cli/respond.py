"""`ferrule respond`: answer ARP for the addresses that the speaker hands over."""

import argparse
import asyncio

from orchestrator.cli.arguments import add_log_level, add_node_arguments
from orchestrator.settings import RunFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which node, where its speaker finds us; all else comes with the speaker's tables."""
    add_node_arguments(parser)
    add_log_level(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    from orchestrator.observe import logs
    from orchestrator.runtime import responder
    from orchestrator.runtime.responder import ResponderSettings

    settings = ResponderSettings(run=RunFolder(arguments.run), node=arguments.node, log_level=arguments.log_level)
    logs.configure(settings.log_level)
    asyncio.run(responder.run(settings))
    return 0
