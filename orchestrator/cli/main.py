"""
The command line: which subcommands there are. Each lives in a module of its own that is imported when it is used.

Exit status: 0 done · 1 failed · 2 wrong usage · 3 problems found (lint) · 4 the process cannot start here.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from orchestrator.version import __version__


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand: `module` has `add_arguments(parser)` and `run(arguments) -> int`."""

    name: str
    module: str
    summary: str


COMMANDS = (
    Command("controller", "orchestrator.cli.controller", "allocate addresses and write statuses"),
    Command("speaker", "orchestrator.cli.speaker", "announce the addresses that this node should announce"),
    Command("supervise", "orchestrator.cli.supervise", "start, watch and end FRR's daemons and the responder"),
    Command("respond", "orchestrator.cli.respond", "answer ARP for the addresses that the speaker hands over"),
    Command("render", "orchestrator.cli.render", "print the configuration that a node would run, without a cluster"),
    Command("lint", "orchestrator.cli.lint", "list every problem of a set of manifests"),
    Command("lab", "orchestrator.cli.lab", "three nodes, a router and clients in network namespaces"),
)


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """Return the parser; only the arguments of the `chosen` command are filled in, the others keep their summary."""
    parser = argparse.ArgumentParser(
        prog="ferrule",
        description="A load balancer for bare-metal Kubernetes: addresses for Services, FRR rendered and supervised, ARP answered.",
        epilog="`ferrule COMMAND --help` explains a command. `ferrule lab demo` shows all of it on this machine.",
    )
    parser.add_argument("--version", action="version", version=f"ferrule {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = commands.add_parser(command.name, help=command.summary, description=command.summary.capitalize() + ".")
        if command.name == chosen:
            import_module(command.module).add_arguments(sub)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    chosen = next((word for word in words if not word.startswith("-")), None)
    parsed = build_parser(chosen).parse_args(words)
    module = import_module(next(command.module for command in COMMANDS if command.name == parsed.command))
    status: int = module.run(parsed)
    return status
