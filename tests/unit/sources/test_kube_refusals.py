from orchestrator.errors import KubeError
from orchestrator.resources.meta import Problem, Severity
from orchestrator.sources.interface import InputState
from orchestrator.sources.kube.refusals import Refusals, refusal

FORBIDDEN = KubeError("list x: 403 Forbidden: x is forbidden", status=403, reason="Forbidden")
NOT_FOUND = KubeError("list x: 404 Not Found: 404 page not found", status=404)


def refused(kind: str, group: str, plural: str, error: KubeError = FORBIDDEN) -> Problem:
    return refusal(kind, group, plural, "metallb-system", error)


def test_configuration_that_cannot_be_listed_leaves_the_picture_incomplete() -> None:
    state = Refusals().add("ipaddresspools", refused("IPAddressPool", "metallb.io", "ipaddresspools"))
    assert state is not None
    assert state.incomplete
    assert "grant get, list and watch on ipaddresspools.metallb.io" in state.problems[0].message


def test_feature_that_cannot_be_read_is_a_warning_with_what_is_lost() -> None:
    state = Refusals().add("secrets/memberlist", refused("Secret", "", "secrets"))
    assert state is not None
    assert not state.incomplete
    assert state.problems[0].severity is Severity.WARNING
    assert "passwords of peers" in state.problems[0].message


def test_late_kind_that_cannot_be_read_costs_only_words() -> None:
    problem = refusal("EndpointSlice", "discovery.k8s.io", "endpointslices", "", FORBIDDEN, late=True)
    assert problem.severity is Severity.WARNING
    assert problem.message.endswith("until then why a Service is not announced is not known")


def test_missing_definition_is_to_be_applied() -> None:
    assert "apply deploy/crds" in refused("BGPPeer", "metallb.io", "bgppeers", NOT_FOUND).message
    assert "apply deploy/crds" in refused("Failover", "ferrule.io", "failovers", NOT_FOUND).message


def test_same_refusal_is_told_once_and_its_end_too() -> None:
    refusals = Refusals()
    problem = refused("Community", "metallb.io", "communities")
    assert refusals.add("communities", problem) is not None
    assert refusals.add("communities", problem) is None
    assert refusals.clear("nodes") is None
    assert refusals.clear("communities") == InputState()
    assert refusals.clear("communities") is None


def test_others_stay_when_one_recovers() -> None:
    refusals = Refusals()
    refusals.add("communities", refused("Community", "metallb.io", "communities"))
    refusals.add("namespaces", refused("Namespace", "", "namespaces"))
    state = refusals.clear("communities")
    assert state is not None
    assert [problem.ref.kind for problem in state.problems] == ["Namespace"]
    assert not state.incomplete
