"""Several loadBalancerClasses on one cluster: one controller that serves them all, and two that share the work."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.kube_controllers import Cluster, Controller, addresses_of, cluster, wait_until
from tests.support.plane_fixture import Tenant

INTERNAL, EXTERNAL = "example.com/internal", "example.com/external"
UNSERVED = ("--port=0", "--health-probe-port=0")
"""Pages: two installations on one machine need other ports, and nobody asks for these."""


@pytest.fixture
def running(tenant: Tenant, tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tenant, tmp_path) as found:
        found.remove_pool("lan")
        yield found


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
    internal_pool(running)
    external_pool(running)
    serve(running, f"--lb-class={INTERNAL},{EXTERNAL}")
    for name, address in shop(running).items():
        assert running.address(name) == address
    assert running.addresses()["plain"] == []
    assert not running.events("plain")


def test_services_without_a_class_are_served_beside_one_if_asked(running: Cluster) -> None:
    external_pool(running)
    serve(running, f"--lb-class={EXTERNAL}", "--lb-classless")
    running.service("plain", {"labels": {"tier": "external"}})
    running.service("inside", {"labels": {"tier": "external"}}, loadBalancerClass=INTERNAL)
    running.service("outside", {"labels": {"tier": "external"}}, loadBalancerClass=EXTERNAL)
    assert (running.address("plain"), running.address("outside")) == ("192.168.1.100", "192.168.1.101")
    assert running.addresses()["inside"] == []


def test_two_installations_serve_a_class_each(running: Cluster) -> None:
    """Each has its own pools, Lease and states; neither writes to what is the other's, deleted ones included."""
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


def _managers(service: dict[str, Any]) -> set[str]:
    """Who wrote its status."""
    fields = service["metadata"].get("managedFields", ())
    return {each["manager"] for each in fields if each.get("subresource") == "status"}
