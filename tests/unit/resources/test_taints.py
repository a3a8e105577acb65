import pytest

from orchestrator.errors import InvalidConfig
from orchestrator.resources.taints import CORDON, DEFAULT_TAINTS, TaintRule, parse_taints


def test_key_value_and_effect_are_read() -> None:
    assert parse_taints(" a , b=,c=1,d:NoExecute, e=x:NoSchedule,") == (
        TaintRule(key="a"),
        TaintRule(key="b", value=""),
        TaintRule(key="c", value="1"),
        TaintRule(key="d", effect="NoExecute"),
        TaintRule(key="e", value="x", effect="NoSchedule"),
    )


def test_empty_list_has_no_rules() -> None:
    assert parse_taints("") == ()


@pytest.mark.parametrize("text", ["=x", ":NoSchedule", "a:Never", "a:"])
def test_what_is_no_taint_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match="is no taint"):
        parse_taints(text)


@pytest.mark.parametrize("text", [CORDON, f"{CORDON}:NoSchedule", f"a,{CORDON}="])
def test_cordon_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match="a cordon is no drain"):
        parse_taints(text)


@pytest.mark.parametrize(
    ("rule", "admitted"), [("k", True), ("k=v", True), ("k=", False), ("k=v:NoExecute", False), ("other", False)]
)
def test_rule_admits_what_it_names(rule: str, admitted: bool) -> None:
    (found,) = parse_taints(rule)
    assert found.admits("k", "v", "NoSchedule") is admitted


def test_taints_that_drain_by_default_are_those_of_nodes_that_go() -> None:
    assert [rule.key for rule in parse_taints(DEFAULT_TAINTS)] == [
        "node.kubernetes.io/out-of-service",
        "ToBeDeletedByClusterAutoscaler",
        "karpenter.sh/disrupted",
    ]
