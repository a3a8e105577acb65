"""What a person sees of the definitions: columns, explanations, refusals, warnings."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.schema import DEFINED
from tests.support.contract_crds import COLUMNS
from tests.support.crd_cases import BASE, NAMESPACE, PEER, Raw, object_of
from tests.support.plane import Plane

FOLDER = Path(__file__).parents[2] / "deploy" / "crds"
OPENAPI_LIMIT_S = 30.0
IDENTITY = {"apiVersion", "kind", "metadata"}
OUR_COLUMNS = {
    "SpeakerState": ["NODE", "VERSION", "ADDRESSES", "PREFIXES", "DRAINING", "DRAIN", "AGE"],
    "Failover": ["ADDRESS", "TO", "AVOID", "AGE"],
    "AddressReservation": ["ADDRESSES", "SERVICE NAMESPACE", "SERVICE", "ACCEPTED", "AGE"],
    "AddressQuota": ["IPV4", "USED IPV4", "IPV6", "USED IPV6", "ACCEPTED", "AGE"],
}


@pytest.fixture(scope="module", autouse=True)
def established(plane: Plane) -> None:
    plane.kubectl("apply", "--server-side", "-f", str(FOLDER))
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(FOLDER))
    plane.kubectl("create", "namespace", NAMESPACE)


def apply(plane: Plane, obj: Raw, *flags: str, check: bool = True) -> str:
    """What kubectl says, on either output."""
    done = plane.kubectl("apply", *flags, "-f", "-", stdin=json.dumps(obj), check=check)
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", [kind.kind for kind in DEFINED])
def test_columns_appear(plane: Plane, kind: str) -> None:
    apply(plane, object_of(kind, BASE.get(kind, {}) if kind != "ConfigurationState" else None))
    header, row = plane.kubectl("get", BY_NAME[kind].plural, "-n", NAMESPACE, "-o", "wide").stdout.splitlines()
    named = [line.split(",")[0].strip().upper() for line in COLUMNS.get(kind, "").strip().splitlines()]
    expected = OUR_COLUMNS.get(kind) or named or ["AGE"]
    assert [title.strip() for title in header.split("  ") if title.strip()] == ["NAME", *expected]
    assert row.startswith("x ")


def test_quota_shows_what_is_used_and_whether_it_counts(plane: Plane) -> None:
    apply(plane, object_of("AddressQuota", {"ipv4": 5, "ipv6": 0}))
    accepted = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = {"status": {"usedIPv4": 3, "usedIPv6": 0, "namespaces": [], "conditions": [accepted]}}
    patch = ("patch", "addressquotas", "x", "-n", NAMESPACE, "--subresource=status", "--type=merge")
    plane.kubectl(*patch, "-p", json.dumps(status))
    _, row = plane.kubectl("get", "addressquotas", "-n", NAMESPACE).stdout.splitlines()
    assert row.split()[:6] == ["x", "5", "3", "0", "0", "True"]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("ipaddresspools.spec.addresses", "192.0.2.10-192.0.2.20"),
        ("bgppeers.spec.passwordSecret.key", "Ferrule: key in the Secret"),
        ("l2advertisements.spec.requireOnLink", "Ferrule: whether only nodes"),
        ("ipaddresspools.spec.draining", "Ferrule: closes the pool"),
        ("addressreservations.spec.service", "The only Service that gets the addresses"),
        ("addressquotas.spec.scope", "gives each namespace as many"),
        ("failovers.spec.to", "for as long as it can"),
        ("speakerstates.spec.conflicts.action", "defended"),
        ("configurationstates.status.conditions.reason", "in one word"),
    ],
)
def test_kubectl_explains_a_field(plane: Plane, field: str, words: str) -> None:
    assert words in " ".join(plane.kubectl("explain", field).stdout.split())


@pytest.mark.parametrize(
    ("group", "version"), sorted({(kind.group, version) for kind in DEFINED for version in kind.versions})
)
def test_every_published_field_is_explained(plane: Plane, group: str, version: str) -> None:
    kinds = {kind.kind for kind in DEFINED if kind.group == group and version in kind.versions}
    schemas = published(plane, f"{group}/{version}", kinds)
    assert {path for kind in kinds for path in unexplained(schemas[kind], kind)} == set()


def published(plane: Plane, group: str, kinds: set[str]) -> dict[str, Any]:
    """The schemas that kubectl explain reads, by kind; the API server publishes them some time after the definition."""
    deadline = time.monotonic() + OPENAPI_LIMIT_S
    while True:
        status, answer = plane.request("GET", f"/openapi/v3/apis/{group}")
        schemas = answer["components"]["schemas"] if status == 200 else {}
        found = {
            named[0]["kind"]: schema
            for schema in schemas.values()
            if (named := schema.get("x-kubernetes-group-version-kind")) and named[0]["kind"] in kinds
        }
        if set(found) == kinds:
            return found
        assert time.monotonic() < deadline, f"{group} has only {sorted(found)}"
        time.sleep(0.1)


def unexplained(schema: Any, path: str) -> list[str]:
    missing = [] if schema.get("description") else [path]
    for name, inner in schema.get("properties", {}).items():
        if not (path.count(".") == 0 and name in IDENTITY):
            missing += unexplained(inner, f"{path}.{name}")
    items = schema.get("items", {})
    return missing + (unexplained(items, f"{path}[]") if items.get("properties") else [])


def test_refusal_names_field_and_rule(plane: Plane) -> None:
    strict = ("--dry-run=server", "--validate=strict")
    spelled = apply(plane, object_of("IPAddressPool", {"adresses": ["192.0.2.0/24"]}), *strict, check=False)
    assert 'unknown field "spec.adresses"' in spelled
    late = apply(plane, object_of("BGPPeer", {**PEER, "connectTime": "0s"}), *strict, check=False)
    assert "spec.connectTime: Invalid value" in late
    assert "connect time should be between 1 seconds to 65535" in late


def test_old_version_of_a_peer_warns_and_is_taken(plane: Plane) -> None:
    said = apply(plane, object_of("BGPPeer", PEER, "v1beta1"), "--dry-run=server", "--validate=strict")
    assert "Warning: v1beta1 is deprecated, please use v1beta2" in said
    assert "bgppeer.metallb.io/x" in said


# --- values that may not change, and statuses -------------------------------------------------------------------


def path_of(obj: Raw, *below: str) -> str:
    plural = BY_NAME[obj["kind"]].plural
    return "/".join((f"/apis/{obj['apiVersion']}/namespaces/{obj['metadata']['namespace']}/{plural}", *below))


def create(plane: Plane, kind: str, name: str) -> Raw:
    obj = object_of(kind, BASE.get(kind))
    obj["metadata"]["name"] = name
    status, answer = plane.request("POST", path_of(obj), obj)
    assert status == 201, answer
    return obj


def patch(plane: Plane, obj: Raw, change: object, *below: str) -> str:
    """Change an object, or its status; the message of a refusal, else nothing."""
    path = path_of(obj, obj["metadata"]["name"], *below)
    status, answer = plane.request("PATCH", path, change, "application/merge-patch+json")
    return "" if status == 200 else str(answer["message"])


def test_graceful_restart_stays_as_it_was_set(plane: Plane) -> None:
    peer = create(plane, "BGPPeer", "graceful")
    assert patch(plane, peer, {"spec": {"enableGracefulRestart": True}}) == ""
    assert patch(plane, peer, {"spec": {"enableGracefulRestart": True, "vrf": "red"}}) == ""
    refused = patch(plane, peer, {"spec": {"enableGracefulRestart": False}})
    assert "EnableGracefulRestart cannot be changed after creation" in refused


@pytest.mark.parametrize("kind", ["ServiceL2Status", "ServiceBGPStatus"])
@pytest.mark.parametrize("field", ["node", "serviceName", "serviceNamespace"])
def test_status_of_a_service_cannot_pass_to_another(plane: Plane, kind: str, field: str) -> None:
    obj = create(plane, kind, f"of-{field.lower()}")
    set_once = {"node": "a", "serviceName": "web", "serviceNamespace": "default"}
    assert patch(plane, obj, {"status": set_once}, "status") == ""
    assert "Value is immutable" in patch(plane, obj, {"status": {field: "other"}}, "status")
    listed = {"interfaces": [{"name": "eth0"}]} if kind == "ServiceL2Status" else {"peers": ["r1", "r2"]}
    assert patch(plane, obj, {"status": listed}, "status") == ""


def test_status_of_a_pool_has_all_of_its_counts(plane: Plane) -> None:
    pool = create(plane, "IPAddressPool", "counted")
    counts = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 255, "availableIPv6": 2**62}
    for name in counts:
        partial = {key: value for key, value in counts.items() if key != name}
        assert f"status.{name}: Required value" in patch(plane, pool, {"status": partial}, "status")
    assert patch(plane, pool, {"status": counts}, "status") == ""


CONDITION = {
    "type": "poolReconcilerValid",
    "status": "True",
    "reason": "SyncStateSuccess",
    "message": "",
    "lastTransitionTime": "2026-11-21T17:22:10Z",
}


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ({"result": "Valid", "errorSummary": "", "conditions": [CONDITION]}, ""),
        ({"result": "Unknown", "conditions": []}, ""),
        ({"result": "Broken"}, "status.result: Unsupported value"),
        ({"result": ""}, "status.result: Unsupported value"),
        ({"conditions": [CONDITION, CONDITION]}, "Duplicate value"),
        ({"conditions": [{**CONDITION, "reason": ""}]}, "reason"),
        ({"conditions": [{**CONDITION, "reason": "two words"}]}, "reason"),
        ({"conditions": [{**CONDITION, "status": "yes"}]}, "status"),
        ({"conditions": [{**CONDITION, "type": "a b"}]}, "type"),
        ({"conditions": [{**CONDITION, "lastTransitionTime": "today"}]}, "lastTransitionTime"),
        ({"conditions": [{**CONDITION, "observedGeneration": -1}]}, "observedGeneration"),
        ({"conditions": [{**CONDITION, "message": "m" * 32769}]}, "message"),
        *[({"conditions": [{k: v for k, v in CONDITION.items() if k != name}]}, name) for name in CONDITION],
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_status_of_a_component_is_of_the_standard_form(plane: Plane, status: Raw, says: str) -> None:
    obj = object_of("ConfigurationState", None)
    apply(plane, obj)
    refused = patch(plane, obj, {"status": status}, "status")
    assert says in refused
    assert (refused == "") is (says == "")
