import pytest

from orchestrator.render import commands
from orchestrator.render.canonical import Line
from orchestrator.render.commands import Impact

INSTANCE = ("router bgp 65001",)
FAMILY = (*INSTANCE, "address-family ipv4 unicast")
CLAUSE = ("route-map out-all permit 1",)
PROFILE = ("bfd", "profile fast")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (Line(INSTANCE, "neighbor 10.0.0.2 remote-as 65000"), "no neighbor 10.0.0.2"),
        (Line(INSTANCE, "neighbor eth7 interface remote-as external"), "no neighbor eth7"),
        (Line(INSTANCE, "neighbor 10.0.0.2 password geheim"), "no neighbor 10.0.0.2 password"),
        (Line(INSTANCE, "neighbor 10.0.0.2 timers 3 9"), "no neighbor 10.0.0.2 timers 3 9"),
        (Line(INSTANCE, "no bgp network import-check"), "bgp network import-check"),
        (Line(FAMILY, "network 198.51.100.7/32 route-map svc-1"), "no network 198.51.100.7/32 route-map svc-1"),
        (Line(CLAUSE, "set community 65001:1 no-export additive"), "no set community"),
        (Line(CLAUSE, "set metric 7"), "no set metric"),
        (Line(CLAUSE, "set as-path prepend 65001 65001"), "no set as-path prepend"),
        (Line(CLAUSE, "set extcommunity bandwidth 3"), "no set extcommunity bandwidth"),
        (Line(CLAUSE, "match tag 7"), "no match tag 7"),
        (Line(PROFILE, "receive-interval 150"), "receive-interval 300"),
        (Line(PROFILE, "echo transmit-interval 80"), "echo transmit-interval 50"),
        (Line(PROFILE, "passive-mode"), "no passive-mode"),
        (Line(PROFILE, "minimum-ttl 100"), "no minimum-ttl"),
        (Line(("bfd",), "profile fast"), "no profile fast"),
        (Line((), "router bgp 65001 vrf blue"), "no router bgp 65001 vrf blue"),
        (Line((), "bgp route-map delay-timer 0"), "no bgp route-map delay-timer 0"),
    ],
)
def test_each_line_has_a_command_that_takes_it_back(line: Line, expected: str) -> None:
    assert commands.removal(line) == expected


@pytest.mark.parametrize(
    ("place", "one", "other"),
    [
        (INSTANCE, "neighbor x timers 3 9", "neighbor x timers 5 15"),
        (INSTANCE, "neighbor x remote-as 1", "neighbor x interface remote-as external"),
        (INSTANCE, "bgp router-id 1.1.1.1", "bgp router-id 2.2.2.2"),
        ((), "bgp route-map delay-timer 0", "bgp route-map delay-timer 5"),
        (FAMILY, "neighbor x route-map out-all out", "neighbor x route-map out-1 out"),
        (FAMILY, "network 198.51.100.7/32 route-map svc-1", "network 198.51.100.7/32 route-map svc-2"),
        ((), "route-map out-all permit 1", "route-map out-all deny 1"),
        (CLAUSE, "set community 1:1 additive", "set community 1:2 additive"),
        (CLAUSE, "set as-path prepend 1", "set as-path prepend 1 1"),
        (CLAUSE, "set extcommunity bandwidth 1", "set extcommunity bandwidth 2"),
        (PROFILE, "echo receive-interval 80", "echo receive-interval 90"),
        (("bfd", "peer 10.0.0.2"), "profile fast", "profile slow"),
    ],
)
def test_values_of_one_setting_replace_each_other(place: tuple[str, ...], one: str, other: str) -> None:
    assert commands.slot(Line(place, one)) == commands.slot(Line(place, other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("neighbor x timers 3 9", "neighbor x timers connect 5"),
        ("neighbor x bfd", "neighbor x bfd profile fast"),
        ("neighbor x route-map deny-in in", "neighbor x route-map out-all out"),
        ("neighbor x port 1", "neighbor y port 1"),
    ],
)
def test_other_settings_do_not(one: str, other: str) -> None:
    assert commands.slot(Line(INSTANCE, one)) != commands.slot(Line(INSTANCE, other))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (Line(FAMILY, "network 198.51.100.7/32 route-map svc-1"), Impact.ROUTE),
        (Line(FAMILY, "neighbor x activate"), Impact.SESSION),
        (Line(FAMILY, "neighbor x route-map out-all out"), Impact.ROUTE),
        (Line(INSTANCE, "neighbor x password y"), Impact.SESSION),
        (Line(INSTANCE, "neighbor x timers connect 5"), Impact.NONE),
        (Line(INSTANCE, "neighbor x maximum-prefix 5"), Impact.SESSION),
        (Line(INSTANCE, "bgp router-id 1.1.1.1"), Impact.SESSION),
        (Line(INSTANCE, "bgp graceful-shutdown"), Impact.ATTRIBUTE),
        (Line(INSTANCE, "coalesce-time 0"), Impact.NONE),
        (Line((), "router bgp 65001"), Impact.SESSION),
    ],
)
def test_impact_is_what_a_peer_notices(line: Line, expected: Impact) -> None:
    assert commands.put(line).impact is expected
    assert commands.take(line).impact is expected


def test_command_that_opens_a_context_says_so() -> None:
    assert commands.put(Line((), "route-map out-all deny 1")).opens
    assert not commands.put(Line(("bfd", "peer 10.0.0.2"), "profile fast")).opens


@pytest.mark.parametrize(
    ("place", "prefix", "expected"),
    [
        (FAMILY, "198.51.100.7/32", "show bgp ipv4 unicast 198.51.100.7/32 json"),
        (
            ("router bgp 65001 vrf blue", "address-family ipv6 unicast"),
            "2001:db8::/64",
            "show bgp vrf blue ipv6 unicast 2001:db8::/64 json",
        ),
    ],
)
def test_network_is_shown_in_its_vrf_and_family(place: tuple[str, ...], prefix: str, expected: str) -> None:
    assert commands.show_network(Line(place, f"network {prefix} route-map svc-1")) == expected
