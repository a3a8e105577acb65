"""Shares: the outcome of `spread: even` for all groups under such advertisements, kept up to date group by group.

An index changed in place. Each domain (set of L2Advertisements) is balanced by itself, and as a whole when one of its
groups has other contenders: the share of a few groups may then differ, which are to be planned again.
"""

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.config.model import NodeName
from orchestrator.decide.contest import Contest, Domain
from orchestrator.decide.groups import GroupId
from orchestrator.decide.spreading import Ranks, Spreading, Stake, spread
from orchestrator.net.addresses import IpAddress


class _Domain:
    """The groups that are balanced together, by the address that each one's election is about."""

    def __init__(self) -> None:
        self.stakes: dict[IpAddress, Stake] = {}
        self.groups: dict[IpAddress, GroupId] = {}
        self.spreading = Spreading({}, {})
        self.ranks = Ranks()

    def balance(self) -> set[GroupId]:
        """Share anew and return the groups whose share changed."""
        before, self.spreading = self.spreading.owners, spread(self.stakes, self.ranks)
        now = self.spreading.owners
        return {group for address, group in self.groups.items() if before.get(address) != now.get(address)}


class Shares:
    """Which node has which address, for the groups whose contest has a domain."""

    def __init__(self) -> None:
        self._places: dict[GroupId, tuple[Domain, IpAddress]] = {}
        self._domains: dict[Domain, _Domain] = {}
        self._shares: dict[IpAddress, NodeName] = {}
        self._homes: dict[IpAddress, NodeName] = {}

    @property
    def shares(self) -> Mapping[IpAddress, NodeName]:
        """By the address that an election is about; a view that follows later changes."""
        return MappingProxyType(self._shares)

    @property
    def homes(self) -> Mapping[IpAddress, NodeName]:
        """As `shares`, if every node lived."""
        return MappingProxyType(self._homes)

    @property
    def groups(self) -> frozenset[GroupId]:
        """The groups that take part."""
        return frozenset(self._places)

    def update(self, contests: Mapping[GroupId, Contest | None]) -> frozenset[GroupId]:
        """Take in the contests of groups, None if there is none any more; return the groups whose share changed."""
        changed = {domain for group, contest in contests.items() for domain in self._place(group, contest)}
        moved: set[GroupId] = set()
        for domain in sorted(changed):
            moved |= self._domains[domain].balance()
            if not self._domains[domain].stakes:
                del self._domains[domain]
        if changed:
            self._shares.clear()
            self._homes.clear()
            for each in self._domains.values():
                self._shares.update(each.spreading.owners)
                self._homes.update(each.spreading.homes)
        return frozenset(moved)

    def _place(self, group: GroupId, contest: Contest | None) -> set[Domain]:
        """Put a group where its contest is, and return the domains that are to be balanced again."""
        before, after = self._places.get(group), None
        if contest is not None and contest.domain:
            after = (contest.domain, contest.address)
        if before is not None and before != after:
            del self._places[group]
            self._forget(group, *before)
        if contest is None or after is None:
            return {place[0] for place in (before,) if place is not None}
        self._places[group] = after
        domain = self._domains.setdefault(contest.domain, _Domain())
        stake = Stake(contest.contenders(contest.everyone), contest.contenders(contest.candidates))
        domain.groups[contest.address] = group
        if domain.stakes.get(contest.address) == stake and before == after:
            return set()
        domain.stakes[contest.address] = stake
        return {place[0] for place in (before, after) if place is not None}

    def _forget(self, group: GroupId, domain: Domain, address: IpAddress) -> None:
        """A group that took the address over meanwhile keeps it."""
        held = self._domains[domain]
        if held.groups.get(address) == group:
            del held.groups[address], held.stakes[address]
