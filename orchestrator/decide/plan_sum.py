"""PlanSum: the sum of all group plans of a node, kept up to date by the difference of one group.

An accumulator changed in place: at 10 000 Services one changed group costs the work of its own prefixes. Where groups
meet in a prefix (an aggregate), policies are united, and of two preferences at one peer the older group's counts.
Thousands of groups may meet in one prefix, with few different routes: those are summed, not the groups. Weights are
rounded here, where all of them are known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from types import MappingProxyType
from typing import TypeVar

from orchestrator.decide.groups import GroupId
from orchestrator.decide.node_plan import GroupPlan, Layer2Address, NodePlan, Route, RoutePolicy, Seniority
from orchestrator.decide.weights import Precision, Rounding, round_route
from orchestrator.net.addresses import IpAddress, Prefix

K = TypeVar("K")
E = TypeVar("E", Layer2Address, Route)

Owners = dict[K, dict[E, set[GroupId]]]
"""Per prefix or address the different entries that groups have for it, and which groups have each."""

NOBODY: Seniority = (True, "\uffff", GroupId("", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """What differs after a replacement: look these up in the plan; absent there means withdrawn."""

    prefixes: frozenset[Prefix] = frozenset()
    addresses: frozenset[IpAddress] = frozenset()


class PlanSum:
    """Group plans by group, and per prefix and address what they contribute."""

    def __init__(self) -> None:
        self._groups: dict[GroupId, GroupPlan] = {}
        self._route_owners: Owners[Prefix, Route] = {}
        self._layer2_owners: Owners[IpAddress, Layer2Address] = {}
        self._routes: dict[Prefix, Route] = {}
        self._layer2: dict[IpAddress, Layer2Address] = {}
        self._rounding = Rounding()

    @property
    def precision(self) -> Precision:
        """How well the weights of the sum are told."""
        return self._rounding.precision

    @property
    def plan(self) -> NodePlan:
        """The sum; read-only views that follow later changes."""
        return NodePlan(routes=MappingProxyType(self._routes), layer2=MappingProxyType(self._layer2))

    @property
    def groups(self) -> Mapping[GroupId, GroupPlan]:
        """The plan of each group; a view that follows later changes."""
        return MappingProxyType(self._groups)

    def replace(self, group: GroupId, plan: GroupPlan | None) -> PlanChange:
        """Put a group's plan in place of its last one, None if the group is gone; return what differs in the sum."""
        before = self._groups.pop(group, GroupPlan())
        after = plan or GroupPlan()
        if plan is not None:
            self._groups[group] = plan
        prefixes = _replace(
            self._route_owners,
            group,
            {route.prefix: route for route in before.routes},
            {route.prefix: route for route in after.routes},
        )
        addresses = _replace(
            self._layer2_owners,
            group,
            {entry.address: entry for entry in before.layer2},
            {entry.address: entry for entry in after.layer2},
        )
        differing = {prefix for prefix in prefixes if self._sum_prefix(prefix)}
        return PlanChange(
            prefixes=frozenset(differing | self._round_again()),
            addresses=frozenset(address for address in addresses if self._sum_address(address)),
        )

    def limit_policies(self, limit: int) -> PlanChange:
        """Round weights by another limit of policies; return what differs in the sum."""
        self._rounding.limit = limit
        return PlanChange(prefixes=frozenset(self._round_again()))

    def _round_again(self) -> set[Prefix]:
        """Let the digits of weights fit what is announced, and return the prefixes whose routes differ now."""
        if not self._rounding.review():
            return set()
        return {prefix for prefix in self._rounding.weighted if self._sum_prefix(prefix)}

    def _sum_prefix(self, prefix: Prefix) -> bool:
        """Sum up one prefix again and return whether its route differs now."""
        owners = self._route_owners.get(prefix, {})
        routes = list(owners)
        if any(one.policy.conflicts_with(other.policy) for one, other in combinations(routes, 2)):
            routes.sort(key=lambda route: self._oldest(owners[route]))
        total = reduce(_beside_older, (_times(route, len(owners[route])) for route in routes)) if routes else None
        self._rounding.replace(prefix, None if total is None else total.policy)
        return _store(self._routes, prefix, None if total is None else round_route(total, self._rounding.digits))

    def _sum_address(self, address: IpAddress) -> bool:
        """Groups share no address, except while one is split or joined: then the older one's entry counts."""
        owners = self._layer2_owners.get(address, {})
        entry = next(iter(owners), None)
        if len(owners) > 1:
            entry = min(owners, key=lambda one: self._oldest(owners[one]))
        return _store(self._layer2, address, entry)

    def _oldest(self, groups: Iterable[GroupId]) -> tuple[Seniority, GroupId]:
        return min((self._groups[group].seniority or NOBODY, group) for group in groups)


def _replace(owners: Owners[K, E], group: GroupId, before: Mapping[K, E], after: Mapping[K, E]) -> set[K]:
    """Move a group from its old entries to its new ones and return the keys of both: its seniority may differ, too."""
    keys = {*before, *after}
    for key in keys:
        if before.get(key) == after.get(key):
            continue
        if key in before:
            _leave(owners, key, before[key], group)
        if key in after:
            owners.setdefault(key, {}).setdefault(after[key], set()).add(group)
    return keys


def _leave(owners: Owners[K, E], key: K, entry: E, group: GroupId) -> None:
    groups = owners[key][entry]
    groups.discard(group)
    if not groups:
        del owners[key][entry]
    if not owners[key]:
        del owners[key]


def _store(total: dict[K, E], key: K, entry: E | None) -> bool:
    """Set or remove an entry and return whether that made a difference."""
    before = total.pop(key, None)
    if entry is not None:
        total[key] = entry
    return entry != before


def _times(route: Route, groups: int) -> Route:
    """The sum of equal routes of several groups: only weights grow."""
    if groups == 1 or not route.policy.is_weighted:
        return route
    return replace(route, policy=route.policy.with_weights(lambda weight: weight * groups))


def _beside_older(older: Route, younger: Route) -> Route:
    """Unite two routes of one prefix, without the younger's entries for peers that it would give another preference."""
    present = dict(older.policy.per_peer)
    fitting = tuple(
        (peer, attributes)
        for peer, attributes in younger.policy.per_peer
        if peer not in present or present[peer].agrees_with(attributes)
    )
    if not fitting:
        return older
    return older.union(replace(younger, policy=RoutePolicy(per_peer=fitting)))
