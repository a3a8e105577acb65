"""Where a route is on its way to a router: wanted by the plan, rendered, run by bgpd, sent. All of it read back, pure.

A configuration says which prefixes go to a neighbor: `network P route-map svc-T` makes the route, `svc-T` tags it, and the
neighbor's out-map lets tags through. The rendered file and what bgpd runs are read by the same rule, so that any difference
is one between them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import NamedTuple

from orchestrator.net.addresses import prefix_key
from orchestrator.render.canonical import Context, Line, lines_with_notes

OUT_MAP = "route-map out-"
POLICY = "route-map svc-"


class Neighbor(NamedTuple):
    """A neighbor in its VRF, empty for the default one."""

    name: str
    vrf: str


Routes = Mapping[Neighbor, frozenset[str]]
"""The prefixes of each neighbor, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What is known of the routes; `wanted` None: nobody was asked. `down` are neighbors with the state of their session."""

    wanted: Routes | None = None
    rendered: Routes = field(default_factory=dict)
    running: Routes = field(default_factory=dict)
    sent: Routes = field(default_factory=dict)
    down: Mapping[Neighbor, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteStage:
    """One prefix and one neighbor; `note` says why the stages differ, empty if they do not."""

    neighbor: Neighbor
    prefix: str
    wanted: bool | None
    rendered: bool
    running: bool
    sent: bool
    note: str = ""


def routes_in(lines: Iterable[Line]) -> Routes:
    """Return the prefixes that a configuration of bgpd sends to each neighbor."""
    tags: dict[str, str] = {}
    passed: defaultdict[str, set[str]] = defaultdict(set)
    networks: defaultdict[Context, dict[str, str]] = defaultdict(dict)
    maps: defaultdict[Context, dict[str, str]] = defaultdict(dict)
    active: set[tuple[Context, str]] = set()
    for context, text in lines:
        match text.split():
            case ["set", "tag", tag] if _opener(context).startswith(POLICY):
                tags[context[0].split()[1]] = tag
            case ["match", "tag", tag] if _opener(context).startswith(OUT_MAP) and " permit " in context[0]:
                passed[context[0].split()[1]].add(tag)
            case ["network", prefix, "route-map", policy]:
                networks[context][prefix] = policy
            case ["neighbor", name, "route-map", out_map, "out"]:
                maps[context][name] = out_map
            case ["neighbor", name, "activate"]:
                active.add((context, name))
            case _:
                pass
    found: defaultdict[Neighbor, set[str]] = defaultdict(set)
    for context, name in active:
        through = passed[maps[context].get(name, "")]
        prefixes = (prefix for prefix, policy in networks[context].items() if tags.get(policy) in through)
        found[Neighbor(name, _vrf(context))].update(prefixes)
    return {neighbor: frozenset(prefixes) for neighbor, prefixes in found.items()}


def peer_names(text: str) -> Mapping[Neighbor, str]:
    """Return the BGPPeer of each neighbor of a rendered document, from the comments about where its lines come from."""
    found = {}
    for note, (context, line) in lines_with_notes(text):
        words = line.split()
        if context and words[0] == "neighbor" and "remote-as" in words and "/" in note:
            found[Neighbor(words[1], _vrf(context))] = note.rpartition("/")[2]
    return found


def _opener(context: Context) -> str:
    return context[0] if context else ""


def _vrf(context: Context) -> str:
    """Router bgp 64512 vrf blue"""
    return context[0].partition(" vrf ")[2]


def route_stages(ways: Ways) -> tuple[RouteStage, ...]:
    """Return every route that is anywhere, those that differ first, then by neighbor and prefix."""
    found = sorted(_stages(ways), key=_order)
    return tuple(sorted(found, key=lambda stage: not stage.note))


def _order(stage: RouteStage) -> tuple[object, ...]:
    return stage.neighbor.vrf, stage.neighbor.name, prefix_key(ip_network(stage.prefix))


def _stages(ways: Ways) -> Iterator[RouteStage]:
    everywhere = (ways.wanted or {}, ways.rendered, ways.running, ways.sent)
    for neighbor in {neighbor for routes in everywhere for neighbor in routes}:
        wanted, rendered, running, sent = (routes.get(neighbor, frozenset()) for routes in everywhere)
        for prefix in wanted | rendered | running | sent:
            stage = RouteStage(
                neighbor=neighbor,
                prefix=prefix,
                wanted=None if ways.wanted is None else prefix in wanted,
                rendered=prefix in rendered,
                running=prefix in running,
                sent=prefix in sent,
            )
            yield replace(stage, note=_note(stage, ways.down.get(neighbor, "")))


def _note(stage: RouteStage, state: str) -> str:
    """Of several differences the first on the way counts: the others follow from it."""
    if stage.wanted is not None and stage.wanted != stage.rendered:
        return "the speaker has not rendered it: does it run?" if stage.wanted else "the speaker still renders it"
    if stage.rendered and not stage.running:
        return "bgpd does not run it: see the speaker's log for refused lines"
    if stage.running and not stage.rendered:
        return "bgpd runs it though nobody renders it: somebody typed it in, or the speaker is away"
    if stage.running and not stage.sent:
        return f"the session is {state}" if state else "bgpd keeps it back: show bgp neighbors, show bgp PREFIX"
    return "" if stage.sent == stage.running else "bgpd is about to withdraw it"
