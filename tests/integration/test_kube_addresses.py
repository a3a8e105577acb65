"""Addresses on a real API server: who gets back what he had, what is kept for whom, how many a namespace may have.

And several loadBalancerClasses: one controller that serves them all, and two that share the work.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.kube_controllers import CRDS, Cluster, Controller, addresses_of, cluster, wait_until
from tests.support.plane_fixture import Tenant

INTERNAL, EXTERNAL = "example.com/internal", "example.com/external"
UNSERVED = ("--port=0", "--health-probe-port=0")
"""Pages: two installations on one machine need other ports, and nobody asks for these."""
OURS = ("addressquotas.ferrule.io", "addressreservations.ferrule.io")


@pytest.fixture
def running(tenant: Tenant, tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tenant, tmp_path) as found:
        yield found


def status(running: Cluster, plural: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = running.own(plural, name).get("status", {})
    return found


def notes(running: Cluster, name: str) -> str:
    """The texts of all events on a Service."""
    found = running.send("GET", f"/apis/events.k8s.io/v1/namespaces/{running.apps}/events")["items"]
    return "\n".join(item["note"] for item in found if item["regarding"]["name"] == name)


def test_next_leader_knows_who_had_which_address(running: Cluster) -> None:
    leader, _ = running.pair("--sticky-addresses=10m")
    running.service("web")
    assert running.address("web") == "192.0.2.1"
    running.remove_service("web")
    wait_until(lambda: bool(leader.logged("serviceDeleted")), running.words())
    leader.end()
    running.service("other")
    assert running.address("other") == "192.0.2.2"
    running.service("greedy", {"annotations": {"metallb.io/loadBalancerIPs": "192.0.2.1"}})
    wait_until(lambda: "192.0.2.1" in notes(running, "greedy"), running.words())
    running.service("web")
    assert running.address("web") == "192.0.2.1"
    assert running.addresses()["greedy"] == []


def test_reservation_and_quota_say_what_is_used(running: Cluster) -> None:
    running.configure(
        "AddressReservation", "db", addresses=["192.0.2.1"], service={"namespace": running.apps, "name": "db"}
    )
    running.configure("AddressQuota", "two", namespaces=[running.apps], ipv4=2)
    running.start()
    running.service("web")
    assert running.address("web") == "192.0.2.2"
    running.service("db")
    assert running.address("db") == "192.0.2.1"
    running.service("more")
    wait_until(lambda: "two" in notes(running, "more"), running.words())
    holders = [{"address": "192.0.2.1", "service": f"{running.apps}/db"}]
    wait_until(lambda: status(running, "addressreservations", "db").get("holders") == holders, running.words())
    wait_until(lambda: status(running, "addressquotas", "two").get("usedIPv4") == 2, running.words())
    running.configure("AddressQuota", "two", namespaces=[running.apps], ipv4=3)
    assert running.address("more") == "192.0.2.3"
    used = [{"namespace": running.apps, "ipv4": 3, "ipv6": 0}]
    wait_until(lambda: status(running, "addressquotas", "two").get("namespaces") == used, running.words())


def test_cluster_without_these_definitions_works_and_may_get_them_later(running: Cluster) -> None:
    running.plane.kubectl("delete", "crd", *OURS)
    controller = running.start()
    running.service("web")
    assert running.address("web") == "192.0.2.1"
    assert "addressquotas" in controller.ready()["API server"]
    running.plane.kubectl("apply", "--server-side", *(f"--filename={CRDS / crd}.yaml" for crd in OURS))
    wait_until(lambda: running.plane.request("GET", "/apis/ferrule.io/v1alpha1/addressquotas")[0] == 200, "no CRD")
    running.configure("AddressQuota", "one", namespaces=[running.apps], ipv4=1)
    wait_until(lambda: status(running, "addressquotas", "one").get("usedIPv4") == 1, running.words())
    said = {line["kind"]: line["reason"] for line in controller.logged("kind cannot be read")}
    assert {kind: "apply deploy/crds" in reason for kind, reason in said.items()} == {
        "AddressQuota": True,
        "AddressReservation": True,
    }


# Classes --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def second_installation(first: Cluster) -> Iterator[Cluster]:
    """Another namespace for Ferrule's objects, for the same Services."""
    folder = first.folder / "second"
    folder.mkdir()
    other = replace(first, system=f"{first.system}-b", folder=folder, controllers=[])
    other.send("POST", "/api/v1/namespaces", {"metadata": {"name": other.system}})
    try:
        yield other
    finally:
        for controller in other.controllers:
            controller.kill()


def serve(installation: Cluster, *flags: str) -> Controller:
    controller = installation.start(*UNSERVED, *flags)
    wait_until(lambda: bool(controller.logged("adopted addresses")), installation.words())
    return controller


