from orchestrator.config.findings import Findings, check_selectors, duplicates, nearest
from orchestrator.resources.meta import Severity
from orchestrator.resources.metallb import LabelSelector, LabelSelectorRequirement
from tests.support.objects import labeled, ref

REF = ref("BGPPeer", "p")


def test_warning_leaves_the_object_usable() -> None:
    findings = Findings(REF)
    findings.warn("spec.a", "odd; mend it")
    usable_before = findings.usable
    findings.error("spec.b", "wrong; mend it", transient=True)
    assert (usable_before, findings.usable) == (True, False)
    assert [(problem.field, problem.severity, problem.transient) for problem in findings.problems] == [
        ("spec.a", Severity.WARNING, False),
        ("spec.b", Severity.ERROR, True),
    ]


def test_nearest_name_is_offered() -> None:
    assert nearest("pool-one", ["pool-1", "other"]) == 'the nearest existing name is "pool-1"'
    assert nearest("pool-one", []) == "there is none of this kind yet"


def test_repeated_values_are_named_once() -> None:
    assert duplicates(["b", "a", "b", "b", "a", "c"]) == ("a", "b")


def test_invalid_selectors_are_found_with_their_path() -> None:
    findings = Findings(REF)
    bad = LabelSelector(match_expressions=(LabelSelectorRequirement(key="k", operator="Is"),))
    check_selectors((labeled(a="b"), bad), "spec.nodeSelectors", findings)
    assert [problem.field for problem in findings.problems] == ["spec.nodeSelectors[1].matchExpressions[0].operator"]
