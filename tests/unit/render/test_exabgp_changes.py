from ipaddress import ip_address

import pytest

from orchestrator.net.bgp import PrefixText, SentRoute
from orchestrator.render.exabgp import Routes
from orchestrator.render.exabgp_changes import route_change

PLAIN = SentRoute(next_hop=ip_address("10.99.0.1"))
OTHER = SentRoute(next_hop=ip_address("10.99.0.1"), med=5)


def table(*prefixes: str, route: SentRoute = PLAIN) -> Routes:
    return {PrefixText(prefix): route for prefix in prefixes}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (table("198.51.100.7/32"), table(), (["198.51.100.7/32"], [], [])),
        (table("198.51.100.7/32"), table("198.51.100.8/32"), (["198.51.100.7/32"], ["198.51.100.8/32"], [])),
        (table("198.51.100.7/32"), table("198.51.100.0/24"), ([], ["198.51.100.0/24"], ["198.51.100.7/32"])),
        (table("198.51.100.0/24"), table("198.51.100.7/32"), ([], ["198.51.100.7/32"], ["198.51.100.0/24"])),
        (table("198.51.100.0/24", "198.51.100.7/32"), table("198.51.100.0/24"), (["198.51.100.7/32"], [], [])),
        (table("2001:db8::7/128"), table("2001:db8::/64"), ([], ["2001:db8::/64"], ["2001:db8::7/128"])),
        (table("198.51.100.7/32"), table("198.51.100.7/32", route=OTHER), ([], ["198.51.100.7/32"], [])),
        (table("198.51.100.7/32"), table("198.51.100.7/32"), ([], [], [])),
    ],
)
def test_losing_goes_first_and_what_is_replaced_last(
    before: Routes, after: Routes, expected: tuple[list[str], list[str], list[str]]
) -> None:
    found = route_change(before, after)
    assert (sorted(found.withdraw_first), sorted(found.announce), sorted(found.withdraw_last)) == expected
