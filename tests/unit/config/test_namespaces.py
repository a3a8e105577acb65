import pytest

from orchestrator.config.findings import Findings
from orchestrator.config.namespaces import check_namespaces, selected
from orchestrator.resources.core import Namespace
from orchestrator.resources.meta import ObjectMeta
from orchestrator.resources.metallb import LabelSelector, LabelSelectorRequirement, ServiceAllocation
from tests.support.objects import labeled, ref

NAMESPACES = {name: Namespace(metadata=ObjectMeta(name=name, labels={"team": name})) for name in ("red", "blue")}
WRONG = LabelSelector(match_expressions=(LabelSelectorRequirement(key="team", operator="Is"),))


@pytest.mark.parametrize(
    ("names", "selectors", "found"),
    [
        ((), (), None),
        (("green",), (), {"green"}),
        (("green",), (labeled(team="red"),), {"green", "red"}),
        ((), (labeled(team="red"), labeled(team="blue")), {"red", "blue"}),
        ((), (LabelSelector(),), {"red", "blue"}),
        ((), (labeled(team="none"),), frozenset()),
    ],
)
def test_namespaces_are_those_named_and_those_selected(
    names: tuple[str, ...], selectors: tuple[LabelSelector, ...], found: frozenset[str] | None
) -> None:
    assert selected(ServiceAllocation(namespaces=names, namespace_selectors=selectors), NAMESPACES) == found


def test_name_that_stands_twice_and_wrong_selector_are_refused() -> None:
    findings = Findings(ref("AddressQuota", "q"))
    part = ServiceAllocation(namespaces=("a", "b", "a"), namespace_selectors=(WRONG,))
    check_namespaces(part, "spec", findings)
    assert [problem.field for problem in findings.problems] == [
        "spec.namespaces",
        "spec.namespaceSelectors[0].matchExpressions[0].operator",
    ]
