"""The command line: which subcommands there are. Each lives in a module of its own that is imported when it is used.

Exit status: 0 done · 1 failed · 2 wrong usage · 3 problems found (lint), another or several answer (arping), routes differ (routes),
something changes (plan), Services held back (drain) · 4 cannot start with these flags on this machine · 5 sessions go down (plan) · 130 interrupted · 141 the
reader of the output went away.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from orchestrator.cli.go_flags import FlagParser
from orchestrator.errors import OrchestratorError, StartupError
from orchestrator.version import __version__

FAILED, CANNOT_START, INTERRUPTED, PIPE_CLOSED = 1, 4, 130, 141
HELP_COLUMN = 20


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: `module` has `add_arguments(parser)` and `run(arguments) -> int`.

    `go_flags`: it replaces a program of MetalLB and takes flags as that does.
    """

    name: str
    module: str
    summary: str
    go_flags: bool = False


COMMANDS = (
    Command("controller", "orchestrator.cli.controller", "allocate addresses and write statuses", go_flags=True),
    Command(
        "speaker", "orchestrator.cli.speaker", "announce the addresses that this node should announce", go_flags=True
    ),
    Command("supervise", "orchestrator.cli.supervise", "start, watch and end FRR's daemons and the responder"),
    Command("respond", "orchestrator.cli.respond", "answer ARP and NDP for the addresses that the speaker hands over"),
    Command("render", "orchestrator.cli.render", "print the configuration that a node would run, without a cluster"),
    Command("plan", "orchestrator.cli.plan", "show what a change does to routes and sessions, before it happens"),
    Command("routes", "orchestrator.cli.routes", "show this node's BGP routes from the plan to what a router was sent"),
    Command("lint", "orchestrator.cli.lint", "list every problem of a set of manifests"),
    Command("router-config", "orchestrator.cli.router_config", "print what the router of a BGPPeer has to be told"),
    Command("crds", "orchestrator.cli.crds", "print the CustomResourceDefinitions that this version needs"),
    Command("failover", "orchestrator.cli.failover", "move a layer-2 address to another node, or list what was moved"),
    Command("drain", "orchestrator.cli.drain", "take a node out of the announcements, or list the drained ones"),
    Command("arping", "orchestrator.cli.arping", "ask from this node who answers for an address"),
    Command("lab", "orchestrator.cli.lab", "three nodes, a router and clients in network namespaces"),
)


class _OneColumn(argparse.HelpFormatter):
    """All summaries start in one column; argparse forgets the deeper indent of subcommands (3.11)."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=HELP_COLUMN)
        self._action_max_length = HELP_COLUMN


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Return the parser; only the arguments of the `chosen` command are filled in, the others keep their summary."""
    parser = argparse.ArgumentParser(
        prog="ferrule",
        formatter_class=_OneColumn,
        description="A load balancer for bare-metal Kubernetes: addresses for Services, FRR rendered and supervised, ARP and NDP answered.",
        epilog="`ferrule COMMAND --help` explains a command. `ferrule lab demo` shows all of it on this machine.",
    )
    parser.add_argument("--version", action="version", version=f"ferrule {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=FlagParser)
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.summary, description=command.summary.capitalize() + ".")
        if command.go_flags:
            sub.take_go_flags()
        if command.name == chosen:
            import_module(command.module).add_arguments(sub)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    chosen = next((word for word in words if not word.startswith("-")), None)
    parsed = build_parser(chosen).parse_args(words)
    try:
        status: int = import_module(_module_of(parsed.command)).run(parsed)
        sys.stdout.flush()
    except StartupError as error:
        return _failed(parsed.command, str(error), CANNOT_START)
    except OrchestratorError as error:
        return _failed(parsed.command, str(error), FAILED)
    except KeyboardInterrupt:
        return _failed(parsed.command, "interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has enough of it; nothing more is written at the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return status


def _module_of(name: str) -> str:
    return next(command.module for command in COMMANDS if command.name == name)


def _failed(command: str, reason: str, status: int) -> int:
    print(f"ferrule {command}: {reason}", file=sys.stderr)
    return status
