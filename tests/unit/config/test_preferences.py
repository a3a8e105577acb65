from typing import Any

import pytest

from orchestrator.config.preferences import Conflict, conflict
from orchestrator.net.addresses import IpFamily
from tests.support.objects import bgp

V4, V6 = IpFamily.IPV4, IpFamily.IPV6


@pytest.mark.parametrize(
    ("one", "other", "families", "expected"),
    [
        ({}, {}, (V4,), True),
        ({"local_pref": 2}, {}, (V4,), False),
        ({"aggregation_length": 24}, {}, (V4,), False),
        ({"aggregation_length": 24}, {}, (V4, V6), True),
        ({"peers": frozenset("a")}, {"peers": frozenset("b")}, (V4,), False),
        ({"peers": frozenset("a")}, {"peers": frozenset("ab")}, (V4,), True),
        ({"peers": frozenset("a")}, {}, (V4,), True),
        ({"on": ("n1",)}, {"on": ("n2",)}, (V4,), False),
    ],
)
def test_preferences_conflict_unless_separable(
    one: dict[str, Any], other: dict[str, Any], families: tuple[IpFamily, ...], expected: bool
) -> None:
    first = bgp("one", *one.pop("on", ("n1", "n2")), **{"local_pref": 1, **one})
    second = bgp("other", *other.pop("on", ("n1", "n2")), **{"local_pref": 2, **other})
    assert (conflict(first, second, families) is not None) is expected
    assert (conflict(second, first, families) is not None) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"med": 5}, {}, Conflict("med", 5, 0)),
        ({"as_path_prepend": 1}, {"as_path_prepend": 2}, Conflict("asPathPrepend", 1, 2)),
        ({"med": 5, "local_pref": 1}, {"med": 6, "local_pref": 2}, Conflict("localPref", 1, 2)),
        ({"med": 5, "as_path_prepend": 3}, {"med": 5, "as_path_prepend": 3}, None),
    ],
)
def test_first_field_that_differs_is_named(
    one: dict[str, Any], other: dict[str, Any], expected: Conflict | None
) -> None:
    assert conflict(bgp("one", "n1", **one), bgp("other", "n1", **other), (V4,)) == expected
