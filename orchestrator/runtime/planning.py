"""The planner: what one node should announce, kept up to date group by group.

It joins what the store knows with `decide`: which groups are affected by a change, their new plans, the sum of all.
Offline commands and the speaker use the same planner, so `ferrule render` shows what a speaker would run.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.config.model import Config, NodeName, Spread
from orchestrator.decide.announcement import Groundwork, plan_group, plan_prepared, prepare
from orchestrator.decide.contest import Contest
from orchestrator.decide.convergence import addresses_in_status
from orchestrator.decide.eligibility import NodeView, has_our_class
from orchestrator.decide.groups import AddressGroups, GroupId
from orchestrator.decide.layer2 import Lineup, line_up
from orchestrator.decide.node_plan import Announced, Decline, GroupPlan, NodePlan, Protocol
from orchestrator.decide.plan_sum import PlanChange, PlanSum
from orchestrator.decide.reach import Reach
from orchestrator.decide.shares import Shares
from orchestrator.decide.weights import Precision
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, Prefix
from orchestrator.resources.core import EndpointSlice, Service
from orchestrator.resources.meta import ObjectKey
from orchestrator.runtime.store import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a round of planning changed: the sum's prefixes and addresses, and each group's plan before and after."""

    change: PlanChange
    groups: Mapping[GroupId, tuple[GroupPlan, GroupPlan]]


