"""`ferrule plan`: what a change of the objects does to each node and peer, before it happens. Changes nothing.

Two sets of manifests are compared, or what is there (a cluster, a watched folder, the running daemons of this node)
with what would be. Exit status 0 if nothing changes, 3 if something does, 5 if a session that is there would go down.
"""

import argparse
import asyncio
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli import origin
from orchestrator.cli.arguments import add_class_arguments, add_engine_argument, add_namespace_argument, classes_of
from orchestrator.cli.plan_report import print_json, print_text
from orchestrator.cli.printing import print_problems
from orchestrator.decide.eligibility import NodeView
from orchestrator.errors import StartupError
from orchestrator.net.bgp import BgpEngine
from orchestrator.render.commands import Impact
from orchestrator.resources.meta import ObjectRef
from orchestrator.runtime.foreseeing import (
    NodePreview,
    changed_store,
    foresee,
    foresee_running,
    with_addresses_of,
)
from orchestrator.runtime.last_good import CONFIG_MAP_NAME
from orchestrator.runtime.live_objects import read_live_store
from orchestrator.runtime.offline import Computed, compute, compute_store, heeding, node_names
from orchestrator.runtime.store import ObjectStore
from orchestrator.settings import ProcessSettings, RunFolder, default_namespace
from orchestrator.sources.manifests.reader import STANDARD_INPUT, ManifestSet, read_manifests

SOMETHING_CHANGES = 3
SESSIONS_GO_DOWN = 5
NO_MANIFESTS = ManifestSet()
CLUSTER_KINDS = frozenset({"Node", "Namespace"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """`before` None: it is what the daemons of the run folder have."""

    before: Computed | None
    after: Computed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="the manifests as they would be; with --source or --kubeconfig, those that would be applied to it; "
        "folders are searched, - is standard input",
    )
    parser.add_argument(
        "--from", action="append", dest="old", metavar="FILE", help="the manifests as they are; repeat for several"
    )
    parser.add_argument(
        "--run",
        type=Path,
        metavar="DIR",
        help="compare with FRR's daemons that run on this node; DIR is its run folder",
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="KIND/NAME", help="as if this object were deleted; repeat it"
    )
    parser.add_argument(
        "--node", action="append", metavar="NAME", help="this node only; repeat it (default: all nodes)"
    )
    parser.add_argument(
        "--commands", action="store_true", help="print the commands that the daemons would be given, too"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: %(default)s")
    add_engine_argument(parser)
    add_namespace_argument(parser)
    parser.add_argument("--ignore-exclude-lb", action="store_true", help="as the speaker's flag of that name")
    parser.add_argument("--withdraw-not-ready", action="store_true", help="as the speaker's flag of that name")
    add_class_arguments(parser)
    origin.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what changes; the exit status says how much."""
    _check(arguments)
    worlds = _of_objects(arguments) if _is_live(arguments) else _of_files(arguments)
    print_problems(worlds.after.problems)
    previews = tuple(_foresee(worlds, node, arguments) for node in _nodes(worlds, arguments))
    if arguments.output == "json":
        print_json(previews)
    else:
        print_text(previews, worlds.after.config, commands=arguments.commands)
    if any(each.preview.interrupts for each in previews):
        return SESSIONS_GO_DOWN
    return SOMETHING_CHANGES if any(map(_changes, previews)) else 0


def _changes(node: NodePreview) -> bool:
    moved = node.before is not None and node.after is not None and node.before.plan.layer2 != node.after.plan.layer2
    return moved or node.preview.impact is not Impact.NONE or bool(node.preview.commands)


def _is_live(arguments: argparse.Namespace) -> bool:
    return bool(arguments.source or arguments.kubeconfig or arguments.context)


def _check(arguments: argparse.Namespace) -> None:
    ways = [name for name, given in (("--from", arguments.old), ("--run", arguments.run)) if given]
    if not ways and not _is_live(arguments):
        raise StartupError("say what is there now: --from FILE, --run DIR, --source or --kubeconfig")
    if len(ways) > 1 or (arguments.old and _is_live(arguments)):
        raise StartupError("only one of --from, --run and --source or --kubeconfig says what is there now")
    if arguments.run and arguments.bgp_engine is not BgpEngine.FRR:
        raise StartupError("--run asks FRR's daemons; ExaBGP's API has one client, the speaker. Compare with --source")
    if arguments.run and len(arguments.node or ()) != 1:
        raise StartupError("--run DIR is of one node; give its name with --node")


def _of_files(arguments: argparse.Namespace) -> Worlds:
    namespace = arguments.namespace or default_namespace()
    classes = classes_of(arguments)
    manifests = read_manifests(arguments.files or [STANDARD_INPUT], namespace)
    store = changed_store(ObjectStore(namespace, CONFIG_MAP_NAME), manifests, _gone(arguments, namespace))
    if not arguments.old:
        return Worlds(before=None, after=compute_store(store, classes, manifests))
    before = compute(read_manifests(arguments.old, namespace), None, namespace, classes)
    after = compute_store(with_addresses_of(before.store.services, store), classes, manifests)
    return Worlds(before=before, after=after)


def _of_objects(arguments: argparse.Namespace) -> Worlds:
    namespace = arguments.namespace or default_namespace()
    classes = classes_of(arguments)
    manifests = read_manifests(arguments.files, namespace) if arguments.files else NO_MANIFESTS
    settings = ProcessSettings(origin=origin.origin_of(arguments), namespace=namespace)
    live = asyncio.run(read_live_store(settings))
    before = None if arguments.run else compute_store(deepcopy(live), classes, NO_MANIFESTS)
    known = live if before is None else before.store
    after = compute_store(changed_store(known, manifests, _gone(arguments, namespace)), classes, manifests)
    return Worlds(before=before, after=after)


def _gone(arguments: argparse.Namespace, namespace: str) -> tuple[ObjectRef, ...]:
    return tuple(_ref(text, namespace) for text in arguments.without)


def _ref(text: str, namespace: str) -> ObjectRef:
    match text.split("/"):
        case [kind, name] if kind and name:
            return ObjectRef(kind, "" if kind in CLUSTER_KINDS else namespace, name)
        case [kind, other, name] if kind and other and name:
            return ObjectRef(kind, other, name)
        case _:
            raise StartupError(f'"{text}": write KIND/NAME, or KIND/NAMESPACE/NAME')


def _nodes(worlds: Worlds, arguments: argparse.Namespace) -> list[str]:
    known = {name for each in (worlds.before, worlds.after) if each for name in each.config.nodes}
    for name in arguments.node or ():
        if name not in known:
            raise StartupError(f"there is no node {name}; known nodes: {node_names(worlds.after.config)}")
    return sorted(arguments.node or known)


def _foresee(worlds: Worlds, node: str, arguments: argparse.Namespace) -> NodePreview:
    view = NodeView(
        node=node, alive=None, classes=classes_of(arguments), ignore_exclude_label=arguments.ignore_exclude_lb
    )
    before, after = worlds.before, worlds.after
    if arguments.withdraw_not_ready:
        before, after = before and heeding(before, node), heeding(after, node)
    if before is None:
        return asyncio.run(foresee_running(RunFolder(arguments.run), after, view))
    return foresee(before, after, view, arguments.bgp_engine)
