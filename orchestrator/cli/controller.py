"""`ferrule controller`: allocates addresses and writes statuses."""

import argparse
import asyncio

from orchestrator.cli import without_effect
from orchestrator.cli.arguments import add_process_arguments, process_fields, seconds, seconds_or_none
from orchestrator.errors import StartupError
from orchestrator.settings import HEARTBEAT_SECRET, ControllerSettings, environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_process_arguments(parser)
    parser.add_argument(
        "--removed-pool-hold",
        type=seconds,
        default=300.0,
        metavar="SECONDS",
        help="how long addresses of a removed pool stay with their Services (default: %(default)g)",
    )
    _add_released_arguments(parser)
    parser.add_argument(
        "--ml-secret-name",
        default=environment("METALLB_ML_SECRET_NAME") or HEARTBEAT_SECRET,
        metavar="NAME",
        help="Secret with the key of the nodes' heartbeats, made if there is none, METALLB_ML_SECRET_NAME "
        "(default: %(default)s); speakers read this one through --ml-secret-key-path unless it has the default name",
    )
    _add_election_arguments(parser)
    without_effect.add_arguments(parser, without_effect.CONTROLLER)


def _add_released_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cool-down",
        type=seconds_or_none,
        default=60.0,
        metavar="SECONDS",
        help="how long a released address goes to another Service only if no other is free (default: %(default)g)",
    )
    parser.add_argument(
        "--sticky-addresses",
        type=seconds_or_none,
        default=0.0,
        metavar="SECONDS",
        help="how long a deleted Service's address is kept for it, should it be made again (default: %(default)g)",
    )


def _add_election_arguments(parser: argparse.ArgumentParser) -> None:
    for name, default, what in (
        ("lease-duration", 15.0, "how long the leader's Lease holds after a renewal"),
        ("renew-deadline", 10.0, "how long a leader that cannot renew its Lease goes on writing"),
        ("retry-period", 2.0, "how often the Lease is renewed, or tried for"),
    ):
        parser.add_argument(
            f"--leader-elect-{name}",
            type=seconds,
            default=default,
            metavar="SECONDS",
            help=f"{what} (default: %(default)g)",
        )


def _check_election(arguments: argparse.Namespace) -> None:
    duration, renew = arguments.leader_elect_lease_duration, arguments.leader_elect_renew_deadline
    retry = arguments.leader_elect_retry_period
    if not duration > renew > retry:
        raise StartupError(
            f"--leader-elect-lease-duration ({duration:g} s) must be longer than --leader-elect-renew-deadline "
            f"({renew:g} s), and that longer than --leader-elect-retry-period ({retry:g} s)"
        )


def run(arguments: argparse.Namespace) -> int:
    from orchestrator.observe import logs
    from orchestrator.runtime import controller

    logs.configure(arguments.log_level)
    _check_election(arguments)
    settings = ControllerSettings(
        **process_fields(arguments),
        removed_pool_hold_s=arguments.removed_pool_hold,
        cool_down_s=arguments.cool_down,
        sticky_s=arguments.sticky_addresses,
        heartbeat_secret=arguments.ml_secret_name or HEARTBEAT_SECRET,
        lease_duration_s=arguments.leader_elect_lease_duration,
        lease_renew_s=arguments.leader_elect_renew_deadline,
        lease_retry_s=arguments.leader_elect_retry_period,
    )
    without_effect.tell(arguments, without_effect.CONTROLLER)
    return asyncio.run(controller.run(settings))
