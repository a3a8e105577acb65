from typing import Any

import pytest

from orchestrator.config.model import RemoteAs
from orchestrator.net.addresses import IpFamily
from orchestrator.net.bgp import Asn
from tests.support.objects import bgp, config, ips, peer, pool


def test_pool_contains_the_addresses_of_its_ranges() -> None:
    inside = pool("p", "10.0.0.0/30", "2001:db8::/126")
    assert ips("10.0.0.3")[0] in inside
    assert ips("2001:db8::3")[0] in inside
    assert ips("10.0.0.4")[0] not in inside


@pytest.mark.parametrize(
    ("fields", "external"),
    [({}, True), ({"local_asn": Asn(64513)}, False), ({"local_asn": Asn(64514)}, True)],
)
def test_session_is_external_unless_both_sides_have_one_asn(fields: dict[str, Any], external: bool) -> None:
    assert peer("p", "n1", **fields).is_external is external


def test_families_follow_the_address_unless_both_are_asked_for() -> None:
    assert peer("p", "n1").families == (IpFamily.IPV4,)
    assert peer("p", "n1", address="2001:db8::1").families == (IpFamily.IPV6,)
    assert peer("p", "n1", dual_stack_address_family=True).families == (IpFamily.IPV4, IpFamily.IPV6)


def test_peers_of_a_node_are_in_order() -> None:
    known = config(nodes=["n1"], peers=[peer("b", "n1"), peer("a", "n1"), peer("c", "n2")])
    assert [one.name for one in known.peers_of("n1")] == ["a", "b"]
    assert known.receivers_on("n1") == known.peers_of("n1")


def test_aggregation_length_is_per_family() -> None:
    advertisement = bgp("b", aggregation_length=24, aggregation_length_v6=64)
    assert [advertisement.length_for(family) for family in IpFamily] == [24, 64]


def test_remote_as_values_are_the_schemas() -> None:
    assert [value.value for value in RemoteAs] == ["internal", "external"]
