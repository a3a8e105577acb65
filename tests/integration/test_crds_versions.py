"""Both versions of BGPPeer, and our definitions in a cluster that has MetalLB's.

MetalLB's are played by ours, changed to what matters: other texts, its annotation, its conversion webhook (which is
not there any more), and for the oldest the storage version v1beta1.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.resources import metallb
from orchestrator.resources.kinds import BY_NAME
from orchestrator.resources.parse import ParsedObject, parse_object, parse_served
from tests.support.crd_cases import PEER, Raw
from tests.support.plane import Plane
from tests.support.plane_fixture import Tenant

FOLDER = Path(__file__).parents[2] / "deploy" / "crds"
PEERS = FOLDER / "bgppeers.metallb.io.yaml"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgppeers.metallb.io"
WEBHOOK = {
    "strategy": "Webhook",
    "webhook": {
        "conversionReviewVersions": ["v1beta1", "v1beta2"],
        "clientConfig": {
            "service": {"name": "metallb-webhook-service", "namespace": "metallb-system", "path": "/convert"}
        },
    },
}
TAKE_OUT_WEBHOOK = '{"spec": {"conversion": {"strategy": "None", "webhook": null}}}'
LIMIT_S = 30.0
FILLED_IN = {"peerPort": 179, "disableMP": False, "dualStackAddressFamily": False}
SELECTORS = [{"matchLabels": {"zone": "a"}}, {}]


@pytest.fixture(autouse=True)
def no_definition(plane: Plane) -> Iterator[None]:
    yield
    plane.kubectl("delete", "crd", "bgppeers.metallb.io", "--ignore-not-found")


def metallb_definition(*, stored: str = "v1beta2", webhook: bool = True) -> str:
    obj = yaml.safe_load(PEERS.read_text())
    obj["metadata"] = {
        "name": obj["metadata"]["name"],
        "annotations": {"controller-gen.kubebuilder.io/version": "v0.19.0"},
    }
    obj["spec"]["conversion"] = WEBHOOK if webhook else {"strategy": "None"}
    for version in obj["spec"]["versions"]:
        version["storage"] = version["name"] == stored
        version["schema"]["openAPIV3Schema"]["description"] = "MetalLB's."
    return json.dumps(obj)


def install(plane: Plane, definition: str, *how: str) -> None:
    plane.kubectl(*(how or ("apply",)), "-f", "-", stdin=definition)
    settle(plane)


def settle(plane: Plane) -> None:
    plane.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/bgppeers.metallb.io")


def definition_of(plane: Plane) -> Any:
    status, answer = plane.request("GET", DEFINITION)
    assert status == 200
    return answer


def is_ours(definition: Any) -> bool:
    written = yaml.safe_load(PEERS.read_text())
    return bool(
        definition["spec"]["conversion"] == {"strategy": "None"}
        and definition["spec"]["versions"] == written["spec"]["versions"]
        and definition["metadata"]["labels"].items() >= written["metadata"]["labels"].items()
    )


def peer(version: str, name: str, **spec: object) -> Raw:
    fields = {**PEER, **spec}
    return {"apiVersion": f"metallb.io/{version}", "kind": "BGPPeer", "metadata": {"name": name}, "spec": fields}


def path_of(tenant: Tenant, version: str, name: str = "") -> str:
    return f"/apis/metallb.io/{version}/namespaces/{tenant.name}/bgppeers" + (f"/{name}" if name else "")


def create(tenant: Tenant, obj: Raw) -> None:
    version = obj["apiVersion"].partition("/")[2]
    status, answer = tenant.plane.request("POST", f"{path_of(tenant, version)}?fieldValidation=Strict", obj)
    assert status == 201, answer


def read(tenant: Tenant, version: str, name: str) -> Any:
    status, answer = tenant.plane.request("GET", path_of(tenant, version, name))
    assert status == 200, answer
    return answer


def parsed(outcome: object) -> metallb.BGPPeerSpec:
    assert isinstance(outcome, ParsedObject), outcome
    assert isinstance(outcome.obj, metallb.BGPPeer)
    return outcome.obj.spec


# --- versions ---------------------------------------------------------------------------------------------------


def test_peer_is_the_same_in_both_versions(plane: Plane, tenant: Tenant) -> None:
    install(plane, PEERS.read_text())
    create(tenant, peer("v1beta1", "old", holdTime="90s", nodeSelectors=SELECTORS))
    create(tenant, peer("v1beta2", "new", holdTime="90s", nodeSelectors=SELECTORS))
    old, new = (read(tenant, "v1beta2", name) for name in ("old", "new"))
    assert old["apiVersion"] == "metallb.io/v1beta2"
    assert old["spec"] == new["spec"]
    back = [read(tenant, "v1beta1", name) for name in ("old", "new")]
    assert back[0]["spec"] == back[1]["spec"]
    first, *others = (parsed(parse_object(each, tenant.name)) for each in (old, new, *back))
    assert others == [first] * 3


def test_old_version_shows_only_its_own_fields(plane: Plane, tenant: Tenant) -> None:
    install(plane, PEERS.read_text())
    create(tenant, peer("v1beta2", "new", vrf="red", connectTime="10s"))
    assert read(tenant, "v1beta1", "new")["spec"] == {**PEER, "peerPort": 179}
    assert read(tenant, "v1beta2", "new")["spec"]["vrf"] == "red"


def test_writing_the_old_version_drops_what_it_cannot_say(plane: Plane, tenant: Tenant) -> None:
    install(plane, PEERS.read_text())
    create(tenant, peer("v1beta2", "new", vrf="red"))
    change, kind = {"metadata": {"labels": {"a": "b"}}}, "application/merge-patch+json"
    assert plane.request("PATCH", path_of(tenant, "v1beta2", "new"), change, kind)[0] == 200
    assert "vrf" in read(tenant, "v1beta2", "new")["spec"]
    change = {"metadata": {"labels": {"a": "c"}}}
    assert plane.request("PATCH", path_of(tenant, "v1beta1", "new"), change, kind)[0] == 200
    assert "vrf" not in read(tenant, "v1beta2", "new")["spec"]


def test_port_zero_of_the_old_version_is_the_usual_port(plane: Plane, tenant: Tenant) -> None:
    install(plane, PEERS.read_text())
    create(tenant, peer("v1beta1", "zero", peerPort=0))
    served = read(tenant, "v1beta2", "zero")
    assert served["spec"]["peerPort"] == 0
    assert parsed(parse_served(served, BY_NAME["BGPPeer"])).peer_port == 179


def test_reading_the_old_version_warns(plane: Plane, tenant: Tenant) -> None:
    install(plane, PEERS.read_text())
    create(tenant, peer("v1beta2", "new"))
    done = plane.kubectl("get", "bgppeers.v1beta1.metallb.io", "-n", tenant.name)
    assert "Warning: v1beta1 is deprecated, please use v1beta2" in done.stderr
    assert done.stdout.split()[:7] == ["NAME", "ADDRESS", "ASN", "BFD", "PROFILE", "MULTI", "HOPS"]


# --- over MetalLB's ---------------------------------------------------------------------------------------------

INSTALLED = [("apply",), ("create", "--field-manager=helm"), ("apply", "--server-side", "--field-manager=argo")]


@pytest.mark.parametrize("how", INSTALLED, ids=lambda how: how[-1].rpartition("=")[2])
def test_apply_takes_over_what_metallb_installed(plane: Plane, tenant: Tenant, how: tuple[str, ...]) -> None:
    install(plane, metallb_definition(), *how)
    create(tenant, peer("v1beta2", "before", nodeSelectors=SELECTORS))
    plane.kubectl("apply", "-f", str(PEERS))
    assert is_ours(definition_of(plane))
    settle(plane)
    assert read(tenant, "v1beta2", "before")["spec"]["nodeSelectors"] == SELECTORS
    assert until(lambda: plane.request("GET", path_of(tenant, "v1beta1", "before"))[0] == 200)


@pytest.mark.parametrize("how", INSTALLED, ids=lambda how: how[-1].rpartition("=")[2])
def test_server_side_apply_takes_over_once_the_webhook_is_out(
    plane: Plane, tenant: Tenant, how: tuple[str, ...]
) -> None:
    install(plane, metallb_definition(), *how)
    create(tenant, peer("v1beta2", "before"))
    forced = ("apply", "--server-side", "--force-conflicts", "-f", str(PEERS))
    refused = plane.kubectl(*forced, check=False)
    assert "spec.conversion.webhook" in refused.stderr
    assert definition_of(plane)["spec"]["conversion"]["strategy"] == "Webhook"
    plane.kubectl("patch", "crd", "bgppeers.metallb.io", "--type=merge", "-p", TAKE_OUT_WEBHOOK)
    plane.kubectl(*forced)
    assert is_ours(definition_of(plane))
    settle(plane)
    assert read(tenant, "v1beta2", "before")["spec"] == {**PEER, **FILLED_IN}


def test_peers_stored_in_the_old_version_stay_readable(plane: Plane, tenant: Tenant) -> None:
    install(plane, metallb_definition(stored="v1beta1", webhook=False))
    create(tenant, peer("v1beta1", "stored", nodeSelectors=SELECTORS, keepaliveTime="30s"))
    before = parsed(parse_object(read(tenant, "v1beta1", "stored"), tenant.name))
    plane.kubectl("apply", "-f", str(PEERS))
    settle(plane)
    assert definition_of(plane)["status"]["storedVersions"] == ["v1beta1", "v1beta2"]
    served = read(tenant, "v1beta2", "stored")
    assert parsed(parse_served(served, BY_NAME["BGPPeer"])) == before
    changed = plane.kubectl("label", "bgppeer", "stored", "-n", tenant.name, "touched=yes").stdout
    assert "labeled" in changed
    assert parsed(parse_served(read(tenant, "v1beta2", "stored"), BY_NAME["BGPPeer"])) == before


def test_applying_again_changes_nothing(plane: Plane) -> None:
    for how in (("apply",), ("apply", "--server-side", "--force-conflicts")):
        plane.kubectl(*how, "-f", str(FOLDER))
        first = definition_of(plane)
        plane.kubectl(*how, "-f", str(FOLDER))
        assert definition_of(plane)["metadata"]["generation"] == first["metadata"]["generation"]


def until(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time: the API server serves a changed definition a little later."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
