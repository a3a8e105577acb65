"""`ferrule drain`: take a node out of the announcements without a lost packet, or list the nodes that are drained.

Writes one annotation of the Node; the node's speaker does the rest. Exit status 0: nothing is announced from there any
more. 1: not within `--wait`. 3: Services are held back that no other node announces. The annotation stays in each case.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping

import msgspec

from orchestrator.cli import origin
from orchestrator.cli.arguments import add_namespace_argument, seconds_or_none
from orchestrator.config.drains import Wish
from orchestrator.config.model import NodeName
from orchestrator.resources.extensions import DrainReport
from orchestrator.runtime.command_origin import open_for_command
from orchestrator.runtime.draining import Drained, Drains
from orchestrator.settings import ProcessSettings, default_namespace

NOT_DONE, HELD_BACK = 1, 3
KINDS = frozenset({"Node", "SpeakerState"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("node", nargs="?", help="the node to drain; without it, the drained ones are listed")
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--force", action="store_true", help="withdraw also what no other node announces: these Services go dark"
    )
    action.add_argument("--undo", action="store_true", help="let the node announce again")
    origin.add_arguments(parser)
    add_namespace_argument(parser)
    parser.add_argument(
        "--wait",
        type=seconds_or_none,
        default=30.0,
        metavar="SECONDS",
        help="how long to wait until it is done, 0 is not at all (default: %(default)g)",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Do what the flags say."""
    if arguments.node is None and (arguments.force or arguments.undo):
        sys.stderr.write("ferrule drain: --force and --undo need a node\n")
        return 2
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    namespace = arguments.namespace or default_namespace()
    settings = ProcessSettings(origin=origin.origin_of(arguments), namespace=namespace)
    as_json = arguments.output == "json"
    async with open_for_command(settings, KINDS) as objects:
        drains = Drains(objects)
        if arguments.node is None:
            _print_list(drains.listed(), as_json=as_json)
            return 0
        wish = Wish.NONE if arguments.undo else Wish.FORCE if arguments.force else Wish.DRAIN
        drained = await drains.ask(arguments.node, wish, arguments.wait)
        annotated = arguments.undo and drains.still_annotated(arguments.node)
    sentence = _sentence(drained, wish, arguments.wait, annotated=annotated)
    _print(_fields(drained), f"{drained.node}: {sentence}", as_json=as_json)
    if drained.is_done or not arguments.wait:
        return 0
    return HELD_BACK if drained.report.held_back_count and wish is Wish.DRAIN else NOT_DONE


def _sentence(drained: Drained, wish: Wish, wait_s: float, *, annotated: bool) -> str:
    report = drained.report
    if drained.is_done:
        return "announces again" if wish is Wish.NONE else "announces nothing any more, until undone"
    if not wait_s:
        return "asked for"
    if not drained.has_speaker:
        return f"after {wait_s:g} s no speaker of this node has said anything; it begins when one runs"
    if wish is Wish.NONE:
        where = "; the annotation stands in a manifest, remove it there" if annotated else ""
        return f"after {wait_s:g} s still drained: {report.by or 'the speaker has not said more'}{where}"
    if report.held_back_count:
        return f"{_held_back(report)}; announce them from another node, or use --force"
    return f"after {wait_s:g} s {_stage(report)}"


def _stage(report: DrainReport) -> str:
    stages = {"": "not drained", "marked": "routes carry GRACEFUL_SHUTDOWN", "withdrawn": "routes are withdrawn"}
    return stages[report.stage]


def _held_back(report: DrainReport) -> str:
    more = report.held_back_count - len(report.held_back)
    names = ", ".join(report.held_back) + (f" and {more} more" if more > 0 else "")
    return f"still announced, because no other node would: {names}"


def _fields(drained: Drained) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(drained.report)
    return {"node": drained.node, "done": drained.is_done, **fields}


def _print_list(reports: Mapping[NodeName, DrainReport], *, as_json: bool) -> None:
    rows = [_fields(Drained(node=node, report=each, is_done=_is_done(each))) for node, each in reports.items()]
    lines = [
        f"{node}: {_held_back(each) if each.held_back_count else _stage(each)} ({each.by})"
        for node, each in reports.items()
    ]
    _print(rows, "\n".join(lines) or "no node is drained", as_json=as_json)


def _is_done(report: DrainReport) -> bool:
    return report.stage == "withdrawn" and not report.held_back_count


def _print(fields: object, text: str, *, as_json: bool) -> None:
    shown = msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() if as_json else text
    sys.stdout.write(shown + "\n")
