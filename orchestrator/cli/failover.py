"""`ferrule failover`: move a layer-2 address to another node until undone, or list what was moved.

Writes one Failover object; the speakers read it and hand the address over. Exit status 1 if the owner does not follow in
time: the object stays, and takes effect when it can.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli import origin
from orchestrator.cli.arguments import add_namespace_argument
from orchestrator.decide.failovers import Standing
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.resources.extensions import FailoverSpec
from orchestrator.runtime.command_origin import open_for_command
from orchestrator.runtime.failover import Move, Placed, Placements
from orchestrator.settings import ProcessSettings, default_namespace

NOT_MOVED = 1
KINDS = frozenset(
    {"Service", "Node", "Namespace", "ConfigMap", "ServiceL2Status", "SpeakerState", "Failover"}
    | {"IPAddressPool", "L2Advertisement", "BGPAdvertisement", "BGPPeer", "BFDProfile", "Community"}
)
COLUMNS = ("address", "service", "answers now", "wanted", "in force")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("address", nargs="?", help="the address to move; without it, what was moved is listed")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--to", default="", metavar="NODE", help="where to (default: away from where it is)")
    action.add_argument("--undo", action="store_true", help="let the election decide again")
    origin.add_arguments(parser)
    add_namespace_argument(parser)
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long to wait for the new owner, 0 is not at all (default: %(default)g)",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: %(default)s")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of seconds')
    return value


def run(arguments: argparse.Namespace) -> int:
    """Do what the flags say; 1 if the owner did not follow."""
    if arguments.address is None and (arguments.to or arguments.undo):
        sys.stderr.write("ferrule failover: --to and --undo need an address\n")
        return 2
    address = parse_address(arguments.address) if arguments.address is not None else None
    return asyncio.run(_run(arguments, address))


async def _run(arguments: argparse.Namespace, address: IpAddress | None) -> int:
    namespace = arguments.namespace or default_namespace()
    settings = ProcessSettings(origin=origin.origin_of(arguments), namespace=namespace)
    async with open_for_command(settings, KINDS) as objects:
        placements = Placements(objects, namespace)
        as_json = arguments.output == "json"
        if address is None:
            _print_list(placements.listed(), as_json=as_json)
            return 0
        if arguments.undo:
            names = await placements.undo(address)
            _print({"address": str(address), "removed": names}, f"{address}: the election decides again", as_json)
            return 0
        moved = await placements.move(address, arguments.to, arguments.wait)
    _print(_fields(moved), _sentence(moved, arguments.wait), as_json)
    return 0 if moved.took_s is not None or not arguments.wait else NOT_MOVED


def _fields(moved: Move) -> dict[str, object]:
    return {
        **_wanted_fields(moved.spec),
        "before": moved.before,
        "now": moved.now,
        "seconds": None if moved.took_s is None else round(moved.took_s, 3),
        "why": moved.why,
    }


def _wanted_fields(spec: FailoverSpec) -> dict[str, object]:
    return {"address": spec.address, "to": spec.to, "avoid": spec.avoid}


def _sentence(moved: Move, wait_s: float) -> str:
    address, now = moved.spec.address, _nodes(moved.now)
    if moved.took_s is not None and set(moved.before) == set(moved.now):
        return f"{address}: {now} answers already, and stays until undone"
    if moved.took_s is not None:
        return f"{address}: {_nodes(moved.before)} -> {now} in {moved.took_s:.2f} s, until undone"
    if not wait_s:
        return f"{address}: asked for, {_wanted(moved.spec)}; {now} answers now"
    return f"{address}: after {wait_s:g} s {now} answers; {moved.why}"


def _nodes(names: Sequence[str]) -> str:
    return ", ".join(names) or "nobody"


def _wanted(spec: FailoverSpec) -> str:
    return spec.to or f"not {', '.join(spec.avoid)}"


def _print(fields: object, sentence: str, as_json: bool) -> None:
    text = msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() if as_json else sentence
    sys.stdout.write(text + "\n")


def _print_list(placed: Sequence[Placed], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "name": each.name,
                **_wanted_fields(each.spec),
                "services": each.services,
                "owners": each.owners,
                "standing": each.standing.value,
                "why": each.why,
            }
            for each in placed
        ]
        _print(rows, "", as_json)
        return
    rows_of_text = [
        (each.spec.address, ", ".join(each.services), _nodes(each.owners), _wanted(each.spec), each.why or "yes")
        for each in placed
    ]
    if sys.stdout.isatty():
        _print_table(placed, rows_of_text)
        return
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows_of_text, strict=True)]
    for row in (COLUMNS, *rows_of_text):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _print_table(placed: Sequence[Placed], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*COLUMNS)
    for each, row in zip(placed, rows, strict=True):
        color = "green" if each.standing is Standing.IN_FORCE else "yellow"
        table.add_row(*map(Text, row[:-1]), Text(row[-1], color))
    Console().print(table)
