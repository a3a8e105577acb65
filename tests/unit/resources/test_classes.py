import pytest

from orchestrator.resources.classes import CLASSLESS, ServedClasses

ONE = ServedClasses(names=frozenset("x"), classless=False)
TWO_AND_NONE = ServedClasses(names=frozenset("xy"))


@pytest.mark.parametrize(
    ("served", "load_balancer_class", "expected"),
    [
        (CLASSLESS, None, True),
        (CLASSLESS, "", True),
        (CLASSLESS, "x", False),
        (ONE, None, False),
        (ONE, "x", True),
        (ONE, "y", False),
        (TWO_AND_NONE, "y", True),
        (TWO_AND_NONE, None, True),
        (TWO_AND_NONE, "z", False),
    ],
)
def test_classes_include(served: ServedClasses, load_balancer_class: str | None, expected: bool) -> None:
    assert served.include(load_balancer_class) is expected
