"""`spread: even`: which of several nodes gets which address, so that all get equally many, and few move.

Every node finds the same from the same sets, in any order and without memory. Two steps:

  1. Homes, as if every node lived. Per set of contenders it is counted how many addresses each node gets; then addresses
     and nodes choose each other by rendezvous rank within these numbers (Gale and Shapley's stable matching: one result,
     whoever asks first; a change moves little).
  2. An address whose home cannot have it now goes to a node that has least. So a death moves the dead node's addresses
     and no others, and its return brings just those back.

Promised: nodes with the same addresses to choose from differ by one at most. With different contenders per address (Local
endpoints, subnets, preferences) the heaviest load is as low as it can be in each step: no chain of moves would relieve
a node in favor of one that has two less (optimal semi-matching).

Measured on 2 cores, 64-bit Python 3.11 (each figure the mean of 3 to 5 nodes; the ideal is N/k):

  addresses / nodes                          10/3  1000/3  1000/10  1000/50  10000/50  10000/200
  node lost for good, per cent of N/k        120   101     120      236      138       293
    bounded loads, asked in order            120   101     116      275      141       336
    overflow of the hash only, in order      120   102     116      250      137       312
  node added, per cent of N/(k+1)            107   103     118      243      136       309
  node dead or back, beyond its own          0     0       0        0        0         0
  other addresses moved by a new one         0.8   0.9     2.6      3.6      4.2       6.2
  milliseconds, first / one change           1/0   18/12   32/7     63/7     700/96    2325/102

MetalLB's hash moves 100 per cent and leaves its nodes uneven: 61 apart at 10000/3, 36 apart at 10000/200. With 3 random
contenders of 200 nodes for each of 10 000 addresses a new address moves 17 others, and one change takes 1.5 s.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from heapq import heapify, heappush, heappushpop, heapreplace

from orchestrator.config.model import NodeName
from orchestrator.decide.reach import Nodes
from orchestrator.net.addresses import IpAddress, address_key

_WORD = 2**64 - 1
_FIRST_FACTOR, _SECOND_FACTOR = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
"""Odd constants that spread the bits of a word (the golden ratio; Mulvey's)."""
_FAVORITES = 12
"""So many choices are remembered per address; more are asked for seldom."""

Quota = Counter[NodeName]
"""How many addresses each node has or gets."""


@dataclass(frozen=True, slots=True)
class Stake:
    """Who may have an address: `home` if every node lived, `present` now."""

    home: Nodes
    present: Nodes


class Ranks:
    """Rendezvous ranks of (address, node), lower is better: as good as random, and the same everywhere. Remembers orders."""

    def __init__(self) -> None:
        self._seeds: dict[NodeName, int] = {}
        self._orders: dict[Nodes, dict[IpAddress, tuple[NodeName, ...]]] = {}

    def rank(self, address: IpAddress, node: NodeName) -> int:
        number = int(address)
        word = ((number ^ number >> 64) ^ self.seed(node)) & _WORD
        word = word * _FIRST_FACTOR & _WORD
        return (word ^ word >> 32) * _SECOND_FACTOR & _WORD

    def seed(self, node: NodeName) -> int:
        if node not in self._seeds:
            self._seeds[node] = int.from_bytes(sha256(node.encode()).digest()[:8])
        return self._seeds[node]

    def choices(self, address: IpAddress, nodes: Nodes) -> Iterable[NodeName]:
        """Yield the nodes, the best first."""
        orders = self._orders.setdefault(nodes, {})
        favorites = orders.get(address)
        if favorites is None:
            orders[address] = favorites = self._ordered(address, nodes)[:_FAVORITES]
        yield from favorites
        if len(favorites) < len(nodes):
            yield from self._ordered(address, nodes)[_FAVORITES:]

    def _ordered(self, address: IpAddress, nodes: Nodes) -> tuple[NodeName, ...]:
        return tuple(node for _, node in sorted((self.rank(address, node), node) for node in nodes))

    def keep(self, sets: Iterable[Nodes], addresses: Mapping[IpAddress, Stake]) -> None:
        """Forget the orders of other sets, and of addresses that have gone once they are as many as the others."""
        wanted = set(sets)
        self._orders = {
            nodes: orders if len(orders) <= 2 * len(addresses) else {}
            for nodes, orders in self._orders.items()
            if nodes in wanted
        }


@dataclass(frozen=True, slots=True)
class Spreading:
    """Who would get each address if every node lived, and who gets it now; an address that nobody may have is absent."""

    homes: Mapping[IpAddress, NodeName]
    owners: Mapping[IpAddress, NodeName]


def spread(stakes: Mapping[IpAddress, Stake], ranks: Ranks) -> Spreading:
    """Give each address to a node; equal sets give an equal result, whatever `ranks` remembers."""
    homes = _place({address: stake.home for address, stake in stakes.items()}, Counter(), ranks)
    kept = {address: node for address, node in homes.items() if node in stakes[address].present}
    homeless = {address: stake.present for address, stake in stakes.items() if address not in kept}
    owners = kept | _place(homeless, Counter(kept.values()), ranks)
    ranks.keep((nodes for stake in stakes.values() for nodes in (stake.home, stake.present)), stakes)
    return Spreading(homes, owners)


def _place(wanted: Mapping[IpAddress, Nodes], loads: Quota, ranks: Ranks) -> dict[IpAddress, NodeName]:
    """Give each address to one of its nodes; `loads` are what nodes have already."""
    alike: dict[Nodes, list[IpAddress]] = {}
    for address, nodes in wanted.items():
        if nodes:
            alike.setdefault(nodes, []).append(address)
    quotas = _quotas(alike, loads, ranks)
    placed: dict[IpAddress, NodeName] = {}
    for nodes, addresses in alike.items():
        placed |= _matched(addresses, nodes, quotas[nodes], ranks)
    return placed


# How many addresses of which set each node gets -----------------------------------------------------------------------


def _quotas(alike: Mapping[Nodes, Sequence[IpAddress]], loads: Quota, ranks: Ranks) -> dict[Nodes, Quota]:
    """Fill up the nodes from the lowest; with several sets, even out what rendezvous would do: that moves less."""
    if len(alike) <= 1:
        return {nodes: _filled(len(addresses), nodes, loads, ranks) for nodes, addresses in alike.items()}
    sets = sorted(alike, key=sorted)
    quotas = [Counter(next(iter(ranks.choices(address, nodes))) for address in alike[nodes]) for nodes in sets]
    for quota in quotas:
        loads.update(quota)
    _Leveling(sets, quotas, loads, ranks).run()
    return dict(zip(sets, quotas, strict=True))


def _filled(count: int, nodes: Nodes, loads: Quota, ranks: Ranks) -> Quota:
    quota: Quota = Counter()
    heap = [(loads[node], ranks.seed(node), node) for node in nodes]
    heapify(heap)
    for _ in range(count):
        load, seed, node = heap[0]
        heapreplace(heap, (load + 1, seed, node))
        quota[node] += 1
    return quota


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


# Which addresses ------------------------------------------------------------------------------------------------------


def _matched(addresses: Iterable[IpAddress], nodes: Nodes, quota: Quota, ranks: Ranks) -> dict[IpAddress, NodeName]:
    """Match by rank: each address asks its nodes in turn, and a full node keeps the best that have asked."""
    held: dict[NodeName, list[tuple[int, int, int, IpAddress]]] = {node: [] for node in nodes}
    asking = {address: iter(ranks.choices(address, nodes)) for address in addresses}
    for first in asking:
        address: IpAddress | None = first
        while address is not None:
            node = next(asking[address])
            if not quota[node]:
                continue
            entry = (-ranks.rank(address, node), *address_key(address), address)
            if len(held[node]) < quota[node]:
                heappush(held[node], entry)
                address = None
            else:
                address = heappushpop(held[node], entry)[3]
    return {entry[3]: node for node, entries in held.items() for entry in entries}
