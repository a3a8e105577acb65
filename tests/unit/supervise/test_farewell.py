import pytest

from orchestrator.render.commands import Command, Impact
from orchestrator.supervise.farewell import graceful_shutdown, has_graceful_restart, unsent, withdraw

RUNNING = """
Current configuration:
!
frr version 8.4.4
hostname n1
!
router bgp 65001
 bgp router-id 10.0.0.1
 neighbor 10.0.0.254 remote-as 65100
 !
 address-family ipv4 unicast
  network 192.0.2.1/32 route-map svc-5
  network 192.0.2.2/32
  neighbor 10.0.0.254 activate
 exit-address-family
 !
 address-family ipv6 unicast
  network 2001:db8::1/128 route-map svc-5
 exit-address-family
exit
!
router bgp 65002 vrf blue
 bgp graceful-shutdown
 !
 address-family ipv4 unicast
  network 198.51.100.1/32
 exit-address-family
exit
!
route-map svc-5 permit 1
 set tag 5
exit
!
end
"""
DEFAULT = "router bgp 65001"
BLUE = "router bgp 65002 vrf blue"
IPV4 = "address-family ipv4 unicast"
IPV6 = "address-family ipv6 unicast"


def test_graceful_shutdown_goes_to_each_instance_that_lacks_it() -> None:
    assert graceful_shutdown(RUNNING) == (Command((DEFAULT,), "bgp graceful-shutdown", Impact.ATTRIBUTE),)


def test_withdraw_takes_every_network_of_every_family_and_instance() -> None:
    assert withdraw(RUNNING) == (
        Command((DEFAULT, IPV4), "no network 192.0.2.1/32", Impact.ROUTE),
        Command((DEFAULT, IPV4), "no network 192.0.2.2/32", Impact.ROUTE),
        Command((DEFAULT, IPV6), "no network 2001:db8::1/128", Impact.ROUTE),
        Command((BLUE, IPV4), "no network 198.51.100.1/32", Impact.ROUTE),
    )


def test_configuration_without_bgp_needs_nothing() -> None:
    assert (graceful_shutdown("hostname n1\n"), withdraw("hostname n1\n network 1.1.1.1/32\n")) == ((), ())


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (" bgp graceful-restart", True),
        (" neighbor 10.0.0.254 graceful-restart", True),
        (" neighbor 10.0.0.254 graceful-restart-helper", False),
        (" bgp graceful-restart stalepath-time 60", False),
    ],
)
def test_graceful_restart_is_found(line: str, found: bool) -> None:
    assert has_graceful_restart(f"router bgp 65001\n{line}\nexit\n") is found


@pytest.mark.parametrize(
    ("neighbor", "expected"),
    [
        ({"pfxSnt": 0, "outq": 0}, False),
        ({"pfxSnt": 1, "outq": 0}, True),
        ({"pfxSnt": 0, "outq": 2}, True),
        ({}, False),
    ],
)
def test_unsent_looks_at_every_neighbor(neighbor: dict[str, int], expected: bool) -> None:
    summary = {"default": {"ipv4Unicast": {"routerId": "10.0.0.1", "peers": {"10.0.0.254": neighbor}}}, "blue": {}}
    assert unsent(summary) is expected
