"""Route policies: which tag a prefix carries, and what each out-map does with that tag.

FRR 8.4 is quadratic in prefix-lists and in route-maps, so there is no list of prefixes and few maps (measured:
experiments 3.4). A prefix is announced as `network P route-map svc-<tag>`; `svc-<tag>` sets the tag and what is equal
for all peers; an out-map has one `match tag` clause per policy and the rest of the attributes. A policy is immutable:
name and tag are 31 bits of the hash of its content, so an edited policy is another policy.

Peers that every advertisement treats alike share an out-map. Its name depends on the advertisements' `peers` lists and
on the AS number that the peer sees in paths, so no change of a Service can make a neighbor change its map.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce

from orchestrator.config.model import Config, NodeName, Peer
from orchestrator.decide.node_plan import RouteAttributes, RoutePolicy
from orchestrator.decide.weights import POLICY_LIMIT
from orchestrator.net.bgp import Asn, Community, LargeCommunity, StandardCommunity, community_key
from orchestrator.render.canonical import Line

MAX_SEQUENCE = 0xFFFF
SHARED_MAP = "out-all"
WELL_KNOWN = {
    0xFFFF0000: "graceful-shutdown",
    0xFFFF0001: "accept-own",
    0xFFFF0002: "route-filter-translated-v4",
    0xFFFF0003: "route-filter-v4",
    0xFFFF0004: "route-filter-translated-v6",
    0xFFFF0005: "route-filter-v6",
    0xFFFF0006: "llgr-stale",
    0xFFFF0007: "no-llgr",
    0xFFFF0008: "accept-own-nexthop",
    0xFFFF029A: "blackhole",
    0xFFFFFF01: "no-export",
    0xFFFFFF02: "no-advertise",
    0xFFFFFF03: "local-AS",
    0xFFFFFF04: "no-peer",
}
"""FRR prints these by name (8.4.4 and 10.3, tried)."""
OBEYED = frozenset({StandardCommunity(65535, 65281), StandardCommunity(65535, 65282), StandardCommunity(65535, 65283)})
"""no-export, no-advertise, local-AS: bgpd keeps a route back that has them before its out-map (8.4.4 and 10.3, tried)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """To which out-maps a prefix goes, with which attributes: sorted by the map's name."""

    per_map: tuple[tuple[str, RouteAttributes], ...]

    @property
    def common(self) -> RouteAttributes:
        """What is equal for all and not OBEYED; it is set once, where the route is made."""
        first, *others = (attributes for _, attributes in self.per_map)
        equal = reduce(_shared, others, first)
        return replace(equal, communities=tuple(each for each in equal.communities if each not in OBEYED))

    def rest(self, attributes: RouteAttributes) -> RouteAttributes:
        """What one out-map adds to the common part."""
        common = self.common
        return RouteAttributes(
            local_pref=0 if common.local_pref else attributes.local_pref,
            med=0 if common.med else attributes.med,
            prepended=() if common.prepended else attributes.prepended,
            weight=0 if common.weight else attributes.weight,
            communities=tuple(each for each in attributes.communities if each not in common.communities),
        )


def _shared(one: RouteAttributes, other: RouteAttributes) -> RouteAttributes:
    return RouteAttributes(
        local_pref=one.local_pref if one.local_pref == other.local_pref else 0,
        med=one.med if one.med == other.med else 0,
        prepended=one.prepended if one.prepended == other.prepended else (),
        weight=one.weight if one.weight == other.weight else 0,
        communities=tuple(each for each in one.communities if each in other.communities),
    )