def tier(name: str) -> dict[str, Any]:
    return {"serviceSelectors": [{"matchLabels": {"tier": name}}]}


def internal_pool(installation: Cluster) -> None:
    only = {"priority": 100, "namespaces": [installation.apps], **tier("internal")}
    installation.pool("internal", "10.0.3.100-10.0.3.130", serviceAllocation=only)


def external_pool(installation: Cluster) -> None:
    installation.pool(
        "external", "192.168.1.100-192.168.1.130", serviceAllocation={"priority": 100, **tier("external")}
    )


def shop(running: Cluster) -> dict[str, str]:
    """What the enterprise runs: two behind the internal class that share, one with a fixed address outside, one of nobody.

    Returns the addresses that they should have.
    """
    inside = {"labels": {"tier": "internal"}, "annotations": _annotations("internal", "api-services")}
    outside = {
        "labels": {"tier": "external"},
        "annotations": {**_annotations("external", "frontend"), "metallb.io/loadBalancerIPs": "192.168.1.100"},
    }
    running.service("frontend", outside, loadBalancerClass=EXTERNAL, ports=[{"port": 443}], **_local("frontend"))
    running.service("gateway", inside, loadBalancerClass=INTERNAL, ports=[{"port": 8080}])
    running.service("grpc", inside, loadBalancerClass=INTERNAL, ports=[{"port": 9090}])
    running.service("plain", {"labels": {"tier": "external"}})
    return {"frontend": "192.168.1.100", "gateway": "10.0.3.100", "grpc": "10.0.3.100"}


def _annotations(pool: str, sharing_key: str) -> dict[str, str]:
    return {"metallb.io/address-pool": pool, "metallb.io/allow-shared-ip": sharing_key}


def _local(app: str) -> dict[str, object]:
    return {"externalTrafficPolicy": "Local", "sessionAffinity": "ClientIP", "selector": {"app": app}}


def test_one_installation_serves_two_classes(running: Cluster) -> None:
    running.remove_pool("lan")
    internal_pool(running)
    external_pool(running)
    serve(running, f"--lb-class={INTERNAL},{EXTERNAL}")
    for name, address in shop(running).items():
        assert running.address(name) == address
    assert running.addresses()["plain"] == []
    assert not running.events("plain")


def test_two_installations_serve_a_class_each(running: Cluster) -> None:
    """Each has its own pools, Lease and states; neither writes to what is the other's, deleted ones included."""
    running.remove_pool("lan")
    with second_installation(running) as other:
        internal_pool(running)
        external_pool(other)
        controllers = [serve(running, f"--lb-class={INTERNAL}"), serve(other, f"--lb-class={EXTERNAL}")]
        for name, address in shop(running).items():
            assert running.address(name) == address
        managers = {name: _managers(service) for name, service in running.services().items()}
        assert managers["plain"] == set()
        assert [set(controller.decided()) for controller in controllers] == [{"gateway", "grpc"}, {"frontend"}]
        holders = {each.system: each.lease()["spec"]["holderIdentity"] for each in (running, other)}
        assert len(holders) == 2
        running.remove_service("grpc")
        running.remove_service("frontend")
        wait_until(lambda: all(each.logged("serviceDeleted") for each in controllers), running.words() + other.words())
        gone = [[line["service"].partition("/")[2] for line in each.logged("serviceDeleted")] for each in controllers]
        assert gone == [["grpc"], ["frontend"]]
        assert addresses_of(running.services()["gateway"]) == ["10.0.3.100"]
        _overlapping_pools_give_no_address_twice(running, other)


def _overlapping_pools_give_no_address_twice(running: Cluster, other: Cluster) -> None:
    """What a Service of another class has is nobody else's."""
    for each in (running, other):
        each.pool("lan", "192.0.2.1-192.0.2.9", autoAssign=False)
    wanted = {"metallb.io/address-pool": "lan"}
    running.service("inside", {"annotations": wanted}, loadBalancerClass=INTERNAL)
    assert running.address("inside") == "192.0.2.1"
    other.service("outside", {"annotations": wanted}, loadBalancerClass=EXTERNAL)
    assert other.address("outside") == "192.0.2.2"
    greedy = {"annotations": {"metallb.io/loadBalancerIPs": "192.0.2.1"}}
    other.service("greedy", greedy, loadBalancerClass=EXTERNAL)
    wait_until(lambda: "AllocationFailed" in other.events("greedy"), other.words())
    assert other.addresses()["greedy"] == []


def _managers(service: dict[str, Any]) -> set[str]:
    """Who wrote its status."""
    fields = service["metadata"].get("managedFields", ())
    return {each["manager"] for each in fields if each.get("subresource") == "status"}
