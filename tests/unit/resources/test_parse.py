from typing import Any

import pytest

from orchestrator.resources import core, metallb
from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.meta import ObjectRef, Severity
from orchestrator.resources.parse import (
    Ignored,
    Outcome,
    ParsedObject,
    Raw,
    Refused,
    items_of,
    parse_object,
    parse_served,
)
from orchestrator.resources.secret_text import SecretText

NAMESPACE = "metallb-system"


def raw(
    kind: str, spec: object = None, *, version: str = "metallb.io/v1beta1", **metadata: object
) -> dict[str, object]:
    fields: dict[str, object] = {"apiVersion": version, "kind": kind, "metadata": {"name": "x", **metadata}}
    return fields if spec is None else {**fields, "spec": spec}


def parse(obj: Raw) -> Outcome:
    return parse_object(obj, NAMESPACE)


def parsed(obj: Raw) -> ParsedObject:
    outcome = parse(obj)
    assert isinstance(outcome, ParsedObject), outcome
    return outcome


def refusal(obj: Raw) -> dict[str, str]:
    """Message by field of an object that is refused."""
    outcome = parse(obj)
    assert isinstance(outcome, Refused), outcome
    return {problem.field: problem.message for problem in outcome.problems if problem.severity is Severity.ERROR}


# --- kinds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("serving.knative.dev/v1", "Service"),
        ("projectcalico.org/v3", "BGPPeer"),
        ("frrk8s.metallb.io/v1beta1", "FRRConfiguration"),
        ("v1", "Endpoints"),
    ],
)
def test_kinds_of_others_are_ignored(version: str, kind: str) -> None:
    assert parse(raw(kind, version=version)) == Ignored(version, kind)


@pytest.mark.parametrize(
    ("version", "kind", "remedy"),
    [
        ("metallb.io/v1", "IPAddressPool", "write apiVersion: metallb.io/v1beta1"),
        ("metallb.io/v1beta3", "BGPPeer", "write apiVersion: metallb.io/v1beta2"),
        ("metalb.io/v1beta1", "IPAddressPool", "write apiVersion: metallb.io/v1beta1"),
        ("v1beta1", "IPAddressPool", "write apiVersion: metallb.io/v1beta1"),
        ("v2", "Service", "write apiVersion: v1"),
        ("apps/v1", "Service", "write apiVersion: v1"),
        ("v1", "EndpointSlice", "write apiVersion: discovery.k8s.io/v1"),
    ],
)
def test_wrong_version_of_a_known_kind_is_refused(version: str, kind: str, remedy: str) -> None:
    assert remedy in refusal(raw(kind, version=version))["apiVersion"]


def test_unknown_kind_of_our_group_is_refused_with_the_nearest() -> None:
    assert refusal(raw("AddressPool")) == {"kind": 'metallb.io has no kind AddressPool; did you mean "IPAddressPool"?'}
    assert "known are AddressQuota" in refusal(raw("Zzz"))["kind"]


@pytest.mark.parametrize("missing", ["kind", "apiVersion"])
def test_object_without_a_kind_or_version_is_refused(missing: str) -> None:
    fields = raw("Service", version="v1")
    del fields[missing]
    assert "is missing" in refusal(fields)[missing]


@pytest.mark.parametrize("value", ["text", 7, ["a"]])
def test_document_that_is_no_mapping_is_refused(value: object) -> None:
    outcome = parse_object(value, NAMESPACE)
    assert isinstance(outcome, Refused)
    assert outcome.ref == ObjectRef("", "", "")


def test_items_of_a_list_keep_their_place() -> None:
    members = [raw("Service", version="v1"), raw("BGPPeer")]
    paths = items_of({"apiVersion": "v1", "kind": "List", "items": members})
    assert list(paths) == [("items[0]", members[0]), ("items[1]", members[1])]


def test_kind_that_only_ends_like_a_list_is_one_object() -> None:
    acl = {"apiVersion": "example.com/v1", "kind": "AccessList", "spec": {}}
    assert list(items_of(acl)) == [("", acl)]


# --- names ------------------------------------------------------------------------------------------------------


def test_absent_namespace_is_default_or_the_installations() -> None:
    assert parsed(raw("Service", version="v1")).obj.metadata.namespace == "default"
    assert parsed(raw("Community")).obj.metadata.namespace == NAMESPACE
    assert parsed(raw("Community", namespace="other")).obj.metadata.namespace == "other"
    assert parsed(raw("Node", version="v1", namespace="other")).obj.metadata.namespace == ""


