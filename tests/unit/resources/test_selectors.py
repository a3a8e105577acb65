import pytest

from orchestrator.resources.metallb import LabelSelector, LabelSelectorRequirement
from orchestrator.resources.selectors import admits, matches, matches_any, repeated, selector_faults

LABELS = {"zone": "a", "rack": "1"}
EVERYTHING = LabelSelector()
ZONE_A = LabelSelector(match_labels={"zone": "a"})
ZONE_B = LabelSelector(match_labels={"zone": "b"})


def expression(key: str, operator: str, *values: str) -> LabelSelector:
    requirement = LabelSelectorRequirement(key=key, operator=operator, values=values)
    return LabelSelector(match_expressions=(requirement,))


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (EVERYTHING, True),
        (ZONE_A, True),
        (ZONE_B, False),
        (LabelSelector(match_labels={"zone": "a", "row": "1"}), False),
        (expression("zone", "In", "a", "b"), True),
        (expression("zone", "In", "b"), False),
        (expression("row", "In", "a"), False),
        (expression("zone", "NotIn", "b"), True),
        (expression("zone", "NotIn", "a"), False),
        (expression("row", "NotIn", "a"), True),
        (expression("zone", "Exists"), True),
        (expression("row", "Exists"), False),
        (expression("zone", "DoesNotExist"), False),
        (expression("row", "DoesNotExist"), True),
        (expression("zone", "exists"), False),
    ],
)
def test_selector_matches_as_kubernetes_does(selector: LabelSelector, expected: bool) -> None:
    assert matches(selector, LABELS) is expected


def test_all_parts_of_a_selector_must_hold() -> None:
    both = LabelSelector(match_labels={"zone": "a"}, match_expressions=expression("rack", "In", "2").match_expressions)
    assert not matches(both, LABELS)


def test_no_selectors_match_nothing_and_admit_everything() -> None:
    assert not matches_any((), LABELS)
    assert admits((), LABELS)
    assert not admits((ZONE_B,), LABELS)
    assert admits((ZONE_B, ZONE_A), LABELS)


@pytest.mark.parametrize(
    ("selector", "path", "message"),
    [
        (expression("zone", "in", "a"), "[0].matchExpressions[0].operator", "In, NotIn, Exists or DoesNotExist"),
        (expression("", "Exists"), "[0].matchExpressions[0].key", "is empty"),
        (expression("zone", "In"), "[0].matchExpressions[0].values", "needs values"),
        (expression("zone", "NotIn"), "[0].matchExpressions[0].values", "needs values"),
        (expression("zone", "Exists", "a"), "[0].matchExpressions[0].values", "takes no values"),
        (
            expression("zone", "In", "a", "b", "a"),
            "[0].matchExpressions[0].values[2]",
            'duplicate definition of values "a"',
        ),
    ],
)
def test_wrong_selector_is_explained(selector: LabelSelector, path: str, message: str) -> None:
    ((where, why),) = selector_faults((selector,), "spec.nodeSelectors")
    assert where == f"spec.nodeSelectors{path}"
    assert message in why


def test_equal_expression_in_another_order_of_values_is_a_duplicate() -> None:
    parts = (
        *expression("zone", "In", "a", "b").match_expressions,
        *expression("zone", "In", "b", "a").match_expressions,
    )
    ((where, why),) = selector_faults((LabelSelector(match_expressions=parts),), "spec.nodeSelectors")
    assert where == "spec.nodeSelectors[0].matchExpressions[1]"
    assert "duplicate definition of matchExpressions" in why


def test_equal_selector_in_a_list_is_a_duplicate() -> None:
    ((where, why),) = selector_faults((ZONE_A, ZONE_B, LabelSelector(match_labels={"zone": "a"})), "spec.nodeSelectors")
    assert where == "spec.nodeSelectors[2]"
    assert why.startswith("duplicate definition of nodeSelectors")


def test_valid_selectors_have_no_faults() -> None:
    assert selector_faults((ZONE_A, ZONE_B, EVERYTHING, expression("zone", "NotIn", "c")), "spec.nodeSelectors") == ()


def test_repeated_names_the_later_ones() -> None:
    assert repeated(("a", "b", "a", "a")) == (2, 3)
