import re
from dataclasses import replace
from ipaddress import IPv6Address, ip_interface

import pytest

from orchestrator.fsm.interfaces import (
    DEFAULT_EXCLUSIONS,
    Eligibility,
    Link,
    can_serve,
    eligibility,
    exclusion,
    link_local,
)
from orchestrator.net.link import MacAddress

ETH0 = Link(
    index=2,
    name="eth0",
    mac=MacAddress.parse("02:00:00:00:00:01"),
    up=True,
    carrier=True,
    broadcast=True,
    no_arp=False,
)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (ETH0, Eligibility.ELIGIBLE),
        (replace(ETH0, carrier=False), Eligibility.ELIGIBLE),
        (replace(ETH0, name="veth1234", up=False), Eligibility.EXCLUDED),
        (replace(ETH0, up=False, master=4), Eligibility.DOWN),
        (replace(ETH0, master=4, no_arp=True), Eligibility.ENSLAVED),
        (replace(ETH0, no_arp=True, broadcast=False), Eligibility.NO_ARP),
        (replace(ETH0, broadcast=False), Eligibility.NO_BROADCAST),
        (replace(ETH0, mac=None), Eligibility.NO_BROADCAST),
    ],
)
def test_eligibility_names_the_first_reason(link: Link, expected: Eligibility) -> None:
    assert eligibility(link, exclusion(DEFAULT_EXCLUSIONS)) is expected


DARK = replace(ETH0, carrier=False)
ETH1 = replace(ETH0, index=3, name="eth1")


@pytest.mark.parametrize(
    ("links", "interfaces", "expected"),
    [
        ((ETH0,), None, True),
        ((DARK,), None, False),
        ((DARK, ETH1), None, True),
        ((DARK, ETH1), ("eth0",), False),
        ((DARK, ETH1), ("eth0", "eth1"), True),
        ((replace(ETH0, up=False),), ("eth0",), False),
        ((ETH0,), ("eth9",), True),
        ((DARK,), ("eth9",), True),
        ((DARK, replace(ETH1, master=4)), None, False),
        ((replace(DARK, master=4),), ("eth0",), True),
        ((replace(ETH0, name="veth1"),), ("veth1",), False),
        ((replace(ETH0, name="veth1"),), None, False),
        ((replace(ETH0, name="veth1"), ETH1), None, True),
        ((), None, True),
    ],
)
def test_node_cannot_serve_if_all_it_has_to_serve_on_lost_carrier(
    links: tuple[Link, ...], interfaces: tuple[str, ...] | None, expected: bool
) -> None:
    assert can_serve(links, interfaces, exclusion(DEFAULT_EXCLUSIONS)) is expected


@pytest.mark.parametrize(
    ("name", "matches"),
    [("lo", True), ("lo0", False), ("docker0", True), ("cali123", True), ("eth0", False), ("lan-veth", False)],
)
def test_default_exclusions(name: str, matches: bool) -> None:
    pattern = exclusion(DEFAULT_EXCLUSIONS)
    assert pattern is not None
    assert (pattern.search(name) is not None) is matches


def test_exclusion_is_not_anchored_and_keeps_alternatives_apart() -> None:
    pattern = exclusion(("a|b", "x$"))
    assert pattern is not None
    assert [name for name in ("eth-b", "ax", "y", "xy") if pattern.search(name)] == ["eth-b", "ax"]


def test_no_pattern_excludes_nothing() -> None:
    assert exclusion(()) is None


def test_a_broken_pattern_is_an_error() -> None:
    with pytest.raises(re.error):
        exclusion(("(",))


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ((), None),
        (("192.0.2.1/24", "169.254.0.1/16", "2001:db8::1/64"), None),
        (("192.0.2.1/24", "2001:db8::1/64", "fe80::1/64", "fe80::2/64"), IPv6Address("fe80::1")),
    ],
)
def test_ndp_needs_a_link_local_address(addresses: tuple[str, ...], expected: IPv6Address | None) -> None:
    assert link_local(replace(ETH0, addresses=tuple(map(ip_interface, addresses)))) == expected