@pytest.mark.parametrize(
    ("version", "kind", "name", "valid"),
    [
        ("metallb.io/v1beta1", "Community", "a.b-c.1", True),
        ("metallb.io/v1beta1", "Community", "x" * 253, True),
        ("metallb.io/v1beta1", "Community", "x" * 254, False),
        ("metallb.io/v1beta1", "Community", "Upper", False),
        ("metallb.io/v1beta1", "Community", "a..b", False),
        ("metallb.io/v1beta1", "Community", "-a", False),
        ("metallb.io/v1beta1", "Community", "../../etc/passwd", False),
        ("metallb.io/v1beta1", "Community", "a\nb", False),
        ("metallb.io/v1beta1", "Community", "", False),
        ("v1", "Service", "a-b", True),
        ("v1", "Service", "a.b", False),
        ("v1", "Service", "x" * 64, False),
    ],
)
def test_names_are_rfc_1123(version: str, kind: str, name: str, valid: bool) -> None:
    assert isinstance(parse(raw(kind, version=version, name=name)), ParsedObject) is valid


def test_name_that_is_absent_is_asked_for() -> None:
    assert refusal({"apiVersion": "v1", "kind": "Node", "metadata": {}}) == {
        "metadata.name": "is required; give the object a name"
    }
    assert refusal({"apiVersion": "v1", "kind": "Node"}) == {"metadata": "is required; add it"}


def test_namespace_that_is_no_label_is_refused() -> None:
    assert "no valid name" in refusal(raw("Community", namespace="a/b"))["metadata.namespace"]


# --- fields -----------------------------------------------------------------------------------------------------


def test_every_problem_of_an_object_is_collected() -> None:
    spec = {
        "myASN": "65000",
        "peerPort": 70000,
        "holdTime": 90,
        "nodeSelector": [],
        "password": 7,
        "dynamicASN": "both",
    }
    assert refusal(raw("BGPPeer", spec, version="metallb.io/v1beta2", name="Bad")) == {
        "metadata.name": '"Bad" is no valid name; use lower-case letters, digits, "-" and ".", a letter or digit at both ends',
        "spec.nodeSelector": 'unknown field; did you mean "nodeSelectors"?',
        "spec.myASN": 'expected a whole number, found the text "65000"; remove the quotes',
        "spec.peerPort": "70000 is too large; write a number from 1 to 16384",
        "spec.holdTime": 'expected text, found the number 90; put it in quotes, for example "90s"',
        "spec.password": "expected text, found a number; put it in quotes",
        "spec.dynamicASN": 'expected "external" or "internal", found the text "both"; write one of them',
    }


def test_unknown_field_makes_one_of_our_objects_unusable() -> None:
    spec = {"ipAddressPool": ["a"], "preferredNodeSelectors": [{"weight": 1, "preference": {"matchLabel": {}}}]}
    assert refusal(raw("L2Advertisement", spec)).keys() == {
        "spec.ipAddressPool",
        "spec.preferredNodeSelectors[0].preference.matchLabel",
    }


def test_unknown_field_of_a_kubernetes_object_is_a_warning() -> None:
    outcome = parsed(raw("Service", {"type": "LoadBalancer", "loadBalancerIp": "192.0.2.1"}, version="v1"))
    (problem,) = outcome.problems
    assert problem.severity is Severity.WARNING
    assert (problem.field, problem.message) == ("spec.loadBalancerIp", 'unknown field; did you mean "loadBalancerIP"?')


def test_output_of_kubectl_get_has_no_unknown_fields() -> None:
    service = {
        **raw("Service", version="v1", managedFields=[{"manager": "kubectl"}], selfLink="", uid="1"),
        "spec": {"clusterIP": "10.0.0.1", "internalTrafficPolicy": "Cluster", "sessionAffinity": "None"},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}},
    }
    outcome = parsed(service)
    assert outcome.problems == ()
    assert isinstance(outcome.obj, core.Service)
    assert outcome.obj.status.load_balancer.ingress[0].ip == "192.0.2.1"


def test_null_means_absent() -> None:
    obj = parsed(raw("BGPPeer", {"myASN": 1, "peerPort": None, "holdTime": None}, version="metallb.io/v1beta2")).obj
    assert isinstance(obj, metallb.BGPPeer)
    assert obj.spec == metallb.BGPPeerSpec(my_asn=1)
    assert refusal(raw("IPAddressPool", {"addresses": None})) == {"spec.addresses": "is required; add it"}


def test_rules_of_the_schema_refuse_an_object_of_right_types() -> None:
    spec = {"serviceSelectors": [{}], "aggregationLength": 24}
    assert "mutually exclusive" in refusal(raw("BGPAdvertisement", spec))["spec.serviceSelectors"]


