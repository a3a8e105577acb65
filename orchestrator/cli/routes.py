"""`ferrule routes`: each route of this node to each router, at every stage on its way. Looks, and changes nothing.

The stages: wanted (by the plan, computed from the objects; needs --source), rendered (the file that the speaker wrote),
running (in bgpd), sent (to the router). Routes that differ somewhere come first, with the reason; then the exit status is 3.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from orchestrator.cli import origin
from orchestrator.cli.arguments import add_class_arguments, add_namespace_argument, add_node_arguments, classes_of
from orchestrator.errors import StartupError
from orchestrator.render.route_stages import Neighbor, RouteStage
from orchestrator.runtime.node_routes import NodeRoutes, read_routes
from orchestrator.settings import ProcessSettings, RunFolder, default_namespace

DIFFERENT = 3
COLUMNS = ("peer", "neighbor", "prefix", "wanted", "rendered", "running", "sent", "note")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("peer", nargs="?", default="", help="BGPPeer or neighbor to show (default: all)")
    add_node_arguments(parser)
    origin.add_arguments(parser)
    add_class_arguments(parser)
    add_namespace_argument(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Print the routes; 3 if a stage of one differs from another."""
    found = asyncio.run(read_routes(RunFolder(arguments.run), arguments.node, _settings(arguments)))
    stages = [stage for stage in found.stages if _is_meant(stage.neighbor, found.peers, arguments.peer)]
    if arguments.peer and not any(_is_meant(neighbor, found.peers, arguments.peer) for neighbor in found.peers):
        known = ", ".join(sorted(found.peers.values())) or "none"
        raise StartupError(f'there is no peer "{arguments.peer}" on this node; known peers: {known}')
    sys.stdout.write(_json(found, stages) if arguments.output == "json" else _text(found, stages))
    return DIFFERENT if any(stage.note for stage in stages) else 0


def _settings(arguments: argparse.Namespace) -> ProcessSettings | None:
    """Where the objects are, None if the flags do not say."""
    if not (arguments.source or arguments.kubeconfig or arguments.context or arguments.state):
        return None
    namespace = arguments.namespace or default_namespace()
    return ProcessSettings(origin=origin.origin_of(arguments), namespace=namespace, classes=classes_of(arguments))


def _is_meant(neighbor: Neighbor, peers: Mapping[Neighbor, str], asked: str) -> bool:
    return not asked or asked in (neighbor.name, peers.get(neighbor))


def _text(found: NodeRoutes, stages: Sequence[RouteStage]) -> str:
    rows = [COLUMNS, *(_row(found, stage) for stage in stages)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    different = sum(1 for stage in stages if stage.note)
    return "\n".join((*lines, f"{len(stages)} routes, {different} of them not the same everywhere", ""))


def _row(found: NodeRoutes, stage: RouteStage) -> tuple[str, ...]:
    marks: Iterable[bool | None] = (stage.wanted, stage.rendered, stage.running, stage.sent)
    cells = ("-" if mark is None else "yes" if mark else "no" for mark in marks)
    name, vrf = stage.neighbor
    return (found.peers.get(stage.neighbor, "-"), f"{name} {vrf}".rstrip(), stage.prefix, *cells, stage.note)


def _json(found: NodeRoutes, stages: Sequence[RouteStage]) -> str:
    rows = [
        {
            "peer": found.peers.get(stage.neighbor, ""),
            "neighbor": stage.neighbor.name,
            "vrf": stage.neighbor.vrf,
            "prefix": stage.prefix,
            "wanted": stage.wanted,
            "rendered": stage.rendered,
            "running": stage.running,
            "sent": stage.sent,
            "note": stage.note,
        }
        for stage in stages
    ]
    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n"
