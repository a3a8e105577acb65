"""`ferrule lint`: every problem of a set of manifests, or of a cluster, with its place and remedy. Changes nothing.

Exit status 3 if there is any problem, warnings and advice included. Node objects are often not among the manifests:
selectors of nodes then match nothing, which is no problem.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli import origin
from orchestrator.cli.arguments import add_engine_argument, add_files_argument, add_namespace_argument
from orchestrator.config.advice import advise
from orchestrator.config.engines import refusals
from orchestrator.config.resolve import resolve
from orchestrator.net.bgp import BgpEngine
from orchestrator.resources.core import Service
from orchestrator.resources.extensions import SpeakerState
from orchestrator.resources.meta import Problem, Severity
from orchestrator.runtime.live_objects import read_live_objects
from orchestrator.settings import ProcessSettings, default_namespace
from orchestrator.sources.manifests.reader import STANDARD_INPUT, ManifestSet, read_manifests

PROBLEMS_FOUND = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What is asked of the objects beside being right: that the engine can do it, and that it is sensible."""

    engine: BgpEngine = BgpEngine.FRR
    advice: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """The problems, and what was looked at in words."""

    problems: tuple[Problem, ...]
    scope: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_files_argument(parser)
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: %(default)s")
    add_engine_argument(parser, "refuse what this engine cannot do")
    parser.add_argument(
        "--no-advice",
        action="store_true",
        help="leave out what is legal and surely not meant; for a part of the manifests",
    )
    add_namespace_argument(parser)
    origin.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the problems; 3 if there are any."""
    demands = Demands(engine=arguments.bgp_engine, advice=not arguments.no_advice)
    report = _live(arguments, demands) if origin.is_live(arguments) else _of_files(arguments, demands)
    if arguments.output == "json":
        _print_json(report.problems)
    elif sys.stdout.isatty():
        _print_table(report.problems)
    else:
        _print_lines(report.problems)
    sys.stderr.write(f"{report.scope}: {_counts(report.problems)}\n")
    return PROBLEMS_FOUND if report.problems else 0


# --- what is looked at ------------------------------------------------------------------------------------------------


def _of_files(arguments: argparse.Namespace, demands: Demands) -> Report:
    namespace = arguments.namespace or default_namespace()
    manifests = read_manifests(arguments.files or [STANDARD_INPUT], namespace)
    read = _counted(len(manifests.objects) + len(manifests.unusable), "object")
    scope = f"{read} read, {manifests.ignored} of other kinds left aside"
    return Report(problems_of(manifests, namespace, demands), scope)


def problems_of(manifests: ManifestSet, namespace: str, demands: Demands) -> tuple[Problem, ...]:
    """Return every problem once: of the files, of each object, of all objects together; by file and line."""
    snapshot = manifests.snapshot_if_mended(namespace)
    resolved = resolve(snapshot, {})
    found = [*resolved.problems, *refusals(demands.engine, resolved.config)]
    if demands.advice:
        objects = [event.obj for event in manifests.objects]
        services = [obj for obj in objects if isinstance(obj, Service)]
        speakers = [obj.spec for obj in objects if isinstance(obj, SpeakerState)]
        found += advise(resolved.config, snapshot, services, speakers)
    return _once((*manifests.all_problems, *manifests.located(found)))


def _live(arguments: argparse.Namespace, demands: Demands) -> Report:
    namespace = arguments.namespace or default_namespace()
    settings = ProcessSettings(origin=origin.origin_of(arguments), namespace=namespace)
    objects = asyncio.run(read_live_objects(settings))
    resolved = resolve(objects.snapshot, objects.last_good)
    found = [*objects.problems, *resolved.problems, *refusals(demands.engine, resolved.config)]
    if demands.advice:
        found += advise(resolved.config, objects.snapshot, objects.services, objects.speakers)
    return Report(_once(found), objects.place)


def _once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(dict.fromkeys(problems), key=_order))


def _order(problem: Problem) -> tuple[str, int, str, str]:
    file, _, line = problem.source.rpartition(":")
    return (file, int(line or 0), str(problem.ref), problem.field)


# --- how it is said ---------------------------------------------------------------------------------------------------


def _counts(problems: Sequence[Problem]) -> str:
    severities = Counter(problem.severity for problem in problems)
    return ", ".join(_counted(severities[each], each.value) for each in (Severity.ERROR, Severity.WARNING))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _print_json(problems: Sequence[Problem]) -> None:
    fields = [
        {
            "source": problem.source,
            "severity": problem.severity.value,
            "code": problem.code,
            **problem.ref._asdict(),
            "field": problem.field,
            "message": problem.message,
        }
        for problem in problems
    ]
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() + "\n")


def _print_lines(problems: Sequence[Problem]) -> None:
    for problem in problems:
        code = f" [{problem.code}]" if problem.code else ""
        line = f"{problem.source or '-'}: {problem.severity.value}: {problem}{code}"
        sys.stdout.write("".join(mark if mark.isprintable() else " " for mark in line) + "\n")


def _print_table(problems: Sequence[Problem]) -> None:
    if not problems:
        return
    table = Table("severity", show_lines=True)
    table.add_column("where", overflow="fold")
    table.add_column("what is wrong, and what to do")
    for problem in problems:
        color = "red" if problem.severity is Severity.ERROR else "yellow"
        where = "\n".join(part for part in (problem.source, str(problem.ref), problem.field) if part)
        what = "\n".join(part for part in (problem.message, problem.code and f"[{problem.code}]") if part)
        table.add_row(Text(problem.severity.value, color), Text(where), Text(what))
    Console().print(table)
