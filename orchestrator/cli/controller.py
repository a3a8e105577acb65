"""`ferrule controller`: allocates addresses and writes statuses."""

import argparse
import asyncio

from orchestrator.cli.arguments import add_process_arguments, process_fields, seconds
from orchestrator.settings import ControllerSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_process_arguments(parser)
    parser.add_argument(
        "--removed-pool-hold",
        type=seconds,
        default=300.0,
        metavar="SECONDS",
        help="how long addresses of a removed pool stay with their Services (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    from orchestrator.observe import logs
    from orchestrator.runtime import controller

    logs.configure(arguments.log_level)
    settings = ControllerSettings(
        **process_fields(arguments),
        removed_pool_hold_s=arguments.removed_pool_hold,
    )
    return asyncio.run(controller.run(settings))
