"""The planner: what one node should announce, kept up to date group by group.

It joins what the store knows with `decide`: which groups are affected by a change, their new plans, the sum of all.
Offline commands and the speaker use the same planner, so `ferrule render` shows what a speaker would run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from orchestrator.config.model import Config, NodeName
from orchestrator.decide.announcement import plan_group
from orchestrator.decide.convergence import addresses_in_status
from orchestrator.decide.eligibility import NodeView, has_our_class
from orchestrator.decide.groups import AddressGroups, GroupId
from orchestrator.decide.node_plan import DeclineReason, GroupPlan, NodePlan, Protocol
from orchestrator.decide.plan_sum import PlanChange, PlanSum
from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import IpAddress, Prefix
from orchestrator.resources.core import Service
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
        self._view = view
        self._store = store
        self._groups = AddressGroups()
        self._sum = PlanSum()

    @property
    def plan(self) -> NodePlan:
        """The sum of all groups; follows later changes."""
        return self._sum.plan

    @property
    def group_plans(self) -> Mapping[GroupId, GroupPlan]:
        """Every group's plan; follows later changes."""
        return self._sum.groups

    def services_changed(self, keys: Iterable[ObjectKey]) -> Outcome:
        """Plan the groups again that these Services were or are in."""
        affected: set[GroupId] = set()
        for key in keys:
            affected.update(self._regroup(key))
        return self._replan(affected)

    def configuration_changed(self, config: Config) -> Outcome:
        """Plan everything again."""
        self.config = config
        return self.services_changed((*self._store.services, *self._groups.groups))

    def alive_changed(self, alive: frozenset[NodeName]) -> Outcome:
        """Plan the groups again whose layer-2 owner depends on who is alive."""
        self._view = replace(self._view, alive=alive)
        return self._replan(group for group, plan in self._sum.groups.items() if _depends_on_alive(plan))

    def diverging(self, groups: Iterable[GroupId]) -> int:
        """Compute these groups anew and return how many differ from what is kept; 0 is right."""
        return sum(self._compute(group) != self._sum.groups.get(group) for group in groups)

    def _regroup(self, key: ObjectKey) -> tuple[GroupId, ...]:
        service = self._store.services.get(key)
        if service is None or not self._is_ours(service):
            return self._groups.remove(key)
        return self._groups.update(key, _addresses(service))

    def _is_ours(self, service: Service) -> bool:
        return service.spec.type == "LoadBalancer" and has_our_class(service, self._view.load_balancer_class)

    def _replan(self, groups: Iterable[GroupId]) -> Outcome:
        prefixes: set[Prefix] = set()
        addresses: set[IpAddress] = set()
        changed: dict[GroupId, tuple[GroupPlan, GroupPlan]] = {}
        for group in sorted(groups):
            before = self._sum.groups.get(group)
            after = self._compute(group)
            if after == before:
                continue
            change = self._sum.replace(group, after)
            prefixes |= change.prefixes
            addresses |= change.addresses
            changed[group] = (before or GroupPlan(), after or GroupPlan())
        return Outcome(change=PlanChange(prefixes=frozenset(prefixes), addresses=frozenset(addresses)), groups=changed)

    def _compute(self, group: GroupId) -> GroupPlan | None:
        members = self._groups.members(group)
        if not members:
            return None
        services = [self._store.services[key] for key in members]
        endpoints = {key: self._store.endpoints(key) for key in members}
        return plan_group(self.config, services, endpoints, self._view)


def _addresses(service: Service) -> tuple[IpAddress, ...]:
    """The addresses of the status; a Service with a wrong one is a group of its own, and its plan says why."""
    try:
        return addresses_in_status(service)
    except InvalidConfig:
        return ()


def _depends_on_alive(plan: GroupPlan) -> bool:
    return any(part.protocol is Protocol.LAYER2 for part in plan.announced) or any(
        part.protocol is Protocol.LAYER2 and part.reason is DeclineReason.NOT_OWNER for part in plan.declined
    )
