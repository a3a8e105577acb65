"""`ferrule render`: exactly what one node would run, from manifests alone. Needs no cluster and changes nothing.

The text is the node's frr.conf, or exabgp.conf with the commands for the API as comments, then the layer-2 addresses. Passwords stand there as `***`
unless they are asked for. Problems go to standard error; the output is what runs in spite of them.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from orchestrator.cli.arguments import add_class_arguments, add_engine_argument, classes_of
from orchestrator.cli.printing import print_problems, printable
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.node_plan import GroupPlan, Route, layer2_in_order
from orchestrator.fsm import exabgp_api
from orchestrator.net.addresses import prefix_key
from orchestrator.render.document import FrrDocument
from orchestrator.render.exabgp import ExabgpDocument
from orchestrator.runtime.offline import Computed, NodeOutcome, compute, heeding, node_names, outcome_on
from orchestrator.settings import DEFAULT_NAMESPACE
from orchestrator.sources.manifests.reader import read_manifests

UNKNOWN_NODE = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--node", required=True, metavar="NAME", help="the node; its Node object is in the manifests")
    parser.add_argument(
        "files", nargs="*", default=["-"], metavar="FILE", help="manifests; folders are searched, - is standard input"
    )
    parser.add_argument("--state", type=Path, metavar="DIR", help="state folder: Services keep the addresses they have")
    parser.add_argument(
        "--alive", action="append", metavar="NODE", help="a node that lives, for layer 2; repeat (default: all live)"
    )
    parser.add_argument(
        "--namespace", default=DEFAULT_NAMESPACE, metavar="NS", help="where our objects are (default: %(default)s)"
    )
    add_class_arguments(parser)
    add_engine_argument(parser)
    parser.add_argument("--ignore-exclude-lb", action="store_true", help="as the speaker's flag of that name")
    parser.add_argument("--withdraw-not-ready", action="store_true", help="as the speaker's flag of that name")
    parser.add_argument("--show-passwords", action="store_true", help="print them as they would run")
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="json: the plan, not the daemon's words"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the node's configuration; 1 if there is no such node."""
    manifests = read_manifests(arguments.files, arguments.namespace)
    states = read_manifests([str(arguments.state)], arguments.namespace) if arguments.state else None
    computed = compute(manifests, states, arguments.namespace, classes_of(arguments))
    print_problems(computed.problems)
    facts = computed.config.nodes.get(arguments.node)
    if facts is None:
        known = printable(node_names(computed.config))
        sys.stderr.write(f"there is no node {printable(arguments.node)}; known nodes: {known}\n")
        return UNKNOWN_NODE
    view = NodeView(
        node=arguments.node,
        alive=frozenset(arguments.alive) if arguments.alive else None,
        classes=classes_of(arguments),
        ignore_exclude_label=arguments.ignore_exclude_lb,
    )
    if arguments.withdraw_not_ready:
        computed = heeding(computed, arguments.node)
    outcome = outcome_on(computed, facts, view, arguments.bgp_engine)
    print_problems(outcome.problems)
    text = (
        _json(computed, outcome) if arguments.output == "json" else _text(outcome, passwords=arguments.show_passwords)
    )
    sys.stdout.write(text)
    return 0


def _text(outcome: NodeOutcome, *, passwords: bool) -> str:
    document = outcome.document
    rendered = document.text if passwords else document.text_without_passwords
    comment = "!" if isinstance(document, FrrDocument) else "#"
    daemons = ", ".join(document.daemons) or "none"
    layer2 = (
        f"layer 2: answers for {entry.address} on {', '.join(entry.interfaces or ('every interface',))}"
        for entry in layer2_in_order(outcome.plan.layer2.values())
    )
    notes = (*_commands(document), f"daemons: {daemons}", *layer2)
    return "\n".join((rendered.rstrip(), *(f"{comment} {note}" for note in notes), ""))


def _commands(document: FrrDocument | ExabgpDocument) -> Iterator[str]:
    """What goes through ExaBGP's API beside the file; FRR's document has everything."""
    if isinstance(document, ExabgpDocument):
        for neighbor, routes in sorted(document.routes.items()):
            yield from exabgp_api.announce(neighbor, routes)


def _json(computed: Computed, outcome: NodeOutcome) -> str:
    fields = {
        "routerId": str(outcome.document.router_id),
        "daemons": outcome.document.daemons,
        "routes": [
            _route(route) for _, route in sorted(outcome.plan.routes.items(), key=lambda item: prefix_key(item[0]))
        ],
        "layer2": [
            {"address": str(entry.address), "interfaces": entry.interfaces}
            for entry in layer2_in_order(outcome.plan.layer2.values())
        ],
        "announced": [part for plan in outcome.groups for part in _announced(plan)],
        "declined": [part for plan in outcome.groups for part in _declined(plan)],
        "unassigned": {str(key): refusal.message for key, refusal in sorted(computed.refusals.items())},
    }
    return msgspec.json.format(msgspec.json.encode(fields), indent=2).decode() + "\n"


def _route(route: Route) -> Mapping[str, object]:
    return {
        "prefix": str(route.prefix),
        "peers": {
            peer: {
                "localPref": how.local_pref,
                "med": how.med,
                "prepended": how.prepended,
                "weight": how.weight,
                "communities": [str(each) for each in how.communities],
            }
            for peer, how in route.policy.per_peer
        },
        "origins": [str(origin) for origin in route.origins],
    }


def _announced(plan: GroupPlan) -> list[Mapping[str, object]]:
    return [
        {
            "service": str(part.service),
            "protocol": part.protocol.value,
            "addresses": [str(address) for address in part.addresses],
            "peers": part.peers,
            "interfaces": part.interfaces,
        }
        for part in plan.announced
    ]


def _declined(plan: GroupPlan) -> list[Mapping[str, object]]:
    return [
        {
            "service": str(part.service),
            "protocol": part.protocol.value,
            "reason": part.reason.value,
            "detail": part.detail,
        }
        for part in plan.declined
    ]
