from ipaddress import ip_network

import pytest

from orchestrator.net.coverage import Coverage


@pytest.mark.parametrize(
    ("known", "prefix", "expected"),
    [
        (["198.51.100.0/24"], "198.51.100.7/32", True),
        (["198.51.100.7/32"], "198.51.100.0/24", True),
        (["198.51.100.0/24"], "198.51.100.0/24", True),
        (["198.51.101.0/24"], "198.51.100.0/24", False),
        (["2001:db8::/32"], "198.51.100.0/24", False),
        (["0.0.0.0/0"], "2001:db8::/32", False),
        ([], "198.51.100.0/24", False),
    ],
)
def test_coverage_is_a_shared_address(known: list[str], prefix: str, expected: bool) -> None:
    assert Coverage(map(ip_network, known)).overlaps(ip_network(prefix)) is expected
