"""`ferrule supervise`: starts, watches and ends FRR's daemons and the responder of one node."""

import argparse
import asyncio
from pathlib import Path

from orchestrator.cli.arguments import add_log_level, add_node_arguments, default_engine, port, seconds
from orchestrator.net.bgp import BgpEngine
from orchestrator.settings import FRR_DAEMON_FOLDER, RunFolder, StaleRoutesAction, SupervisorSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    engines = [engine.value for engine in BgpEngine]
    what = "whose daemons: the speaker's --bgp-engine (default: METALLB_BGP_TYPE's, else frr)"
    parser.add_argument("engine", nargs="?", choices=engines, default=default_engine().value, help=what)
    add_node_arguments(parser)
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
    add_log_level(parser)


def run(arguments: argparse.Namespace) -> int:
    from orchestrator.observe import logs
    from orchestrator.runtime import supervisor

    logs.configure(arguments.log_level)
    settings = SupervisorSettings(
        run=RunFolder(arguments.run.resolve()),
        node=arguments.node,
        engine=BgpEngine(arguments.engine),
        frr_binaries=arguments.frr_bin,
        stale_after_s=arguments.stale_after,
        stale_routes_action=arguments.stale_routes_action,
        http_port=arguments.http_port,
        log_level=arguments.log_level,
    )
    asyncio.run(supervisor.run(settings))
    return 0
