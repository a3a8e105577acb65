"""A controller process beside a real API server: what it writes, and what it leaves alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kube_controllers import Cluster, Controller, addresses_of, cluster, missing, wait_until
from tests.support.plane_fixture import Tenant

POOL = "metallb.io/ip-allocated-from-pool"
METALLB = "controller"
"""MetalLB's field manager."""


@pytest.fixture
def running(tenant: Tenant, tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tenant, tmp_path) as found:
        yield found


def begun(controller: Controller) -> bool:
    return bool(controller.logged("converged") or controller.logged("adopted addresses"))


def test_service_gets_what_a_user_of_metallb_finds(running: Cluster) -> None:
    running.start()
    running.service("web")
    assert running.address("web") == "192.0.2.1"
    service = running.services()["web"]
    assert service["metadata"]["annotations"][POOL] == "lan"
    wait_until(lambda: "IPAllocated" in running.events("web"), "no event")
    wait_until(
        lambda: running.own("ipaddresspools", "lan").get("status", {}).get("assignedIPv4") == 1, "no status of the pool"
    )
    wait_until(lambda: _result(running) == "Valid", "no ConfigurationState")
    secret = running.send("GET", f"/api/v1/namespaces/{running.system}/secrets/memberlist")
    assert secret["data"]["secretkey"]
    last_good = running.send("GET", f"/api/v1/namespaces/{running.system}/configmaps/ferrule-last-good")
    assert list(last_good["data"]) == ["IPAddressPool.lan"]
    lease = running.send("GET", f"/apis/coordination.k8s.io/v1/namespaces/{running.system}/leases/ferrule-controller")
    assert lease["spec"]["holderIdentity"] == "controller-0"


def _result(running: Cluster) -> str:
    return str(running.own("configurationstates", "controller").get("status", {}).get("result", ""))


def test_nothing_is_written_while_nothing_changes(running: Cluster) -> None:
    controller = running.start()
    for number in range(20):
        running.service(f"web-{number:02}")
    wait_until(lambda: not missing(running.addresses()), running.words())
    assert len(controller.decided()) == 20
    wait_until(lambda: all(len(_conditions(each)) == 2 for each in running.services().values()), running.words())
    wait_until(lambda: bool(_conditions(running.own("ipaddresspools", "lan"))), running.words())
    controller.end()
    before = running.versions()
    again = running.start()
    wait_until(lambda: begun(again), running.words())
    running.service("new")
    running.address("new")
    assert {name: version for name, version in running.versions().items() if name != "new"} == before
    assert set(again.decided()) == {"new"}
    assert not again.logged("verdict written")


def _conditions(service: dict[str, Any]) -> list[Any]:
    found: list[Any] = service["status"].get("conditions", [])
    return found


def test_statuses_of_metallb_are_adopted_and_get_nothing_but_conditions(running: Cluster) -> None:
    for number in range(200):
        running.service(f"web-{number:03}")
        running.write_status(f"web-{number:03}", f"192.0.2.{number + 20}", METALLB, "lan")
    before = running.services()
    controller = running.start()
    wait_until(lambda: begun(controller), running.words())
    running.service("new")
    assert running.address("new") == "192.0.2.1"
    after = running.services()
    assert {name: of_metallb(after[name]) for name in before} == {name: of_metallb(before[name]) for name in before}
    assert all(each["status"]["loadBalancer"]["ingress"][0]["ipMode"] == "VIP" for each in after.values())


def of_metallb(service: dict[str, Any]) -> tuple[object, ...]:
    """What MetalLB has written."""
    return service["spec"], service["status"]["loadBalancer"], service["metadata"]["annotations"]


def test_deleted_service_frees_its_address_for_one_that_waits(running: Cluster) -> None:
    running.pool("lan", "192.0.2.7/32")
    controller = running.start()
    running.service("first")
    assert running.address("first") == "192.0.2.7"
    running.service("second")
    wait_until(lambda: "AllocationFailed" in running.events("second"), running.words())
    running.remove_service("first")
    assert running.address("second") == "192.0.2.7"
    running.service("first")
    wait_until(lambda: "AllocationFailed" in running.events("first"), running.words())
    assert not addresses_of(running.services()["first"])
    assert controller.logged("serviceDeleted")


