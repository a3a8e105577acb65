"""How many addresses each node gets, before it is asked which: `level` gives every set of contenders its numbers.

Nodes with the same addresses to choose from differ by one at most. With different sets the heaviest load is as low as it
can be: no chain of moves would relieve a node in favor of one that has two less (optimal semi-matching).
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.model import NodeName
from orchestrator.decide.matching import Quota, Ranks
from orchestrator.decide.reach import Nodes


def level(favored: Mapping[Nodes, Quota], loads: Quota, ranks: Ranks) -> dict[Nodes, Quota]:
    """Fill up the nodes from the lowest; with several sets, even out what rendezvous would do: that moves less.

    `favored` says per set of nodes how many addresses each of them would get; `loads` are what they have already.
    """
    if len(favored) <= 1:
        return {nodes: _filled(quota.total(), nodes, loads, ranks) for nodes, quota in favored.items()}
    sets = sorted(favored, key=sorted)
    quotas = [+favored[nodes] for nodes in sets]
    total = Counter(loads)
    for quota in quotas:
        total.update(quota)
    _Leveling(sets, quotas, total, ranks).run()
    return dict(zip(sets, quotas, strict=True))


def _filled(count: int, nodes: Nodes, loads: Quota, ranks: Ranks) -> Quota:
    """Pour in as water: up to one surface, and what is left over one each, in the order of the seeds."""
    height = _height(count, sorted(loads[node] for node in nodes))
    quota: Quota = Counter({node: max(0, height - loads[node]) for node in nodes})
    on_top = sorted((ranks.seed(node), node) for node in nodes if loads[node] <= height)
    quota.update(node for _, node in on_top[: count - quota.total()])
    return quota


def _height(count: int, loads: Sequence[int]) -> int:
    """Return the highest surface that `count` suffices for; `loads` are the floor, ascending."""
    below = 0
    for nodes, load in enumerate(loads):
        if load * nodes - below > count:
            return (count + below) // nodes
        below += load
    return (count + below) // len(loads)


@dataclass(frozen=True, slots=True)
class _Step:
    """An address of a set, by its number, goes from one node to another."""

    giver: NodeName
    number: int
    taker: NodeName


class _Leveling:
    """Relieves the heaviest nodes along chains, as long as one ends at a node that has two less. Changes its quotas."""

    def __init__(self, sets: Sequence[Nodes], quotas: Sequence[Quota], loads: Quota, ranks: Ranks) -> None:
        self._sets = [sorted(nodes, key=ranks.seed) for nodes in sets]
        self._quotas = quotas
        self._loads = loads
        self._ranks = ranks
        self._holding: dict[NodeName, set[int]] = {node: set() for nodes in sets for node in nodes}
        for number, quota in enumerate(quotas):
            for node in quota:
                self._holding[node].add(number)

    def run(self) -> None:
        """A node that cannot be relieved never can be later: what it reaches has one less at most, or more."""
        unsettled = set(self._holding)
        lightest = min(self._loads[node] for node in unsettled)
        while unsettled:
            start = min(unsettled, key=lambda node: (-self._loads[node], self._ranks.seed(node)))
            if self._loads[start] < lightest + 2:
                return
            chain = self._relief(start)
            if not chain:
                unsettled.discard(start)
            for step in chain:
                self._take(step)

    def _take(self, step: _Step) -> None:
        quota = self._quotas[step.number]
        quota[step.giver] -= 1
        quota[step.taker] += 1
        self._loads[step.giver] -= 1
        self._loads[step.taker] += 1
        self._holding[step.taker].add(step.number)
        if not quota[step.giver]:
            self._holding[step.giver].discard(step.number)

    def _relief(self, start: NodeName) -> Sequence[_Step]:
        """Return a shortest chain from a node to one that has two less, the last step first; none if there is none."""
        reached: dict[NodeName, _Step | None] = {start: None}
        seen: set[int] = set()
        queue = deque([start])
        while queue:
            giver = queue.popleft()
            for number in sorted(self._holding[giver] - seen):
                seen.add(number)
                for taker in self._sets[number]:
                    if taker in reached:
                        continue
                    reached[taker] = _Step(giver, number, taker)
                    if self._loads[taker] <= self._loads[start] - 2:
                        return _chain(reached, taker)
                    queue.append(taker)
        return ()


def _chain(reached: Mapping[NodeName, _Step | None], end: NodeName) -> Sequence[_Step]:
    chain: list[_Step] = []
    step = reached[end]
    while step is not None:
        chain.append(step)
        step = reached[step.giver]
    return chain
