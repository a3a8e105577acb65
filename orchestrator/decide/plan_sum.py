"""
PlanSum: the sum of all group plans of a node, kept up to date by the difference of one group.

An accumulator changed in place: at 10 000 Services one changed group costs the work of its own prefixes. Groups rarely
meet in a prefix (aggregates); where they do, policies are united, and of two local preferences at one peer the older
group's counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from types import MappingProxyType
from typing import TypeVar

from orchestrator.decide.groups import GroupId
from orchestrator.decide.node_plan import GroupPlan, Layer2Address, NodePlan, Route, RoutePolicy, Seniority
from orchestrator.net.addresses import IpAddress, Prefix

K = TypeVar("K")
E = TypeVar("E", Layer2Address, Route)

NOBODY: Seniority = (True, "\uffff", GroupId("", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """What differs after a replacement: look these up in the plan; absent there means withdrawn."""

    prefixes: frozenset[Prefix] = frozenset()
    addresses: frozenset[IpAddress] = frozenset()

    def union(self, other: "PlanChange") -> "PlanChange":
        return PlanChange(prefixes=self.prefixes | other.prefixes, addresses=self.addresses | other.addresses)


class PlanSum:
    """Group plans by group, and per prefix and address what they contribute."""

    def __init__(self) -> None:
        self._groups: dict[GroupId, GroupPlan] = {}
        self._routes_by_group: dict[Prefix, dict[GroupId, Route]] = {}
        self._layer2_by_group: dict[IpAddress, dict[GroupId, Layer2Address]] = {}
        self._routes: dict[Prefix, Route] = {}
        self._layer2: dict[IpAddress, Layer2Address] = {}

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
        new_routes = {route.prefix: route for route in after.routes}
        new_layer2 = {entry.address: entry for entry in after.layer2}
        prefixes = {route.prefix for route in before.routes} | set(new_routes)
        addresses = {entry.address for entry in before.layer2} | set(new_layer2)
        for prefix in prefixes:
            _contribute(self._routes_by_group, prefix, group, new_routes.get(prefix))
        for address in addresses:
            _contribute(self._layer2_by_group, address, group, new_layer2.get(address))
        return PlanChange(
            prefixes=frozenset(prefix for prefix in prefixes if self._sum_prefix(prefix)),
            addresses=frozenset(address for address in addresses if self._sum_address(address)),
        )

    def _sum_prefix(self, prefix: Prefix) -> bool:
        """Sum up one prefix again and return whether its route differs now."""
        contributions = self._routes_by_group.get(prefix, {})
        in_order = [contributions[group] for group in sorted(contributions, key=self._seniority)]
        return _store(self._routes, prefix, reduce(_beside_older, in_order) if in_order else None)

    def _sum_address(self, address: IpAddress) -> bool:
        """Groups share no address, except while one is split or joined: then the older one's entry counts."""
        contributions = self._layer2_by_group.get(address, {})
        first = min(contributions, key=self._seniority, default=None)
        return _store(self._layer2, address, None if first is None else contributions[first])

    def _seniority(self, group: GroupId) -> tuple[Seniority, GroupId]:
        return (self._groups[group].seniority or NOBODY, group)


def _contribute(by_group: dict[K, dict[GroupId, E]], key: K, group: GroupId, entry: E | None) -> None:
    contributions = by_group.setdefault(key, {})
    contributions.pop(group, None)
    if entry is not None:
        contributions[group] = entry
    if not contributions:
        del by_group[key]


def _store(total: dict[K, E], key: K, entry: E | None) -> bool:
    """Set or remove an entry and return whether that made a difference."""
    before = total.pop(key, None)
    if entry is not None:
        total[key] = entry
    return entry != before


def _beside_older(older: Route, younger: Route) -> Route:
    """Unite two routes of one prefix, without the younger's entries for peers that it would give another preference."""
    present = dict(older.policy.per_peer)
    fitting = tuple(
        (peer, attributes)
        for peer, attributes in younger.policy.per_peer
        if peer not in present or present[peer].local_pref == attributes.local_pref
    )
    if not fitting:
        return older
    return older.union(replace(younger, policy=RoutePolicy(per_peer=fitting)))
