"""Weights: how much of a prefix' traffic a router is to send to this node, as a multiple of what an endpoint gets.

A Service with `externalTrafficPolicy: Local` weighs as many endpoints as are ready on the node; with `Cluster` every node
passes traffic on to all endpoints alike, so each counts as one. Services that share a prefix add up.

A daemon has a policy for every weight, and FRR's price for a policy grows with their number. So a weight keeps its first
binary digits only: 4 (1 to 15 exactly, above that at most 1/9 less), fewer while more policies than the limit would be
needed. What is cut off is rounding, the unit is the same on all nodes: they need not agree on the digits. More digits
are used again when they fit with room to spare, so that no Service that comes and goes changes the weights of all.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import Enum
from functools import lru_cache

from orchestrator.decide.node_plan import Route, RoutePolicy
from orchestrator.net.addresses import IpFamily, Prefix
from orchestrator.resources.core import EndpointSlice

MAX_WEIGHT = 25600
"""FRR's limit (8.4.4; Mbit/s in its words)."""
DIGITS = (4, 3, 2, 1)
"""What can be kept of a weight, the finest first; neighbors in this order are at most a factor of 2 apart."""
POLICY_LIMIT = 100
"""What every daemon bears well; one more policy costs FRR 8.4.4 36 ms there, 0.5 s at 300 (measured)."""
ROOM = 0.75
"""How full the limit may be with more digits before they are used again."""


class Precision(Enum):
    """How well the weights of a node are told; the values stand in its SpeakerState."""

    FINE = "fine"
    COARSE = "coarse"
    BEYOND_LIMIT = "beyondLimit"
    """One digit is left, and there are more policies than the limit: they are all used, and slow."""


def ready_endpoints(slices: Iterable[EndpointSlice], node: str, family: IpFamily) -> int:
    """Return how many endpoints on the node are ready for that family; one that two slices list is one.

    At least 1: a node that announces without any (those left are terminating) is not the worse for it in the last second.
    """
    found = {
        address
        for part in slices
        if part.address_type == family.value
        for endpoint in part.endpoints
        if endpoint.node_name == node and endpoint.conditions.ready is not False
        for address in endpoint.addresses[:1]
    }
    return max(1, len(found))


def rounded(weight: int, digits: int) -> int:
    """Return the weight with all but its first binary digits 0, MAX_WEIGHT at most; 0 stays 0 (none is sent)."""
    weight = min(weight, MAX_WEIGHT)
    cut = max(0, weight.bit_length() - digits)
    return weight >> cut << cut


ROUNDED = tuple(sorted({rounded(weight, DIGITS[0]) for weight in range(1, MAX_WEIGHT + 1)}))
"""All weights that are ever sent: what fewer digits leave is among them."""


def round_route(route: Route, digits: int) -> Route:
    """Return the route with the weights that are sent."""
    return replace(route, policy=round_policy(route.policy, digits)) if route.policy.is_weighted else route


@lru_cache(maxsize=2**12)
def round_policy(policy: RoutePolicy, digits: int) -> RoutePolicy:
    """Return the policy with the weights that are sent; thousands of prefixes have a few hundred policies."""
    return policy.with_weights(lambda weight: rounded(weight, digits))


class Rounding:
    """Which digits the weights of a node's prefixes keep; `limit` is how many policies its daemon bears well.

    Told of every prefix; changes only in `review`.
    """

    def __init__(self) -> None:
        self.digits = DIGITS[0]
        self.limit = POLICY_LIMIT
        self._weighted: dict[Prefix, RoutePolicy] = {}
        self._plain: dict[Prefix, RoutePolicy] = {}
        self._users: Counter[RoutePolicy] = Counter()
        self._needed: dict[int, Counter[RoutePolicy]] = {digits: Counter() for digits in DIGITS}

    @property
    def weighted(self) -> Sequence[Prefix]:
        """The prefixes that have weights."""
        return tuple(self._weighted)

    @property
    def precision(self) -> Precision:
        if not self._weighted or self.digits == DIGITS[0]:
            return Precision.FINE
        return Precision.COARSE if self._policies(self.digits) <= self.limit else Precision.BEYOND_LIMIT

    def replace(self, prefix: Prefix, policy: RoutePolicy | None) -> None:
        """Take in what a prefix is announced with, its weights not rounded; None: no longer."""
        for policies in (self._weighted, self._plain):
            if (before := policies.pop(prefix, None)) is not None:
                self._count(before, -1)
        if policy is not None:
            (self._weighted if policy.is_weighted else self._plain)[prefix] = policy
            self._count(policy, 1)

    def _count(self, policy: RoutePolicy, number: int) -> None:
        """One prefix more or less; what it needs when rounded is counted for the first and the last of them."""
        users = self._users[policy]
        _add(self._users, policy, number)
        if 0 in (users, users + number):
            for digits, needed in self._needed.items():
                _add(needed, round_policy(policy, digits), number)

    def review(self) -> bool:
        """Choose the digits by what is known now; return whether they changed."""
        before = self.digits
        self.digits = max(self._most_within(self.limit * ROOM), min(self._most_within(self.limit), before))
        return self.digits != before

    def _most_within(self, limit: float) -> int:
        return next((digits for digits in DIGITS if self._policies(digits) <= limit), DIGITS[-1])

    def _policies(self, digits: int) -> int:
        return len(self._needed[digits])


def _add(counter: Counter[RoutePolicy], policy: RoutePolicy, number: int) -> None:
    counter[policy] += number
    if not counter[policy]:
        del counter[policy]
