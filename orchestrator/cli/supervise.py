"""`ferrule supervise`: starts, watches and ends FRR's daemons and the responder of one node."""

import argparse
import asyncio
import sys
from pathlib import Path

from orchestrator.cli.arguments import LOG_LEVELS, port
from orchestrator.errors import StartupError
from orchestrator.settings import FRR_DAEMON_FOLDER, RunFolder, StaleRoutesAction, SupervisorSettings, environment

DEFAULT_RUN_FOLDER = Path("/run/ferrule")


def seconds(text: str) -> float:
    """Return a positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f'"{text}" is not a positive number of seconds')
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    node = environment("METALLB_NODE_NAME")
    parser.add_argument("engine", nargs="?", choices=("frr",), default="frr", help="whose daemons (default: frr)")
    parser.add_argument(
        "--node",
        "--node-name",
        default=node,
        required=not node,
        metavar="NAME",
        help="this node's name, METALLB_NODE_NAME",
    )
    parser.add_argument(
        "--run",
        type=Path,
        default=DEFAULT_RUN_FOLDER,
        metavar="DIR",
        help="folder shared with `ferrule speaker` (default: %(default)s)",
    )
    parser.add_argument(
        "--frr-bin",
        type=Path,
        default=FRR_DAEMON_FOLDER,
        metavar="DIR",
        help="folder of FRR's daemons (default: %(default)s)",
    )
    parser.add_argument(
        "--stale-after",
        type=seconds,
        default=120.0,
        metavar="SECONDS",
        help="how long the speaker may be away before the routes count as stale (default: %(default)s)",
    )
    parser.add_argument(
        "--stale-routes-action",
        type=StaleRoutesAction,
        choices=tuple(StaleRoutesAction),
        default=StaleRoutesAction.DEPREFER,
        metavar="{deprefer,withdraw,none}",
        help="what is done with stale routes (default: deprefer)",
    )
    parser.add_argument(
        "--http-port",
        type=port,
        default=0,
        metavar="PORT",
        help="port of /metrics, /healthz and /readyz, 0 is off (default: %(default)s)",
    )
    parser.add_argument(
        "--log-level",
        choices=LOG_LEVELS,
        default="info",
        help="least level of the JSON log lines (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    from orchestrator.observe import logs
    from orchestrator.runtime import supervisor

    logs.configure(arguments.log_level)
    settings = SupervisorSettings(
        run=RunFolder(arguments.run.resolve()),
        node=arguments.node,
        frr_binaries=arguments.frr_bin,
        stale_after_s=arguments.stale_after,
        stale_routes_action=arguments.stale_routes_action,
        http_port=arguments.http_port,
        log_level=arguments.log_level,
    )
    try:
        asyncio.run(supervisor.run(settings))
    except StartupError as error:
        print(f"ferrule supervise: {error}", file=sys.stderr)
        return 4
    return 0
