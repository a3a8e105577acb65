"""Which nodes an advertisement admits, by what is known of their interfaces."""

from collections.abc import Mapping
from ipaddress import ip_network

import pytest

from orchestrator.config.model import Config, L2Advertisement, NodeFacts
from orchestrator.decide.eligibility import NodeLink, NodeView
from orchestrator.decide.reach import Admission, Reach
from tests.support.objects import config, ips, l2

NODES = ("n1", "n2", "n3")
KNOWN = config(nodes=NODES)
HERE = ips("192.0.2.10")


def link(interface: str, *networks: str, carrier: bool = True) -> NodeLink:
    return NodeLink(interface=interface, carrier=carrier, networks=tuple(ip_network(text) for text in networks))


LINKS = {"n1": (link("eth0", "192.0.2.0/24", "2001:db8::/64"),), "n2": (link("eth0", "198.51.100.0/24"),)}


def admission(
    *advertisements: L2Advertisement,
    links: Mapping[str, tuple[NodeLink, ...]] = LINKS,
    addresses: tuple[str, ...] = ("192.0.2.10",),
    known: Config = KNOWN,
) -> Admission:
    return Reach(known, NodeView(node="n1", links=links)).admission(advertisements, ips(*addresses))


def test_included_connected_and_unlabeled_nodes_are_admitted() -> None:
    known = config(
        nodes=[
            "n1",
            "n2",
            NodeFacts(name="cut", labels={}, network_unavailable=True),
            NodeFacts(name="labeled", labels={}, excluded_from_balancers=True),
        ]
    )
    found = admission(l2("a", "n1", "cut", "labeled"), l2("b", "unknown"), known=known, links={})
    assert found == Admission(frozenset({"n1"}), frozenset({"n1"}))


def test_label_can_be_ignored() -> None:
    known = config(nodes=[NodeFacts(name="labeled", labels={}, excluded_from_balancers=True)])
    reach = Reach(known, NodeView(node="n1", ignore_exclude_label=True))
    assert reach.admission([l2("a", "labeled")], HERE).admitted == {"labeled"}


def test_on_link_is_required_of_every_address() -> None:
    strict = l2("a", *NODES, require_on_link=True)
    assert admission(strict).admitted == {"n1"}
    assert admission(strict, addresses=("192.0.2.10", "2001:db8::10")).admitted == {"n1"}
    assert admission(strict, addresses=("192.0.2.10", "198.51.100.10")).admitted == frozenset()


def test_nodes_that_only_lack_the_subnet_are_told_apart() -> None:
    assert admission(l2("a", *NODES, require_on_link=True)).off_link == {"n2", "n3"}


def test_node_of_which_nothing_is_known_is_not_on_link() -> None:
    assert admission(l2("a", "n3", require_on_link=True)) == Admission(off_link=frozenset({"n3"}))


@pytest.mark.parametrize(
    ("leg", "expected"),
    [
        (link("eth1", "192.0.2.0/24"), {"n1"}),
        (link("eth0", "192.0.2.0/24"), set()),
        (link("eth1", "192.0.2.0/24", carrier=False), set()),
    ],
)
def test_leg_counts_on_the_interfaces_of_the_advertisement_with_carrier(leg: NodeLink, expected: set[str]) -> None:
    strict = l2("a", "n1", interfaces=("eth1",), require_on_link=True)
    assert admission(strict, links={"n1": (leg,)}).admitted == expected


def test_one_advertisement_that_does_not_require_it_is_enough() -> None:
    found = admission(l2("a", *NODES, require_on_link=True), l2("b", "n3"))
    assert found.admitted == {"n1", "n3"}
    assert found.off_link == {"n2"}


@pytest.mark.parametrize(
    ("links", "able"),
    [
        ({}, {"n1", "n2", "n3"}),
        ({"n1": (link("eth0"),)}, {"n2", "n3"}),
        ({"n1": (link("eth1"),)}, {"n1", "n2", "n3"}),
        ({"n1": (link("eth1", carrier=False), link("eth0"))}, {"n2", "n3"}),
        ({"n1": ()}, {"n2", "n3"}),
    ],
)
def test_known_node_without_the_interface_or_carrier_is_not_able(
    links: Mapping[str, tuple[NodeLink, ...]], able: set[str]
) -> None:
    found = admission(l2("a", *NODES, interfaces=("eth1",)), links=links)
    assert found == Admission(frozenset(NODES), frozenset(able))


def test_any_interface_with_carrier_will_do_without_a_restriction() -> None:
    links = {"n1": (link("eth0", carrier=False), link("eth1")), "n2": (link("eth0", carrier=False),)}
    assert admission(l2("a", *NODES), links=links).able == {"n1", "n3"}


def test_answers_for_equal_advertisements_do_not_depend_on_the_addresses_asked_first() -> None:
    reach = Reach(KNOWN, NodeView(node="n1", links=LINKS))
    strict = [l2("a", *NODES, require_on_link=True)]
    found = [reach.admission(strict, ips(address)).admitted for address in ("192.0.2.1", "198.51.100.1", "192.0.2.1")]
    assert found == [{"n1"}, {"n2"}, {"n1"}]
