"""`ferrule arping`: ask from this node who answers for an address, and say whether that is who should.

Exit status: 0 exactly the expected node answers (or one, where nothing is known) · 1 nobody · 3 another, or several ·
4 this machine cannot ask.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.apply import asking
from orchestrator.apply.links import Links
from orchestrator.cli.arguments import add_namespace_argument, seconds
from orchestrator.errors import InvalidConfig, StartupError
from orchestrator.fsm.asking import Answerer, Expected, Finding, Reply, Verdict, describe, interfaces_for, judge
from orchestrator.fsm.interfaces import DEFAULT_EXCLUSIONS, Link
from orchestrator.net.addresses import IpAddress, parse_address
from orchestrator.runtime.asking import READ, expected_of
from orchestrator.runtime.command_origin import open_for_command
from orchestrator.runtime.exclusion_list import read_exclusions
from orchestrator.settings import (
    EXCLUSION_FILE,
    Cluster,
    ProcessSettings,
    default_kubeconfig,
    default_namespace,
    in_pod,
)
from orchestrator.sources.manifests.reader import read_manifests
from orchestrator.sources.manifests.state import StateFolder

STATUS = {
    Verdict.EXPECTED: 0,
    Verdict.ONE: 0,
    Verdict.NOBODY: 1,
    Verdict.THIS_NODE: 1,
    Verdict.ANOTHER: 3,
    Verdict.SEVERAL: 3,
}
COLUMNS = ("MAC", "node", "interface", "replies", "min", "avg", "max")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("address", help="the address to ask for, IPv4 or IPv6")
    parser.add_argument(
        "--interface", metavar="NAME", help="where to ask (default: where the address is on-link, else everywhere)"
    )
    parser.add_argument(
        "--l2-exclude-file",
        type=Path,
        default=EXCLUSION_FILE,
        metavar="FILE",
        help="the speaker's list of interfaces that never answer: not asked on unless named (default: %(default)s)",
    )
    parser.add_argument("--count", type=_count, default=3, metavar="N", help="questions (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=seconds, default=1.0, metavar="SECONDS", help="per question (default: %(default)g)"
    )
    parser.add_argument("--state", type=Path, metavar="DIR", help="state folder: says who should answer, and whose MAC")
    what = "so does the cluster of this kubeconfig, KUBECONFIG (default: our own pod's, in a pod)"
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help=what)
    parser.add_argument("--context", default="", metavar="NAME", help="context of the kubeconfig")
    add_namespace_argument(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: %(default)s")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1000):
        raise argparse.ArgumentTypeError(f'"{text}" is not a number from 1 to 1000')
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Ask, print, and return what the answers mean."""
    address = parse_address(arguments.address)
    namespace = arguments.namespace or default_namespace()
    expected = _expected(address, arguments, namespace)
    known = asyncio.run(asking.read_links())
    links = _chosen(address, known, arguments)
    replies = _ask(address, links, arguments)
    own = frozenset(link.mac for link in known.values() if link.mac is not None)
    finding = judge(replies, expected, own)
    if arguments.output == "json":
        _print_json(address, links, finding, expected)
    else:
        _print_text(address, links, finding, expected)
    return STATUS[finding.verdict]


def _expected(address: IpAddress, arguments: argparse.Namespace, namespace: str) -> Expected:
    """What is known of who should answer: from the state folder, or the cluster, or nothing. Raises StartupError."""
    if arguments.state is not None:
        folder = StateFolder(arguments.state.absolute())
        read = read_manifests([str(folder.folder(kind)) for kind in READ if folder.folder(kind).is_dir()], namespace)
        return expected_of(address, (event.obj for event in read.objects))
    kubeconfig = arguments.kubeconfig or default_kubeconfig()
    if kubeconfig is None and not in_pod():
        return Expected(nodes={})
    settings = ProcessSettings(origin=Cluster(kubeconfig=kubeconfig, context=arguments.context), namespace=namespace)
    return asyncio.run(_expected_in_cluster(address, settings))


async def _expected_in_cluster(address: IpAddress, settings: ProcessSettings) -> Expected:
    async with open_for_command(settings, frozenset(READ)) as objects:
        store = objects.store
        return expected_of(address, (*store.services.values(), *store.l2_statuses.values(), *store.speakers.values()))


def _excluded(path: Path) -> tuple[str, ...]:
    """The interfaces that never answer. Raises StartupError if the file cannot be used."""
    try:
        found = read_exclusions(path)
    except (OSError, UnicodeDecodeError, InvalidConfig) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StartupError(f"{path}: {reason}; mend the file, or say with --interface where to ask") from None
    return DEFAULT_EXCLUSIONS if found is None else found


def _chosen(address: IpAddress, links: Links, arguments: argparse.Namespace) -> tuple[Link, ...]:
    """Raises StartupError if there is no interface to ask on."""
    name: str | None = arguments.interface
    by_name = {link.name: link for link in links.values()}
    if name is None:
        chosen = interfaces_for(address, links.values(), _excluded(arguments.l2_exclude_file))
    elif name not in by_name:
        raise StartupError(f"there is no interface {name}; there are {', '.join(sorted(by_name))}")
    else:
        chosen = (by_name[name],) if by_name[name].mac is not None and by_name[name].up else ()
    if not chosen:
        raise StartupError(f"there is no interface to ask on{f': {name} is down' if name else ''}")
    return chosen


def _ask(address: IpAddress, links: Sequence[Link], arguments: argparse.Namespace) -> tuple[Reply, ...]:
    try:
        return asking.ask(address, links, count=arguments.count, timeout_s=arguments.timeout)
    except PermissionError:
        raise StartupError("raw sockets need CAP_NET_RAW: run it as root") from None


def _print_json(address: IpAddress, links: Sequence[Link], finding: Finding, expected: Expected) -> None:
    fields = {
        "address": str(address),
        "services": expected.services,
        "interfaces": [link.name for link in links],
        "verdict": finding.verdict.value,
        "expected": sorted(expected.owners),
        "answers": [
            {
                "mac": str(each.mac),
                "node": each.node,
                "interfaces": each.interfaces,
                "replies": each.replies,
                "minMs": round(each.min_s * 1000, 3),
                "avgMs": round(each.mean_s * 1000, 3),
                "maxMs": round(each.max_s * 1000, 3),
            }
            for each in finding.answerers
        ],
        "text": describe(address, finding, expected),
    }
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() + "\n")


def _row(each: Answerer) -> tuple[str, ...]:
    times = (f"{value * 1000:.2f} ms" for value in (each.min_s, each.mean_s, each.max_s))
    return (str(each.mac), each.node or "-", ", ".join(each.interfaces), str(each.replies), *times)


def _print_text(address: IpAddress, links: Sequence[Link], finding: Finding, expected: Expected) -> None:
    rows = [_row(each) for each in finding.answerers]
    good = STATUS[finding.verdict] == 0
    heading = f"asked for {address} on {', '.join(link.name for link in links)}"
    if sys.stdout.isatty():
        console = Console()
        console.print(Text(heading))
        if rows:
            table = Table(*COLUMNS)
            for row in rows:
                table.add_row(*map(Text, row))
            console.print(table)
        console.print(Text(describe(address, finding, expected), "green" if good else "red"))
        return
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (COLUMNS, *rows)]
    text = "\n".join(
        (heading, *(line.rstrip() for line in (lines if rows else ())), describe(address, finding, expected))
    )
    sys.stdout.write(text + "\n")
