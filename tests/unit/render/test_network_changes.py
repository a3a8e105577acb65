from orchestrator.render.canonical import Line
from orchestrator.render.commands import Impact
from orchestrator.render.delta import Delta
from orchestrator.render.network_changes import NetworkCommands, network_commands

FAMILY = ("router bgp 65001", "address-family ipv4 unicast")


def line(prefix: str, policy: str = "svc-1") -> Line:
    return Line(FAMILY, f"network {prefix} route-map {policy}")


def change(removed: list[Line], added: list[Line]) -> NetworkCommands:
    return network_commands(Delta(frozenset(removed), frozenset(added), frozenset(removed)))


def test_prefix_that_is_covered_by_new_ones_goes_last() -> None:
    found = change([line("198.51.100.0/24"), line("203.0.113.7/32")], [line("198.51.100.7/32")])
    assert [command.text for command in found.withdraw_first] == ["no network 203.0.113.7/32 route-map svc-1"]
    assert [command.text for command in found.withdraw_last] == ["no network 198.51.100.0/24 route-map svc-1"]


def test_other_policy_replaces_without_a_withdraw() -> None:
    found = change([line("198.51.100.7/32")], [line("198.51.100.7/32", "svc-2")])
    assert not found.withdraw_first
    assert not found.withdraw_last
    assert [command.impact for command in found.announce] == [Impact.ATTRIBUTE]
