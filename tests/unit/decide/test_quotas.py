"""How many addresses each node gets."""

from collections import Counter

import pytest

from orchestrator.decide.matching import Quota, Ranks
from orchestrator.decide.quotas import level
from orchestrator.decide.reach import Nodes

ONE, TWO, THREE = (frozenset(f"n{number}" for number in range(1, count + 1)) for count in (1, 2, 3))


def favored(nodes: Nodes, count: int) -> Quota:
    """All like the lowest best."""
    return Counter({min(nodes): count})


def total(*sets: tuple[Nodes, int], loads: Quota | None = None) -> Quota:
    found: Quota = Counter(loads or {})
    for quota in level({nodes: favored(nodes, count) for nodes, count in sets}, loads or Counter(), Ranks()).values():
        found.update(quota)
    return found


def test_nothing_to_share_out() -> None:
    assert level({}, Counter(), Ranks()) == {}


@pytest.mark.parametrize(
    ("count", "loads", "expected"),
    [
        (9, {}, [3, 3, 3]),
        (10, {}, [3, 3, 4]),
        (1, {}, [0, 0, 1]),
        (3, {"n1": 9}, [1, 2, 9]),
        (4, {"n1": 9}, [2, 2, 9]),
        (4, {"n1": 1, "n2": 3}, [2, 3, 3]),
        (6, {"n1": 1, "n2": 3}, [3, 3, 4]),
    ],
)
def test_one_set_is_filled_up_from_the_lowest(count: int, loads: dict[str, int], expected: list[int]) -> None:
    found = total((THREE, count), loads=Counter(loads))
    assert sorted(found[node] for node in THREE) == expected


def test_what_is_left_over_goes_to_the_same_nodes_first() -> None:
    """So that one address more changes the number of one node only."""
    for count in range(1, 20):
        less, more = (total((THREE, number)) for number in (count - 1, count))
        assert (more - less).total() == 1
        assert not less - more


def test_nodes_with_a_choice_make_room_for_those_without() -> None:
    assert total((ONE, 3), (THREE, 6)) == Counter({"n1": 3, "n2": 3, "n3": 3})


def test_chain_relieves_a_node_that_cannot_give_to_the_lightest_itself() -> None:
    """n1 may give to n2 only, and n2 to n3: one of each has to move."""
    found = total((ONE, 4), (TWO, 4), (frozenset({"n2", "n3"}), 4))
    assert found == Counter({"n1": 4, "n2": 4, "n3": 4})


def test_impossible_balance_is_not_forced() -> None:
    assert sorted(total((ONE, 5), (frozenset({"n2", "n3"}), 1)).values()) == [1, 5]


def test_loads_count_with_several_sets_too() -> None:
    found = total((TWO, 2), (frozenset({"n2", "n3"}), 2), loads=Counter({"n1": 5}))
    assert found == Counter({"n1": 5, "n2": 2, "n3": 2})