class Planner:
    """Plans of all groups of one node. One task owns it."""

    def __init__(self, view: NodeView, store: ObjectStore) -> None:
        self.config = Config()
        self._reach = Reach(self.config, view)
        self._store = store
        self._groups = AddressGroups()
        self._sum = PlanSum()
        self._shares = Shares()
        self._groundworks: dict[GroupId, Groundwork] = {}
        self._lineups: dict[GroupId, Lineup] = {}
        self._uncontested: set[GroupId] = set()
        self._spreads = False
        self._view = replace(view, shares=self._shares.shares)

    @property
    def plan(self) -> NodePlan:
        """The sum of all groups; follows later changes."""
        return self._sum.plan

    @property
    def group_plans(self) -> Mapping[GroupId, GroupPlan]:
        """Every group's plan; follows later changes."""
        return self._sum.groups

    @property
    def precision(self) -> Precision:
        """How exactly the plan's weights are told."""
        return self._sum.precision

    @property
    def view(self) -> NodeView:
        """From where the present plans are made; `shares` are the planner's own."""
        return self._view

    def services_changed(self, keys: Iterable[ObjectKey]) -> Outcome:
        """Plan the groups again that these Services were or are in."""
        affected: set[GroupId] = set()
        for key in keys:
            affected.update(self._regroup(key))
        for group in affected:
            self._forget(group)
            self._uncontested.discard(group)
        return self._replan(affected)

    def configuration_changed(self, config: Config) -> Outcome:
        """Plan everything again."""
        self.config = config
        self._groundworks.clear()
        self._lineups.clear()
        self._uncontested.clear()
        self._reach = Reach(config, self._view)
        self._spreads = any(
            advertisement.spread is Spread.EVEN
            for pool in config.pools.values()
            for advertisement in pool.l2_advertisements
        )
        return self.services_changed({*self._store.services, *self._groups.groups})

    def view_changed(self, view: NodeView) -> Outcome:
        """Plan the groups again that the difference between the two views can affect; `view.shares` is not looked at."""
        before, self._view = self._view, replace(view, shares=self._shares.shares)
        if before.links != view.links:
            self._reach = Reach(self.config, self._view)
            self._lineups.clear()
            self._uncontested.clear()
        for address in _differing(before.placements, view.placements):
            if (group := self._groups.group_using(address)) is not None:
                self._lineups.pop(group, None)
        if (before.drain, before.successors) != (view.drain, view.successors):
            self._groundworks.clear()
            return self._replan(self._groups.groups)
        return self._replan(self._affected(before))

    def limit_policies(self, limit: int) -> Outcome:
        """Take in how many route policies the daemon bears well."""
        return Outcome(change=self._sum.limit_policies(limit), groups={})

    def owner_between(self, address: IpAddress, rivals: frozenset[NodeName]) -> NodeName | None:
        """Return who of the rivals has the better right to an address, whoever is alive; None if it is nobody's.

        Both find the same even if the network between the nodes is split. A rival that is no candidate has no right
        as long as another one is.
        """
        group = self._groups.group_using(address)
        contest = None if group is None else self._contest(group)
        return (
            None if contest is None else contest.winner(contest.candidates(None) & rivals or rivals, self._shares.homes)
        )

    def prefixes_under(self, config: Config) -> Iterator[Prefix]:
        """Yield the prefixes that the groups which have some would have with another configuration."""
        for group, plan in self._sum.groups.items():
            if plan.routes:
                services, endpoints = self._objects(group)
                planned = prepare(config, services, endpoints, self._view).bgp.routes
                yield from (route.prefix for route in planned)

    def diverging(self, groups: Iterable[GroupId]) -> int:
        """Compute these groups anew and return how many differ from what is kept; 0 is right."""
        return sum(self._compute_anew(group) != self._sum.groups.get(group) for group in groups)

    def _affected(self, before: NodeView) -> Iterable[GroupId]:
        now = self._view
        if before.links != now.links:
            return [group for group, plan in self._sum.groups.items() if _depends_on_view(plan)]
        living = before.alive != now.alive or before.reserve != now.reserve
        affected = set(self._moved(before)) if living else set[GroupId]()
        for address in _differing(before.placements, now.placements) | _differing(before.occupied, now.occupied):
            if (group := self._groups.group_using(address)) is not None:
                affected.add(group)
        return affected

    def _moved(self, before: NodeView) -> Iterator[GroupId]:
        """The groups that somebody else may win now; a death is told from the plans, without a thought of elections."""
        now = self._view
        same_reserve = before.reserve == now.reserve
        if same_reserve and before.alive is not None and now.alive is not None and now.alive <= before.alive:
            lost = before.alive - now.alive
            yield from (group for group, plan in self._sum.groups.items() if _is_owned_by(plan, lost, now.node))
            return
        for group, plan in self._sum.groups.items():
            if (contest := self._contest(group)) is not None:
                winner = contest.winner(contest.candidates(now.alive, now.reserve), now.shares)
                if winner is None or winner != _known_owner(plan, now.node):
                    yield group

    def _regroup(self, key: ObjectKey) -> tuple[GroupId, ...]:
        service = self._store.services.get(key)
        if service is None or not self._is_ours(service):
            return self._groups.remove(key)
        return self._groups.update(key, _addresses(service))

    def _is_ours(self, service: Service) -> bool:
        return service.spec.type == "LoadBalancer" and has_our_class(service, self._view.classes)

    def _replan(self, groups: Iterable[GroupId]) -> Outcome:
        """Plan groups again, and others whose share is another now."""
        prefixes: set[Prefix] = set()
        addresses: set[IpAddress] = set()
        changed: dict[GroupId, tuple[GroupPlan, GroupPlan]] = {}
        for group in sorted(self._shared(frozenset(groups))):
            before = self._sum.groups.get(group)
            after = self._compute(group)
            if after == before:
                continue
            change = self._sum.replace(group, after)
            prefixes |= change.prefixes
            addresses |= change.addresses
            changed[group] = (before or GroupPlan(), after or GroupPlan())
        return Outcome(change=PlanChange(prefixes=frozenset(prefixes), addresses=frozenset(addresses)), groups=changed)

    def _shared(self, groups: frozenset[GroupId]) -> frozenset[GroupId]:
        if not self._spreads and not self._shares.groups:
            return groups
        contests = {group: self._contest(group) for group in groups}
        return groups | self._shares.update(contests, self._view.alive, self._view.reserve)

    def _compute(self, group: GroupId) -> GroupPlan | None:
        groundwork = self._groundwork(group)
        lineup = self._lineup(group)
        if groundwork is None or lineup is None:
            return None
        if lineup.contest is None:
            self._uncontested.add(group)
            self._forget(group)
        return plan_prepared(groundwork, lineup, self._view)

    def _forget(self, group: GroupId) -> None:
        """What is remembered of a group serves its next election: one that holds none is not worth the memory."""
        self._groundworks.pop(group, None)
        self._lineups.pop(group, None)

    def _compute_anew(self, group: GroupId) -> GroupPlan | None:
        """As `_compute`, with nothing remembered."""
        services, endpoints = self._objects(group)
        return plan_group(self.config, services, endpoints, self._view, self._reach) if services else None

    def _contest(self, group: GroupId) -> Contest | None:
        if group in self._uncontested:
            return None
        lineup = self._lineup(group)
        return None if lineup is None else lineup.contest

    def _lineup(self, group: GroupId) -> Lineup | None:
        """Remembered until objects, links or placements change; None if the group is gone."""
        found = self._lineups.get(group)
        if found is None and (groundwork := self._groundwork(group)) is not None:
            found = self._lineups[group] = line_up(groundwork.candidates, self._view, self._reach)
        return found

    def _groundwork(self, group: GroupId) -> Groundwork | None:
        """Remembered until objects change; None if the group is gone."""
        found = self._groundworks.get(group)
        if found is None:
            services, endpoints = self._objects(group)
            if services:
                found = self._groundworks[group] = prepare(self.config, services, endpoints, self._view)
        return found

    def _objects(self, group: GroupId) -> tuple[list[Service], Mapping[ObjectKey, tuple[EndpointSlice, ...]]]:
        """Of the members that are there: one may have gone that the planner is told of in a moment."""
        members = [key for key in self._groups.members(group) if key in self._store.services]
        return [self._store.services[key] for key in members], {key: self._store.endpoints(key) for key in members}


def _addresses(service: Service) -> tuple[IpAddress, ...]:
    """The addresses of the status; a Service with a wrong one is a group of its own, and its plan says why."""
    try:
        return addresses_in_status(service)
    except InvalidConfig:
        return ()


def _depends_on_view(plan: GroupPlan) -> bool:
    """Whether the plan is the outcome of an election, or of having found no candidate."""
    parts: tuple[Announced | Decline, ...] = (*plan.announced, *plan.declined)
    return any(part.protocol is Protocol.LAYER2 for part in parts)


def _is_owned_by(plan: GroupPlan, nodes: frozenset[NodeName], here: NodeName) -> bool:
    """Whether one of the nodes owns the group: the loss of anybody else moves nothing."""
    if plan.elsewhere:
        return plan.elsewhere[0].node in nodes
    return here in nodes and _depends_on_view(plan)


def _known_owner(plan: GroupPlan, here: NodeName) -> NodeName | None:
    """Who owns the group; None if nobody does, or if this node does and can answer nowhere."""
    if plan.elsewhere:
        return plan.elsewhere[0].node
    return here if plan.layer2 or plan.withheld else None


def _differing(before: Mapping[IpAddress, object], now: Mapping[IpAddress, object]) -> set[IpAddress]:
    return {address for address in {*before, *now} if before.get(address) != now.get(address)}