def test_service_made_again_at_once_is_another_one(running: Cluster) -> None:
    """While the controller stands still, it sees both at once; a Service that waits is older now."""
    running.pool("lan", "192.0.2.7/32")
    controller = running.start()
    running.service("web")
    running.address("web")
    running.service("waiting")
    wait_until(lambda: "AllocationFailed" in running.events("waiting"), running.words())
    controller.pause()
    running.remove_service("web")
    running.service("web", ports=[{"port": 8080}])
    controller.wake()
    assert running.address("waiting") == "192.0.2.7"
    wait_until(lambda: not addresses_of(running.services()["web"]), running.words())
    assert controller.logged("serviceDeleted")


def test_service_of_another_type_loses_what_we_gave(running: Cluster) -> None:
    running.start("--cool-down=0s")
    running.service("web")
    running.address("web")
    running.plane.kubectl("-n", running.apps, "patch", "svc", "web", "-p", '{"spec":{"type":"ClusterIP"}}')
    wait_until(lambda: not addresses_of(running.services()["web"]), running.words())
    wait_until(lambda: POOL not in running.services()["web"]["metadata"].get("annotations", {}), running.words())
    running.service("next")
    assert running.address("next") == "192.0.2.1"


def test_removed_pool_keeps_its_addresses_for_a_while(running: Cluster) -> None:
    running.start("--removed-pool-hold=3")
    running.service("web")
    running.address("web")
    running.pool("other", "198.51.100.1-198.51.100.9")
    running.remove_pool("lan")
    running.service("new")
    assert running.address("new").startswith("198.51.100.")
    assert running.addresses()["web"] == ["192.0.2.1"]
    wait_until(lambda: running.addresses()["web"][:1] not in ([], ["192.0.2.1"]), running.words())


def test_wrong_object_is_told_and_moves_nothing(running: Cluster) -> None:
    running.start()
    running.service("web")
    running.address("web")
    running.pool("lan", "192.0.2.9-192.0.2.1")
    wait_until(lambda: _result(running) == "Invalid", running.words())
    assert running.addresses()["web"] == ["192.0.2.1"]
    running.service("new")
    assert running.address("new") == "192.0.2.2"


# Beside MetalLB ---------------------------------------------------------------------------------------------------


def test_nothing_is_given_away_while_metallb_runs(running: Cluster) -> None:
    running.service("old")
    running.write_status("old", "192.0.2.5", METALLB, "lan")
    _run_metallb(running)
    controller = running.start()
    wait_until(lambda: _condition(running, "ferrule.io/Observing") == "True", running.words())
    assert "delete them to let Ferrule act" in controller.ready()["rivals"]
    running.service("new")
    running.service("other")
    wait_until(lambda: controller.ready().get("first list") == "ok", running.words())
    running.plane.kubectl("-n", running.system, "delete", "pod", "metallb", "--grace-period=0", "--force")
    assert running.address("new")
    assert running.address("other")
    assert running.addresses()["old"] == ["192.0.2.5"]
    assert {entry for held in running.addresses().values() for entry in held} == {"192.0.2.1", "192.0.2.2", "192.0.2.5"}
    wait_until(lambda: _condition(running, "ferrule.io/Observing") == "", running.words())
    written = controller.logged("status written")
    assert written
    assert all(line["ts"] > controller.logged("no MetalLB runs here")[0]["ts"] for line in written)


def _run_metallb(running: Cluster) -> None:
    labels = {"app.kubernetes.io/name": "metallb", "app.kubernetes.io/component": "controller"}
    pod: dict[str, Any] = {
        "metadata": {"name": "metallb", "namespace": running.system, "labels": labels},
        "spec": {
            "nodeName": "somewhere",
            "automountServiceAccountToken": False,
            "containers": [{"name": "controller", "image": "metallb"}],
        },
    }
    path = f"/api/v1/namespaces/{running.system}"
    running.send("POST", f"{path}/serviceaccounts", {"metadata": {"name": "default"}})
    running.send("POST", f"{path}/pods", pod)
    running.send(
        "PATCH", f"{path}/pods/metallb/status", {"status": {"phase": "Running"}}, "application/merge-patch+json"
    )


def _condition(running: Cluster, name: str) -> str:
    status = running.own("configurationstates", "controller").get("status", {})
    return next((each["status"] for each in status.get("conditions", ()) if each["type"] == name), "")
