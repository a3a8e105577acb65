from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network

import pytest

from orchestrator.decide.announcement import plan_group
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.node_plan import DeclineReason, GroupPlan, Protocol
from orchestrator.decide.withdrawal import MANY, lost_service, taken_away, without_dampened
from orchestrator.net.addresses import Prefix
from orchestrator.resources.core import EndpointSlice
from tests.support.objects import bgp, config, endpoints, ips, key, l2, peer, pool, service

WEB = service(held=["10.0.0.1", "10.0.0.2"])
HERE = NodeView(node="n1")
ONE, TWO, BOTH = (ip_network(text) for text in ("10.0.0.1/32", "10.0.0.2/32", "10.0.0.0/24"))


def plan(*advertisements: str, slices: Sequence[EndpointSlice] | None = None, **peers: str) -> GroupPlan:
    """Of two addresses over both protocols; each advertisement is for its own length and peer."""
    lengths = {"narrow": 32, "wide": 24}
    made = tuple(
        bgp(name, "n1", aggregation_length=lengths[name], peers=frozenset({f"to-{name}"})) for name in advertisements
    )
    known = config(
        nodes=("n1",),
        pools=[pool("p", "10.0.0.0/24", bgp_advertisements=made, l2_advertisements=(l2("l", "n1"),))],
        peers=[peer("to-narrow", "n1"), peer("to-wide", "n1", address="192.0.2.2")],
    )
    return plan_group(known, [WEB], {WEB.metadata.key: endpoints("n1") if slices is None else slices}, HERE)


def prefixes(count: int, start: int = 0, length: int = 32) -> list[Prefix]:
    return [ip_network(f"10.1.{number}.0/{length}", strict=False) for number in range(start, start + count)]


def test_endpoints_that_go_are_lost_service() -> None:
    assert lost_service([(plan("narrow"), plan("narrow", slices=()))]) == {ONE, TWO}


def test_configuration_and_services_that_go_are_not() -> None:
    assert lost_service([(plan("narrow"), plan()), (plan("narrow"), GroupPlan())]) == frozenset()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (prefixes(40), prefixes(19), 21),
        (prefixes(40), prefixes(20), 0),
        (prefixes(MANY), (), MANY),
        (prefixes(MANY - 1), (), 0),
        (prefixes(100), prefixes(79), 0),
        (prefixes(40), prefixes(40, 100), 40),
        (prefixes(40), prefixes(40, length=24), 0),
        (prefixes(40), [ip_network("10.1.0.0/16")], 0),
        (prefixes(40), [ip_network("10.1.0.0/19")], 0),
        (prefixes(40), [ip_network("10.1.0.0/20")], 24),
        ((), prefixes(40), 0),
    ],
)
def test_most_of_many_that_nothing_replaces_are_taken_away(
    before: Sequence[Prefix], after: Sequence[Prefix], expected: int
) -> None:
    found = taken_away(before, after)
    assert len(found) == expected
    assert set(found) <= set(before)


def test_plan_without_dampened_prefixes_is_the_same() -> None:
    whole = plan("narrow")
    assert without_dampened(whole, ()) is whole
    assert without_dampened(whole, {ip_network("10.9.9.9/32")}) is whole


def test_dampened_addresses_are_declined_over_bgp_alone() -> None:
    whole = plan("narrow")
    found = without_dampened(whole, {ONE, TWO})
    assert [part.protocol for part in found.announced] == [Protocol.LAYER2]
    (decline,) = found.declined
    assert (decline.service, decline.protocol, decline.reason) == (key("web"), Protocol.BGP, DeclineReason.DAMPENED)
    assert "10.0.0.1, 10.0.0.2 came and went" in decline.detail
    assert found.routes == ()


def test_one_dampened_address_leaves_the_other() -> None:
    whole = plan("narrow")
    found = without_dampened(whole, {ONE})
    (before,), (after,) = (
        [part for part in each.announced if part.protocol is Protocol.BGP] for each in (whole, found)
    )
    assert after == replace(before, addresses=tuple(ips("10.0.0.2")))
    assert [one.reason for one in found.declined] == [DeclineReason.DAMPENED]


def test_address_that_another_prefix_carries_is_announced_to_its_peers() -> None:
    found = without_dampened(plan("narrow", "wide"), {ONE, TWO})
    (part,) = (each for each in found.announced if each.protocol is Protocol.BGP)
    assert (len(part.addresses), part.peers) == (2, ("to-wide",))
    assert not found.declined
    assert [route.prefix for route in found.routes] == [BOTH]
