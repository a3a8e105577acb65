import pytest

from orchestrator.decide.election import elect
from tests.support.objects import ips

NODES = ("node-a", "node-b", "node-c")


def successive(address: str, candidates: tuple[str, ...]) -> list[str]:
    """Who would follow whom: each winner leaves before the next election."""
    left, order = set(candidates), []
    while left:
        winner = elect(ips(address)[0], left, {})
        assert winner is not None
        order.append(winner)
        left.remove(winner)
    return order


@pytest.mark.parametrize(
    ("address", "candidates", "expected"),
    [
        ("10.0.0.1", NODES, "bac"),
        ("10.0.0.2", NODES, "bca"),
        ("192.0.2.10", NODES, "cba"),
        ("2001:db8::10", NODES, "bac"),
        ("10.20.30.1", ("iris1", "iris2"), "21"),
        ("10.20.30.2", ("iris1", "iris2"), "12"),
    ],
)
def test_order_is_metallbs(address: str, candidates: tuple[str, ...], expected: str) -> None:
    assert [node[-1] for node in successive(address, candidates)] == list(expected)


def test_preference_goes_before_the_hash() -> None:
    address = ips("10.0.0.1")[0]
    assert elect(address, NODES, {"node-c": 1}) == "node-c"
    assert elect(address, NODES, {"node-c": 1, "node-a": 2}) == "node-a"
    assert elect(address, NODES, {"node-c": 3, "node-b": 3}) == "node-b"


def test_nobody_is_elected_from_nobody() -> None:
    assert elect(ips("10.0.0.1")[0], (), {}) is None
