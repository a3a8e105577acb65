"""`ferrule speaker`: announces from one node what that node should announce."""

import argparse
import asyncio
from pathlib import Path

from orchestrator.cli import without_effect
from orchestrator.cli.arguments import (
    add_node_arguments,
    add_process_arguments,
    default_engine,
    port,
    process_fields,
    seconds,
    seconds_or_none,
)
from orchestrator.cli.go_flags import switch
from orchestrator.errors import InvalidConfig, StartupError
from orchestrator.net.bgp import BgpEngine
from orchestrator.resources.taints import DEFAULT_TAINTS, TaintRule, parse_taints
from orchestrator.settings import EXCLUSION_FILE, MESH_PORT, ConflictAction, RunFolder, SpeakerSettings, environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_process_arguments(parser)
    add_node_arguments(parser)
    parser.add_argument(
        "--ignore-exclude-lb",
        nargs="?",
        const=True,
        default=False,
        type=switch,
        metavar="BOOL",
        help="announce from nodes labelled exclude-from-external-load-balancers, too",
    )
    _add_withdrawal_arguments(parser)
    _add_heartbeat_arguments(parser)
    _add_layer2_arguments(parser)
    parser.add_argument(
        "--bgp-engine",
        choices=[engine.value for engine in BgpEngine],
        default=default_engine().value,
        help="which daemon speaks BGP (default: exabgp if METALLB_BGP_TYPE is native, else frr)",
    )
    parser.add_argument(
        "--frr-sockets",
        type=Path,
        metavar="DIR",
        help="folder with the vty sockets of an FRR that runs elsewhere, e.g. /run/frr: it is configured, not started "
        "(default: `ferrule supervise` has FRR)",
    )
    parser.add_argument(
        "--daemon-group",
        default="frr",
        metavar="GROUP",
        help="group that may read the rendered files (default: %(default)s)",
    )
    _add_drain_arguments(parser)
    without_effect.add_arguments(parser, without_effect.SPEAKER)


def _add_drain_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--drain-wait",
        type=seconds_or_none,
        default=5.0,
        metavar="SECONDS",
        help="how long the routes of a drained node carry GRACEFUL_SHUTDOWN before they go (default: %(default)g)",
    )
    parser.add_argument(
        "--drain-taints",
        type=_taints,
        default=DEFAULT_TAINTS,
        metavar="TAINTS",
        help="taints of the Node, key[=value][:effect],..., that drain it; empty: none (default: %(default)s)",
    )


def _taints(text: str) -> tuple[TaintRule, ...]:
    try:
        return parse_taints(text)
    except InvalidConfig as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_withdrawal_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--withdraw-not-ready",
        nargs="?",
        const=True,
        default=False,
        type=switch,
        metavar="BOOL",
        help="announce nothing over BGP while the Node is NotReady, unless more than 30 %% of the nodes are",
    )
    parser.add_argument(
        "--damping-limit",
        type=seconds_or_none,
        default=60.0,
        metavar="SECONDS",
        help="how long a prefix that comes and goes is kept back at most; 0: never (default: %(default)g)",
    )
    parser.add_argument(
        "--withdrawal-hold",
        type=seconds_or_none,
        default=5.0,
        metavar="SECONDS",
        help="how long a configuration waits that would withdraw most of a node's prefixes; 0: no time "
        "(default: %(default)g)",
    )


def _add_heartbeat_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--ml-bindport",
        type=port,
        default=environment("METALLB_ML_BIND_PORT") or MESH_PORT,
        metavar="PORT",
        help="UDP port of the heartbeats between nodes, METALLB_ML_BIND_PORT (default: %(default)s)",
    )
    key_path = environment("METALLB_ML_SECRET_KEY_PATH")
    parser.add_argument(
        "--ml-secret-key-path",
        type=Path,
        default=Path(key_path) if key_path else None,
        metavar="DIR",
        help="folder whose file secretkey signs the heartbeats, METALLB_ML_SECRET_KEY_PATH (default: the Secret memberlist)",
    )


def _add_layer2_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--return-hold",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long a node that was gone must be back before it owns layer-2 addresses again (default: %(default)g)",
    )
    parser.add_argument(
        "--isolation-hold",
        type=seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long a node that lost most of the others at once takes nothing over (default: %(default)g)",
    )
    parser.add_argument(
        "--l2-exclude-file",
        type=Path,
        default=EXCLUSION_FILE,
        metavar="FILE",
        help="YAML list of interfaces that never answer; reloaded when it changes (default: %(default)s)",
    )
    parser.add_argument(
        "--on-address-conflict",
        choices=[action.value for action in ConflictAction],
        default=ConflictAction.DEFEND.value,
        help="when a foreign machine claims an address of ours: go on answering, or give way until it is silent "
        "(default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    from orchestrator.observe import logs
    from orchestrator.runtime import speaker_process

    logs.configure(arguments.log_level)
    engine = BgpEngine(arguments.bgp_engine)
    if arguments.frr_sockets is not None and engine is not BgpEngine.FRR:
        raise StartupError(f"--frr-sockets is for FRR, and the BGP engine is {engine.value}")
    settings = SpeakerSettings(
        **process_fields(arguments),
        node=arguments.node,
        run=RunFolder(arguments.run, frr_sockets=arguments.frr_sockets),
        ignore_exclude_label=arguments.ignore_exclude_lb,
        withdraw_not_ready=arguments.withdraw_not_ready,
        damping_limit_s=arguments.damping_limit,
        withdrawal_hold_s=arguments.withdrawal_hold,
        mesh_port=arguments.ml_bindport,
        return_hold_s=arguments.return_hold,
        isolation_hold_s=arguments.isolation_hold,
        key_folder=arguments.ml_secret_key_path,
        exclusion_file=arguments.l2_exclude_file,
        on_address_conflict=ConflictAction(arguments.on_address_conflict),
        bgp_engine=engine,
        daemon_group=arguments.daemon_group,
        drain_wait_s=arguments.drain_wait,
        drain_taints=arguments.drain_taints,
    )
    without_effect.tell(arguments, without_effect.SPEAKER)
    return asyncio.run(speaker_process.run(settings))
