from ipaddress import ip_network
from itertools import pairwise

import pytest

from orchestrator.decide.node_plan import Route, RouteAttributes, RoutePolicy
from orchestrator.decide.weights import (
    DIGITS,
    MAX_WEIGHT,
    POLICY_LIMIT,
    ROUNDED,
    Precision,
    Rounding,
    ready_endpoints,
    round_route,
    rounded,
)
from orchestrator.net.addresses import IpFamily, Prefix
from orchestrator.resources.core import Endpoint, EndpointSlice
from tests.support.objects import endpoint, metadata, pods


def one_slice(*endpoints: Endpoint) -> EndpointSlice:
    return EndpointSlice(metadata=metadata("slice"), endpoints=endpoints)


def policy(weight: int, local_pref: int = 0) -> RoutePolicy:
    attributes = RouteAttributes(weight=weight, local_pref=local_pref)
    return RoutePolicy(per_peer=(("p", attributes),))


def prefix(number: int) -> Prefix:
    return ip_network(f"10.{number // 256}.{number % 256}.0/24")


def told(rounding: Rounding, weights: range, *, preferences: int) -> bool:
    """Tell of a prefix for each weight and preference; whether the digits changed."""
    pairs = [(weight, local_pref) for weight in weights for local_pref in range(preferences)]
    for number, (weight, local_pref) in enumerate(pairs):
        rounding.replace(prefix(number), policy(weight, local_pref))
    return rounding.review()


# --- what is counted ---


def test_ready_endpoints_of_the_node_and_family_are_counted() -> None:
    slices = [pods(n1=3, n2=5), pods("IPv6", n1=2)]
    assert ready_endpoints(slices, "n1", IpFamily.IPV4) == 3
    assert ready_endpoints(slices, "n2", IpFamily.IPV4) == 5
    assert ready_endpoints(slices, "n1", IpFamily.IPV6) == 2


def test_endpoint_in_two_slices_counts_once() -> None:
    assert ready_endpoints([pods(n1=3), pods(n1=2)], "n1", IpFamily.IPV4) == 3


def test_unready_and_terminating_endpoints_do_not_count() -> None:
    going = endpoint(ready=False, serving=True, address="10.244.0.2")
    slices = [one_slice(endpoint(), endpoint(ready=False, address="10.244.0.3"), going)]
    assert ready_endpoints(slices, "n1", IpFamily.IPV4) == 1


@pytest.mark.parametrize("slices", [[], [pods(n2=4)], [one_slice(endpoint(ready=False, serving=True))]])
def test_node_that_announces_without_ready_endpoints_counts_one(slices: list[EndpointSlice]) -> None:
    assert ready_endpoints(slices, "n1", IpFamily.IPV4) == 1


# --- rounding ---


@pytest.mark.parametrize(
    ("weight", "digits", "expected"),
    [
        (0, 4, 0),
        (1, 4, 1),
        (15, 4, 15),
        (17, 4, 16),
        (18, 4, 18),
        (39, 4, 36),
        (7, 3, 7),
        (9, 3, 8),
        (5, 2, 4),
        (6, 2, 6),
        (3, 1, 2),
        (100, 1, 64),
        (10**9, 4, 24576),
        (MAX_WEIGHT, 4, 24576),
    ],
)
def test_weight_keeps_its_first_digits(weight: int, digits: int, expected: int) -> None:
    assert rounded(weight, digits) == expected


@pytest.mark.parametrize(("digits", "loss", "steps"), [(4, 1 / 9, 100), (3, 1 / 5, 54), (2, 1 / 3, 29), (1, 1 / 2, 15)])
def test_rounding_takes_little_and_leaves_few_weights(digits: int, loss: float, steps: int) -> None:
    found = [(weight, rounded(weight, digits)) for weight in range(1, MAX_WEIGHT + 1)]
    assert all(weight * (1 - loss) <= less <= weight for weight, less in found)
    assert all(one[1] <= other[1] for one, other in pairwise(found))
    assert len({less for _, less in found}) == steps


def test_every_weight_that_is_sent_is_known_beforehand() -> None:
    assert {rounded(weight, digits) for weight in range(1, MAX_WEIGHT + 1) for digits in DIGITS} == set(ROUNDED)


def test_route_without_weights_stays_as_it_is() -> None:
    plain = Route(prefix=prefix(1), policy=policy(0))
    assert round_route(plain, 1) is plain
    assert round_route(Route(prefix=prefix(1), policy=policy(7)), 1).policy == policy(4)


# --- which digits ---


def test_few_policies_keep_every_digit() -> None:
    rounding = Rounding()
    assert not told(rounding, range(1, 16), preferences=6)
    assert (rounding.digits, rounding.precision) == (4, Precision.FINE)


@pytest.mark.parametrize(
    ("preferences", "digits", "precision"),
    [
        (6, 4, Precision.FINE),
        (7, 3, Precision.COARSE),
        (10, 2, Precision.COARSE),
        (16, 1, Precision.COARSE),
        (26, 1, Precision.BEYOND_LIMIT),
    ],
)
def test_more_policies_than_the_limit_cost_digits(preferences: int, digits: int, precision: Precision) -> None:
    rounding = Rounding()
    assert told(rounding, range(1, 16), preferences=preferences) is (digits != DIGITS[0])
    assert (rounding.digits, rounding.precision) == (digits, precision)


def test_policies_without_weights_count_against_the_limit() -> None:
    rounding = Rounding()
    for number in range(POLICY_LIMIT - 5):
        rounding.replace(prefix(1000 + number), policy(0, local_pref=number))
    told(rounding, range(1, 5), preferences=1)
    assert rounding.digits == 4
    told(rounding, range(1, 16), preferences=1)
    assert rounding.digits == 1


def test_policies_without_weights_alone_are_nobodys_fault() -> None:
    rounding = Rounding()
    for number in range(POLICY_LIMIT + 5):
        rounding.replace(prefix(number), policy(0, local_pref=number))
    rounding.review()
    assert rounding.precision is Precision.FINE


def test_digits_come_back_only_when_there_is_room() -> None:
    rounding = Rounding()
    told(rounding, range(1, 16), preferences=7)
    assert rounding.digits == 3
    for number in range(20):
        rounding.replace(prefix(number), None)
    assert not rounding.review()
    for number in range(20, 35):
        rounding.replace(prefix(number), None)
    assert rounding.review()
    assert rounding.digits == 4


def test_prefix_that_is_told_again_counts_once() -> None:
    rounding = Rounding()
    for _ in range(3):
        told(rounding, range(1, 16), preferences=6)
    for number in range(90):
        rounding.replace(prefix(number), policy(0))
    assert rounding.weighted == ()
    told(rounding, range(1, 16), preferences=6)
    assert (rounding.digits, len(rounding.weighted)) == (4, 90)
