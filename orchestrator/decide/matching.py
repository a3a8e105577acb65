"""Which address goes to which node within given quotas: a stable matching by rendezvous rank, repaired after changes.

An address asks its nodes in turn, and a full node keeps the best that have asked (Gale and Shapley). Where a place falls
vacant, the best that was refused there takes it and leaves another one. The rank of a pair counts for both sides, so
only one matching is stable: repairing finds what matching anew would, whatever the order of changes.

Addresses are numbers here: they are compared and looked up millions of times.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address

from orchestrator.config.model import NodeName
from orchestrator.decide.reach import Nodes
from orchestrator.net.addresses import IpAddress

_WORD = 2**64 - 1
_FIRST_FACTOR, _SECOND_FACTOR = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
"""Odd constants that spread the bits of a word (the golden ratio; Mulvey's)."""
_FAVORITES = 12
"""So many choices are remembered per address; more are asked for seldom."""

Quota = Counter[NodeName]
"""How many addresses each node has or gets."""
Number = int
"""An address: its own number, above all of IPv4 if it is of IPv6. Sorts as `address_key`."""
_IPV6 = 1 << 128

Bid = tuple[int, int]
"""An address at a node, the best first: its rank there, then the number, negative."""


def number_of(address: IpAddress) -> Number:
    """Return the number that stands for an address."""
    return int(address) if address.version == 4 else int(address) | _IPV6


def address_of(number: Number) -> IpAddress:
    """Return the address that a number stands for."""
    return IPv6Address(number ^ _IPV6) if number & _IPV6 else IPv4Address(number)


class Ranks:
    """Rendezvous ranks of (address, node), lower is better: as good as random, and the same everywhere."""

    def __init__(self) -> None:
        self._seeds: dict[NodeName, int] = {}

    def rank(self, number: Number, node: NodeName) -> int:
        word = ((number ^ number >> 64) ^ self.seed(node)) & _WORD
        word = word * _FIRST_FACTOR & _WORD
        return (word ^ word >> 32) * _SECOND_FACTOR & _WORD

    def seed(self, node: NodeName) -> int:
        if node not in self._seeds:
            self._seeds[node] = int.from_bytes(sha256(node.encode()).digest()[:8])
        return self._seeds[node]

    def ordered(self, number: Number, nodes: Nodes) -> Sequence[NodeName]:
        """Return the nodes, the best first."""
        return [node for _, node in sorted((self.rank(number, node), node) for node in nodes)]


class Matching:
    """The addresses that the same nodes may have, each at one of them. Changed in place: add, remove, then settle."""

    def __init__(self, nodes: Nodes, ranks: Ranks) -> None:
        self.favored: Quota = Counter()
        self._nodes = nodes
        self._ranks = ranks
        self._quota: Quota = Counter()
        self._choices: dict[Number, Sequence[NodeName]] = {}
        self._positions: dict[Number, int] = {}
        self._asking: list[Number] = []
        self._before: dict[Number, NodeName | None] = {}
        # Both sorted. A refused address has a place further down in its choices.
        self._held: dict[NodeName, list[Bid]] = {node: [] for node in nodes}
        self._refused: dict[NodeName, list[Bid]] = {node: [] for node in nodes}

    def __len__(self) -> int:
        """How many addresses there are."""
        return len(self._choices)

    def owner(self, number: Number) -> NodeName | None:
        """Return the node that an address is at; None if it has not been settled or is no member."""
        position = self._positions.get(number)
        return None if position is None else self._choices[number][position]

    def add(self, number: Number) -> None:
        """Take in an address. `favored` counts it at its first choice."""
        self._choices[number] = self._ranks.ordered(number, self._nodes)[:_FAVORITES]
        self.favored[self._choices[number][0]] += 1
        self._asking.append(number)
        self._before.setdefault(number, None)

    def remove(self, number: Number) -> None:
        """Let an address go that was settled."""
        self._withdraw(number)
        self.favored[self._choices.pop(number)[0]] -= 1

    def settle(self, quota: Quota) -> frozenset[Number]:
        """Bring everything to the new quotas, which add up to all addresses; return whose owner changed since."""
        self._quota = quota
        for node, held in self._held.items():
            while len(held) > quota[node]:
                worst = -held[-1][1]
                self._withdraw(worst)
                self._asking.append(worst)
        for node in self._nodes:
            self._fill(node)
        for number in self._asking:
            self._ask(number)
        self._asking = []
        before, self._before = self._before, {}
        return frozenset(number for number, owner in before.items() if self.owner(number) != owner)

    def _withdraw(self, number: Number) -> None:
        """As if the address had never asked."""
        owner, position = self.owner(number), self._positions.pop(number)
        self._before.setdefault(number, owner)
        for node in self._choices[number][:position]:
            _take(self._refused[node], self._bid(number, node))
        node = self._choices[number][position]
        _take(self._held[node], self._bid(number, node))

    def _fill(self, node: NodeName) -> None:
        """Fill the vacant places of a node, then those that fall vacant by it."""
        vacant = [node]
        while vacant:
            node = vacant.pop()
            while self._refused[node] and len(self._held[node]) < self._quota[node]:
                vacant.append(self._raise(-self._refused[node][0][1], node))

    def _raise(self, number: Number, node: NodeName) -> NodeName:
        """Let an address have what it was refused, and return the node that it leaves.

        It may have been refused at a node before, which has a place now: others may be better there.
        """
        choices, position = self._choices[number], self._positions[number]
        left, wanted = choices[position], choices.index(node)
        self._before.setdefault(number, left)
        for better in choices[wanted:position]:
            _take(self._refused[better], self._bid(number, better))
        _take(self._held[left], self._bid(number, left))
        self._positions[number] = wanted
        insort(self._held[node], self._bid(number, node))
        return left

    def _ask(self, number: Number) -> None:
        """Find a place for an address, and for those that it drives out."""
        position = 0
        while True:
            node = self._choice(number, position)
            held, bid = self._held[node], self._bid(number, node)
            if len(held) < self._quota[node]:
                self._positions[number] = position
                insort(held, bid)
                return
            if held and bid < held[-1]:
                self._positions[number] = position
                insort(held, bid)
                bid = held.pop()
                number = -bid[1]
                position = self._positions.pop(number)
                self._before.setdefault(number, node)
            insort(self._refused[node], bid)
            position += 1

    def _choice(self, number: Number, position: int) -> NodeName:
        if position == len(self._choices[number]):
            self._choices[number] = self._ranks.ordered(number, self._nodes)
        return self._choices[number][position]

    def _bid(self, number: Number, node: NodeName) -> Bid:
        return (self._ranks.rank(number, node), -number)


def _take(bids: list[Bid], bid: Bid) -> None:
    del bids[bisect_left(bids, bid)]
