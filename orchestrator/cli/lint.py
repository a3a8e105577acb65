"""`ferrule lint`: every problem of a set of manifests, with its place and remedy. Needs no cluster and changes nothing.

Exit status 3 if there is any problem, warnings included. Node objects are usually not among the manifests: selectors of
nodes then match nothing, which is no problem.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.config.resolve import resolve
from orchestrator.resources.meta import Problem, Severity
from orchestrator.settings import DEFAULT_NAMESPACE
from orchestrator.sources.manifests.reader import ManifestSet, read_manifests

PROBLEMS_FOUND = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "files", nargs="*", default=["-"], metavar="FILE", help="manifests; folders are searched, - is standard input"
    )
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: %(default)s")
    parser.add_argument(
        "--namespace",
        default=DEFAULT_NAMESPACE,
        metavar="NS",
        help="where the installation's objects are (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the problems of the files; 3 if there are any."""
    manifests = read_manifests(arguments.files, arguments.namespace)
    problems = problems_of(manifests, arguments.namespace)
    if arguments.output == "json":
        _print_json(problems)
    elif sys.stdout.isatty():
        _print_table(problems)
    else:
        _print_lines(problems)
    sys.stderr.write(_counts(manifests, problems) + "\n")
    return PROBLEMS_FOUND if problems else 0


def problems_of(manifests: ManifestSet, namespace: str) -> tuple[Problem, ...]:
    """Return every problem once: of the files, of each object, of all objects together; by file and line."""
    resolved = resolve(manifests.snapshot_if_mended(namespace), {})
    found = dict.fromkeys((*manifests.all_problems, *manifests.located(resolved.problems)))
    return tuple(sorted(found, key=_order))


def _order(problem: Problem) -> tuple[str, int, str, str]:
    file, _, line = problem.source.rpartition(":")
    return (file, int(line or 0), str(problem.ref), problem.field)


def _counts(manifests: ManifestSet, problems: Sequence[Problem]) -> str:
    severities = Counter(problem.severity for problem in problems)
    read = _counted(len(manifests.objects) + len(manifests.unusable), "object")
    errors, warnings = (_counted(severities[each], each.value) for each in (Severity.ERROR, Severity.WARNING))
    return f"{read} read, {manifests.ignored} of other kinds left aside: {errors}, {warnings}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _print_json(problems: Sequence[Problem]) -> None:
    fields = [
        {
            "source": problem.source,
            "severity": problem.severity.value,
            **problem.ref._asdict(),
            "field": problem.field,
            "message": problem.message,
        }
        for problem in problems
    ]
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() + "\n")


def _print_lines(problems: Sequence[Problem]) -> None:
    for problem in problems:
        line = f"{problem.source or '-'}: {problem.severity.value}: {problem}"
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
        table.add_row(Text(problem.severity.value, color), Text(where), Text(problem.message))
    Console().print(table)
