"""A controller beside a real API server: conditions on Services and on configuration objects."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.kube_controllers import CRDS, Cluster, addresses_of, cluster, wait_until
from tests.support.plane_fixture import Tenant

NODES = ("node-a", "node-b")
APPLY = "application/apply-patch+yaml"


@pytest.fixture
def running(tenant: Tenant, tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tenant, tmp_path) as found:
        yield found


def apply(running: Cluster, path: str, body: dict[str, Any]) -> None:
    running.send("PATCH", f"{path}/{body['metadata']['name']}?fieldManager=user&force=true", body, APPLY)


def own(running: Cluster, kind: str, plural: str, name: str, group: str = "metallb.io/v1beta1", **parts: Any) -> str:
    """Create or replace an object of ours; return its path."""
    path = f"/apis/{group}/namespaces/{running.system}/{plural}"
    apply(running, path, {"apiVersion": group, "kind": kind, "metadata": {"name": name}, **parts})
    return f"{path}/{name}"


def speak(running: Cluster) -> None:
    """Two nodes with speakers."""
    for node in NODES:
        apply(running, "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
        own(running, "SpeakerState", "speakerstates", node, "ferrule.io/v1alpha1", spec={"node": node})


def serve(running: Cluster, *, ready: bool = True) -> None:
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "nodeName": "node-a", "conditions": {"ready": ready}}],
    }
    apply(running, f"/apis/discovery.k8s.io/v1/namespaces/{running.apps}/endpointslices", body)


def tell(running: Cluster, kind: str, plural: str, node: str) -> None:
    path = own(running, kind, plural, f"{kind.lower()}-{node}")
    status = {"node": node, "serviceName": "web", "serviceNamespace": running.apps}
    running.send("PATCH", f"{path}/status", {"status": status}, "application/merge-patch+json")


def said(found: dict[str, Any], kind: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition; empty if it is not there."""
    for each in found.get("status", {}).get("conditions", ()):
        if each["type"] == kind:
            return each["status"], each["reason"], each["message"]
    return "", "", ""


def on_service(running: Cluster, kind: str) -> tuple[str, str, str]:
    return said(running.services()["web"], f"ferrule.io/{kind}")


def test_service_is_told_why_it_waits_and_who_announces_it(running: Cluster) -> None:
    running.pool("lan", "192.0.2.1/32")
    controller = running.start()
    running.service("first")
    running.address("first")
    running.service("web")
    wait_until(lambda: on_service(running, "Allocated")[:2] == ("False", "NoAvailableAddresses"), controller.name)
    assert on_service(running, "Announced") == ("", "", "")
    running.remove_service("first")
    running.address("web")
    assert on_service(running, "Allocated") == ("True", "Allocated", "192.0.2.1 from pool lan")
    wait_until(lambda: on_service(running, "Announced")[1] == "NoSpeaker", running.words())
    speak(running)
    wait_until(lambda: on_service(running, "Announced")[:2] == ("False", "NoMatchingAdvertisement"), running.words())
    own(running, "L2Advertisement", "l2advertisements", "lan", spec={})
    wait_until(lambda: on_service(running, "Announced")[:2] == ("False", "NoEndpoints"), running.words())
    serve(running)
    wait_until(lambda: on_service(running, "Announced")[:2] == ("Unknown", "Waiting"), running.words())
    for node in NODES:
        tell(running, "ServiceBGPStatus", "servicebgpstatuses", node)
    tell(running, "ServiceL2Status", "servicel2statuses", "node-b")
    text = "layer2 by node-b; bgp by node-a, node-b"
    wait_until(lambda: on_service(running, "Announced") == ("True", "Announced", text), running.words())
    assert addresses_of(running.services()["web"]) == ["192.0.2.1"]


def pool(running: Cluster, name: str = "lan") -> dict[str, Any]:
    return running.own("ipaddresspools", name)


def test_broken_pool_says_what_is_used_instead_until_it_is_mended(running: Cluster) -> None:
    running.start()
    wait_until(lambda: said(pool(running), "Accepted")[0] == "True", running.words())
    assert "no advertisement" in said(pool(running), "Accepted")[2]
    running.service("web")
    running.address("web")
    ready = {"type": "example.com/Ready", "status": "True", "reason": "Fine", "message": ""}
    body = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "status": {"conditions": [{**ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    }
    path = f"/apis/metallb.io/v1beta1/namespaces/{running.system}/ipaddresspools/lan/status?fieldManager=other"
    wait_until(lambda: pool(running)["status"].get("assignedIPv4") == 1, running.words())
    running.send("PATCH", path, body, APPLY)
    running.pool("lan", "192.0.2.9-192.0.2.1")
    running.pool("new", "nonsense")
    wait_until(lambda: said(pool(running), "Accepted")[:2] == ("False", "Invalid"), running.words())
    assert said(pool(running), "Accepted")[2].splitlines()[-1] == "its last good version stays in use"
    wait_until(lambda: said(pool(running, "new"), "Accepted")[:2] == ("False", "Invalid"), running.words())
    assert said(pool(running, "new"), "Accepted")[2].splitlines()[-1] == "nothing of it is in use"
    running.pool("lan", "192.0.2.1-192.0.2.9")
    wait_until(lambda: said(pool(running), "Accepted")[0] == "True", running.words())
    after = pool(running)
    wait_until(lambda: pool(running)["status"]["availableIPv4"] == 8, running.words())
    assert {each["type"] for each in after["status"]["conditions"]} == {"Accepted", "example.com/Ready"}
    verdict = next(each for each in after["status"]["conditions"] if each["type"] == "Accepted")
    assert verdict["observedGeneration"] == after["metadata"]["generation"]


def test_crds_without_conditions_are_asked_once(running: Cluster) -> None:
    with without_conditions(running):
        controller = running.start()
        running.pool("wan", "198.51.100.0/24")
        wait_until(lambda: len(verdicts(controller.logged("verdict written"))) == 2, running.words())
        running.service("web")
        running.address("web")
        wait_until(lambda: pool(running)["status"].get("assignedIPv4") == 1, running.words())
        running.pool("late", "203.0.113.0/24")
        wait_until(lambda: len(verdicts(controller.logged("verdict written"))) == 3, running.words())
        assert sorted(verdicts(controller.logged("verdict written"))) == ["lan", "late", "wan"]
        assert said(pool(running), "Accepted") == ("", "", "")


def verdicts(lines: list[dict[str, Any]]) -> list[str]:
    return [line["object"].rpartition("/")[2] for line in lines]


@contextlib.contextmanager
def without_conditions(running: Cluster) -> Iterator[None]:
    """The CRD of pools as MetalLB has it."""
    file = CRDS / "ipaddresspools.metallb.io.yaml"
    crd = yaml.safe_load(file.read_text())
    for version in crd["spec"]["versions"]:
        del version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    apply(running, path, crd)

    def is_pruned() -> bool:
        probe = {"conditions": [{"type": "Probe", "status": "True"}]}
        counts = dict.fromkeys(("assignedIPv4", "assignedIPv6", "availableIPv4", "availableIPv6"), 0)
        status = {"status": {**counts, **probe}}
        where = f"/apis/metallb.io/v1beta1/namespaces/{running.system}/ipaddresspools/lan/status"
        code, answer = running.plane.request("PATCH", where, status, "application/merge-patch+json")
        return code == 200 and "conditions" not in answer["status"]

    try:
        wait_until(is_pruned, "conditions are kept")
        yield
    finally:
        apply(running, path, yaml.safe_load(file.read_text()))