@dataclass(frozen=True, slots=True)
class Numbered:
    """A policy with its tag and the number of its clause in every out-map."""

    policy: Policy
    tag: int
    sequence: int

    @property
    def name(self) -> str:
        """Its route-map."""
        return f"svc-{self.tag:08x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The policies of a document. `users` counts the prefixes of each; `kept` are numbers that must not be given away."""

    numbered: Mapping[Policy, Numbered] = field(default_factory=dict)
    users: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[int, int] = field(default_factory=dict)

    @property
    def sequences(self) -> Mapping[int, int]:
        """Tag -> clause number, for the next document's `kept`."""
        return {each.tag: each.sequence for each in self.numbered.values()}

    def number(self, policy: Policy, others: Collection[Numbered]) -> Numbered:
        """Return a new policy's numbers, different from those of `others`."""
        tag = choose_tag(policy, {each.tag for each in others})
        return Numbered(policy, tag, choose_sequence(tag, self.kept, {each.sequence for each in others}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Where the routes of each peer go: its out-map, and the BGP instance (vrf, AS number) that makes them."""

    maps: Mapping[str, str] = field(default_factory=dict)
    instances: Mapping[str, tuple[str, Asn]] = field(default_factory=dict)


def limit_of(version: int) -> int:
    """Return how many policies FRR bears well: one more costs 36 ms at 100 with 8.4.4, at 300 with 10.5.3 (measured)."""
    return 300 if version >= 10 else POLICY_LIMIT


def reach_of(config: Config, node: NodeName, peers: tuple[Peer, ...]) -> Reach:
    """Return the reach of a node's peers."""
    return Reach(
        maps=out_maps(config, node, peers),
        instances={peer.name: (peer.vrf, peer.my_asn) for peer in peers},
    )


def policy_of(route_policy: RoutePolicy, maps: Mapping[str, str]) -> Policy:
    """Return the policy with out-maps (`maps`: BGPPeer name -> out-map) in place of peers; unknown peers are left out.

    A peer that lacks a family shares its map with one that carries it: it is not activated there, so nothing leaks.
    """
    return Policy(tuple(sorted({maps[peer]: how for peer, how in route_policy.per_peer if peer in maps}.items())))


def out_maps(config: Config, node: NodeName, peers: Iterable[Peer]) -> Mapping[str, str]:
    """Return which out-map each peer uses: one per distinct set of `peers` lists that name it, and kind of AS path."""
    advertisements = (each for pool in config.pools.values() for each in pool.bgp_advertisements if node in each.nodes)
    lists = {each.peers for each in advertisements if each.peers is not None}
    return {
        peer.name: _map_name([sorted(names) for names in lists if peer.name in names]) + _path_of(peer)
        for peer in peers
    }


def _map_name(lists: list[list[str]]) -> str:
    return f"out-{_number(repr(sorted(lists))):08x}" if lists else SHARED_MAP


def _path_of(peer: Peer) -> str:
    """What tells the AS path of a peer's routes from that of others; one VRF has one AS number on a node."""
    if not peer.is_external:
        return "-internal"
    return f"-as{peer.own_asn}" if peer.vrf or peer.local_asn else ""


def _number(text: str) -> int:
    """31 bits of a hash, never 0: tag 0 is what an untagged route has."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) & 0x7FFFFFFF or 1


def _content(policy: Policy) -> str:
    parts = ((name, how.local_pref, [str(each) for each in how.communities]) for name, how in policy.per_map)
    paths = [(name, how.med, how.prepended) for name, how in policy.per_map if how.med or how.prepended]
    weights = [(name, "weight", how.weight) for name, how in policy.per_map if how.weight]
    return repr([*parts, *paths, *weights])


def choose_tag(policy: Policy, taken: Collection[int]) -> int:
    """Return the policy's tag; the next hash if another policy has the same 31 bits."""
    content = _content(policy)
    tag = _number(content)
    while tag in taken:
        content += "#"
        tag = _number(content)
    return tag


def choose_sequence(tag: int, kept: Mapping[int, int], used: Collection[int]) -> int:
    """Return the number of the tag's clause in every out-map: the one it had, else the lowest that is free.

    Numbers in `kept` are not given to another tag, even if theirs has gone: a clause is never rebuilt in place.
    """
    if tag in kept:
        return kept[tag]
    busy = {*kept.values(), *used}
    return next(number for number in range(1, MAX_SEQUENCE + 1) if number not in busy)


def sequences_in(lines: Iterable[Line]) -> Mapping[int, int]:
    """Return tag -> clause number of a configuration's out-maps, for `kept`."""
    found: dict[int, int] = {}
    for context, text in lines:
        if text.startswith("match tag ") and context and context[-1].startswith("route-map out-"):
            found[int(text.split()[-1])] = int(context[-1].split()[-1])
    return found


def standard(communities: Iterable[Community]) -> tuple[str, ...]:
    """The standard communities as FRR prints them: ascending, well-known ones by name."""
    found = sorted((each for each in communities if isinstance(each, StandardCommunity)), key=community_key)
    return tuple(_name(each) for each in found)


def _name(community: StandardCommunity) -> str:
    return WELL_KNOWN.get(community.high << 16 | community.low, str(community))


def large(communities: Iterable[Community]) -> tuple[str, ...]:
    """The large communities as FRR prints them: ascending."""
    return tuple(
        str(each) for each in sorted((e for e in communities if isinstance(e, LargeCommunity)), key=community_key)
    )
