"""What each neighbor is sent, read from what runs or would run: FRR's lines, or ExaBGP's document.

FRR's maps are followed as bgpd does: a network's map sets a tag and attributes, a clause of the neighbor's out-map
matches the tag and sets the rest. So it is the daemon's configuration that is told, not what somebody meant by it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.net.bgp import PrefixText, SentRoute
from orchestrator.render.canonical import Context, Line
from orchestrator.render.commands import is_network, neighbor_of, neighbor_option
from orchestrator.render.exabgp import ExabgpDocument
from orchestrator.render.policies import large, standard
from orchestrator.render.session_impact import SessionKey, vrf_of

Attributes = tuple[str, ...]
"""In FRR's words, sorted: `community 65001:1`, `metric 5`, ..."""

SentTo = Mapping[SessionKey, Mapping[PrefixText, Attributes]]

_TAG, _MATCH = "set tag ", "match tag "


@dataclass(slots=True)
class _Maps:
    """`sets` by clause, `tags` by network map, `clauses` by out-map and tag."""

    sets: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    tags: dict[str, str] = field(default_factory=dict)
    clauses: dict[tuple[str, str], str] = field(default_factory=dict)


def sent_by_frr(lines: Iterable[Line]) -> SentTo:
    """Return what each neighbor of bgpd's configuration is sent once its session is up."""
    everything = tuple(lines)
    maps = _maps(everything)
    networks: defaultdict[Context, list[Line]] = defaultdict(list)
    for line in filter(is_network, everything):
        networks[line.context].append(line)
    active = {(line.context, neighbor_of(line)) for line in everything if line.text.endswith(" activate")}
    found: defaultdict[SessionKey, dict[PrefixText, Attributes]] = defaultdict(dict)
    internal = frozenset(_internal(everything))
    for line in everything:
        neighbor = neighbor_of(line)
        if neighbor is not None and _attaches_out_map(line) and (line.context, neighbor) in active:
            key = SessionKey(vrf_of(line), neighbor)
            for prefix, attributes in _passing(networks[line.context], line.text.split()[-2], maps):
                found[key][prefix] = attributes if key in internal else _without_preference(attributes)
    return found


def _internal(lines: Iterable[Line]) -> Iterator[SessionKey]:
    """Yield the neighbors of our own AS: only they are sent a local preference (RFC 4271 §5.1.5)."""
    told: defaultdict[SessionKey, dict[str, str]] = defaultdict(dict)
    for line in lines:
        neighbor = neighbor_of(line)
        if neighbor is not None and len(line.context) == 1:
            key, option = SessionKey(vrf_of(line), neighbor), neighbor_option(line.text)
            words = line.text.split()
            told[key][option] = words[3] if option == "local-as" else words[-1]
            told[key].setdefault("own", line.context[0].split()[2])
    for key, options in told.items():
        if options.get("remote-as") in ("internal", options.get("local-as", options["own"])):
            yield key


def _without_preference(attributes: Attributes) -> Attributes:
    return tuple(each for each in attributes if not each.startswith("local-preference "))


def _attaches_out_map(line: Line) -> bool:
    return neighbor_option(line.text) == "route-map" and line.text.endswith(" out")


def _maps(lines: Iterable[Line]) -> _Maps:
    maps = _Maps()
    for context, text in lines:
        if not context or not context[0].startswith("route-map "):
            continue
        _, name, action, _ = context[0].split()
        if text.startswith(_TAG):
            maps.tags[name] = text.removeprefix(_TAG)
        elif text.startswith("set "):
            maps.sets[context[0]].append(text.removeprefix("set "))
        elif text.startswith(_MATCH) and action == "permit":
            maps.clauses[name, text.removeprefix(_MATCH)] = context[0]
    return maps


def _passing(networks: Iterable[Line], out_map: str, maps: _Maps) -> Iterator[tuple[PrefixText, Attributes]]:
    for line in networks:
        _, prefix, *rest = line.text.split()
        name = rest[-1] if rest else ""
        clause = maps.clauses.get((out_map, maps.tags.get(name, "")))
        if clause is not None:
            made = maps.sets.get(f"route-map {name} permit 10", [])
            yield PrefixText(prefix), _united([*made, *maps.sets.get(clause, [])])


def _united(texts: Iterable[str]) -> Attributes:
    """Communities add up, of the rest the later one counts."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, *values = text.split()
        if name == "as-path":
            name, values = "as-path prepend", values[1:]
        if values and values[-1] == "additive":
            found[name] = sorted({*found.get(name, []), *values[:-1]})
        else:
            found[name] = values
    return tuple(f"{name} {' '.join(values)}" for name, values in sorted(found.items()))


def sent_by_exabgp(document: ExabgpDocument) -> SentTo:
    """Return what ExaBGP sends each of its neighbors."""
    return {
        SessionKey("", neighbor): {prefix: _words(route) for prefix, route in routes.items()}
        for neighbor, routes in document.routes.items()
    }


def _words(route: SentRoute) -> Attributes:
    sets = {
        "community": " ".join(sorted(standard(route.communities))),
        "large-community": " ".join(sorted(large(route.communities))),
        "local-preference": str(route.local_pref or ""),
        "metric": str(route.med or ""),
        "as-path prepend": " ".join(map(str, route.as_path[1:])),
        "extcommunity bandwidth": str(route.bandwidth.weight if route.bandwidth else ""),
        "next-hop": str(route.next_hop),
    }
    return tuple(f"{name} {value}" for name, value in sorted(sets.items()) if value)