def test_passwords_arrive_closed() -> None:
    fields = {**raw("Secret", version="v1"), "data": {"a": "eA=="}, "stringData": {"b": "y"}}
    obj = parsed(fields).obj
    assert isinstance(obj, core.Secret)
    assert (obj.data, obj.string_data) == ({"a": SecretText("eA==")}, {"b": SecretText("y")})


# --- BGPPeer v1beta1 --------------------------------------------------------------------------------------------

LEGACY = {"myASN": 1, "peerASN": 2, "peerAddress": "192.0.2.1"}


def test_legacy_peer_becomes_a_current_one() -> None:
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}
    extra = {
        "holdTime": "90s",
        "routerID": "1.1.1.1",
        "password": "p",
        "ebgpMultiHop": True,
        "nodeSelectors": [selector, {}],
    }
    outcome = parsed(raw("BGPPeer", {**LEGACY, **extra}))
    assert [(problem.field, problem.severity) for problem in outcome.problems] == [("apiVersion", Severity.WARNING)]
    requirement = metallb.LabelSelectorRequirement(key="k", operator="In", values=("v",))
    assert isinstance(outcome.obj, metallb.BGPPeer)
    assert outcome.obj.spec == metallb.BGPPeerSpec(
        my_asn=1,
        peer_asn=2,
        peer_address="192.0.2.1",
        hold_time="90s",
        router_id="1.1.1.1",
        password=SecretText("p"),
        ebgp_multi_hop=True,
        node_selectors=(
            metallb.LabelSelector(match_labels={"a": "b"}, match_expressions=(requirement,)),
            metallb.LabelSelector(),
        ),
    )


def test_absent_timer_and_port_of_a_legacy_peer_are_defaults() -> None:
    obj = parsed(raw("BGPPeer", {**LEGACY, "peerPort": 0})).obj
    assert isinstance(obj, metallb.BGPPeer)
    assert (obj.spec.hold_time, obj.spec.keepalive_time, obj.spec.peer_port) == (None, None, 179)


def test_legacy_peer_has_only_its_own_fields() -> None:
    assert refusal(raw("BGPPeer", {**LEGACY, "vrf": "red"})).keys() == {"spec.vrf"}
    expression = {"key": "k", "operator": "Exists", "values": []}
    assert refusal(raw("BGPPeer", {**LEGACY, "nodeSelectors": [{"matchExpressions": [expression]}]})) == {
        "spec.nodeSelectors[0].matchExpressions[0].values": "needs at least 1 entry; add one"
    }


# --- objects as the API server gives them -----------------------------------------------------------------------

SERVED: dict[str, Any] = {
    "name": "x",
    "namespace": NAMESPACE,
    "uid": "7f2c5a0e-0000-4000-8000-000000000001",
    "resourceVersion": "812",
    "generation": 3,
    "creationTimestamp": "2026-11-21T17:22:10Z",
    "managedFields": [
        {
            "manager": "kubectl-client-side-apply",
            "operation": "Update",
            "apiVersion": "metallb.io/v1beta2",
            "time": "2026-11-21T17:22:10Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:myASN": {}}},
        }
    ],
    "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "speaker-1", "uid": "u", "controller": False}],
    "finalizers": ["foregroundDeletion"],
}


def served(obj: Raw) -> ParsedObject | Refused:
    return parse_served(obj, BY_NAME[str(obj["kind"])])


def test_metadata_of_the_api_server_is_no_problem() -> None:
    obj = raw("BGPPeer", {"myASN": 1, "peerPort": 179}, version="metallb.io/v1beta2", **SERVED)
    for outcome in (parsed(obj), served(obj)):
        assert isinstance(outcome, ParsedObject)
        assert outcome.problems == ()
        assert (outcome.obj.metadata.namespace, outcome.obj.metadata.generation) == (NAMESPACE, 3)


def test_port_of_a_peer_written_as_v1beta1_is_the_usual_one() -> None:
    obj = raw("BGPPeer", {"myASN": 1, "peerPort": 0}, version="metallb.io/v1beta2", **SERVED)
    outcome = served(obj)
    assert isinstance(outcome, ParsedObject)
    assert isinstance(outcome.obj, metallb.BGPPeer)
    assert outcome.obj.spec.peer_port == 179
    assert refusal(obj).keys() == {"spec.peerPort"}


def test_served_object_of_wrong_values_is_refused_by_its_field() -> None:
    outcome = served(raw("BGPAdvertisement", {"localPref": -1}, **SERVED))
    assert isinstance(outcome, Refused)
    assert outcome.ref == ObjectRef("BGPAdvertisement", NAMESPACE, "x")
    assert [problem.field for problem in outcome.problems] == ["spec.localPref"]
