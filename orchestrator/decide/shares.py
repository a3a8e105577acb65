"""Shares: the outcome of `spread: even` for all groups under such advertisements, kept up to date group by group.

An index changed in place. Each domain (set of L2Advertisements) is balanced by itself. Other contenders of one group
may change the share of a few others, which are to be planned again.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from orchestrator.config.model import NodeName
from orchestrator.decide.contest import Contest, Domain
from orchestrator.decide.groups import GroupId
from orchestrator.decide.matching import Number, address_of, number_of
from orchestrator.decide.reach import NOBODY, Nodes
from orchestrator.decide.spreading import NO_STAKE, Balance, Moves, Stake
from orchestrator.net.addresses import IpAddress


class _Domain:
    """The groups that are balanced together, by the address that each one's election is about."""

    def __init__(self) -> None:
        self.balance = Balance()
        self.contests: dict[Number, Contest] = {}
        self.groups: dict[Number, GroupId] = {}

    def weigh(self, numbers: Collection[Number], alive: Nodes | None, reserve: Nodes) -> Moves:
        """Share anew what these addresses change."""
        return self.balance.change({number: self._stake(number, alive, reserve) for number in numbers})

    def _stake(self, number: Number, alive: Nodes | None, reserve: Nodes) -> Stake:
        contest = self.contests.get(number)
        if contest is None:
            return NO_STAKE
        return Stake(contest.contenders(contest.everyone), contest.contenders(contest.candidates(alive, reserve)))


class Shares:
    """Which node has which address, for the groups whose contest has a domain."""

    def __init__(self) -> None:
        self._alive: Nodes | None = None
        self._reserve: Nodes = NOBODY
        self._places: dict[GroupId, tuple[Domain, Number]] = {}
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

    def update(
        self, contests: Mapping[GroupId, Contest | None], alive: Nodes | None, reserve: Nodes = NOBODY
    ) -> frozenset[GroupId]:
        """Take in who lives, and the contests of groups, None if there is none any more.

        Returns the groups whose share changed.
        """
        changed: dict[Domain, set[Number]] = {}
        for group, contest in contests.items():
            for domain, number in self._place(group, contest):
                changed.setdefault(domain, set()).add(number)
        if (alive, reserve) != (self._alive, self._reserve):
            self._alive, self._reserve = alive, reserve
            for domain, held in self._domains.items():
                changed.setdefault(domain, set()).update(held.contests)
        return self._weigh(changed)

    def _weigh(self, changed: Mapping[Domain, Collection[Number]]) -> frozenset[GroupId]:
        moves = {
            domain: self._domains[domain].weigh(numbers, self._alive, self._reserve)
            for domain, numbers in changed.items()
        }
        # An address may have gone from one domain to another: first it leaves.
        for move in moves.values():
            _forget(self._shares, move.owners)
            _forget(self._homes, move.homes)
        moved: set[GroupId] = set()
        for domain, move in moves.items():
            held = self._domains[domain]
            _note(self._shares, held.balance.owners, move.owners)
            _note(self._homes, held.balance.homes, move.homes)
            moved |= {held.groups[number] for number in move.owners if number in held.groups}
            if not held.contests:
                del self._domains[domain]
        return frozenset(moved)

    def _place(self, group: GroupId, contest: Contest | None) -> set[tuple[Domain, Number]]:
        """Put a group where its contest is, and return the places that are to be weighed again."""
        before, after = self._places.get(group), None
        if contest is not None and contest.domain:
            after = (contest.domain, number_of(contest.address))
        if before is not None and before != after:
            del self._places[group]
            self._leave(group, *before)
        if contest is None or after is None:
            return {before} if before is not None else set()
        self._places[group] = after
        held, number = self._domains.setdefault(after[0], _Domain()), after[1]
        held.groups[number] = group
        if held.contests.get(number) == contest and before == after:
            return set()
        held.contests[number] = contest
        return {place for place in (before, after) if place is not None}

    def _leave(self, group: GroupId, domain: Domain, number: Number) -> None:
        """A group that took the address over meanwhile keeps it."""
        held = self._domains[domain]
        if held.groups.get(number) == group:
            del held.groups[number], held.contests[number]


def _forget(total: dict[IpAddress, NodeName], numbers: Collection[Number]) -> None:
    for number in numbers:
        total.pop(address_of(number), None)


def _note(total: dict[IpAddress, NodeName], owners: Mapping[Number, NodeName], numbers: Collection[Number]) -> None:
    for number in numbers:
        if number in owners:
            total[address_of(number)] = owners[number]
