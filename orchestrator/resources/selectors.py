"""Label selectors: matching as Kubernetes does it, and what makes a selector invalid (contract 3.9).

`matches` expects valid selectors; an unknown operator matches nothing, so that a mistake never widens a choice.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from orchestrator.resources.metallb import LabelSelector, LabelSelectorRequirement

Labels = Mapping[str, str]

_WITH_VALUES = frozenset({"In", "NotIn"})
_WITHOUT_VALUES = frozenset({"Exists", "DoesNotExist"})


def matches(selector: LabelSelector, labels: Labels) -> bool:
    """Whether all parts of the selector hold; an empty one matches everything."""
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        _holds(expression, labels) for expression in selector.match_expressions
    )


def matches_any(selectors: Iterable[LabelSelector], labels: Labels) -> bool:
    """Whether one of the selectors matches; False if there are none."""
    return any(matches(selector, labels) for selector in selectors)


def admits(selectors: Sequence[LabelSelector], labels: Labels) -> bool:
    """Whether a field of OR-ed selectors lets these labels through: an absent or empty field lets everything."""
    return not selectors or matches_any(selectors, labels)


def _holds(expression: LabelSelectorRequirement, labels: Labels) -> bool:
    present = expression.key in labels
    match expression.operator:
        case "In":
            return present and labels[expression.key] in expression.values
        case "NotIn":
            return not present or labels[expression.key] not in expression.values
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case _:
            return False


def selector_faults(selectors: Sequence[LabelSelector], field: str) -> tuple[tuple[str, str], ...]:
    """Return (path, message with remedy) of everything wrong in a list of selectors that stands at `field`."""
    return tuple(_list_faults(selectors, field))


def _list_faults(selectors: Sequence[LabelSelector], field: str) -> Iterator[tuple[str, str]]:
    for index, selector in enumerate(selectors):
        yield from _selector_faults(selector, f"{field}[{index}]")
    for index in repeated([_selector_key(selector) for selector in selectors]):
        yield f"{field}[{index}]", f"duplicate definition of {_last(field)}: an earlier selector is equal; remove one"


def _selector_faults(selector: LabelSelector, path: str) -> Iterator[tuple[str, str]]:
    expressions = selector.match_expressions
    for index, expression in enumerate(expressions):
        yield from _expression_faults(expression, f"{path}.matchExpressions[{index}]")
    for index in repeated([_expression_key(expression) for expression in expressions]):
        place = f"{path}.matchExpressions[{index}]"
        yield place, "duplicate definition of matchExpressions: an earlier expression is equal; remove one"


def _expression_faults(expression: LabelSelectorRequirement, path: str) -> Iterator[tuple[str, str]]:
    operator, values = expression.operator, expression.values
    if not expression.key:
        yield f"{path}.key", "is empty; write the label's name"
    if operator not in _WITH_VALUES | _WITHOUT_VALUES:
        yield f"{path}.operator", f'"{operator}" is no operator; write In, NotIn, Exists or DoesNotExist'
    if operator in _WITH_VALUES and not values:
        yield f"{path}.values", f"is empty, and {operator} needs values; add one, or use Exists or DoesNotExist"
    if operator in _WITHOUT_VALUES and values:
        yield f"{path}.values", f"{operator} takes no values; remove them, or use In or NotIn"
    for index in repeated(values):
        yield f"{path}.values[{index}]", f'duplicate definition of values "{values[index]}"; remove one'


def repeated(keys: Sequence[Hashable]) -> tuple[int, ...]:
    """Return the positions at which something stands that stood before."""
    first: dict[Hashable, int] = {}
    return tuple(index for index, key in enumerate(keys) if first.setdefault(key, index) != index)


def _expression_key(expression: LabelSelectorRequirement) -> Hashable:
    return (expression.key, expression.operator, tuple(sorted(expression.values)))


def _selector_key(selector: LabelSelector) -> Hashable:
    return (
        tuple(sorted(selector.match_labels.items())),
        tuple(_expression_key(expression) for expression in selector.match_expressions),
    )


def _last(field: str) -> str:
    return field.rpartition(".")[2]
