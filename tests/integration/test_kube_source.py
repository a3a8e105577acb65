"""KubeSource against a real API server: what is there, what changes, what is left out."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from orchestrator.resources.core import EndpointSlice
from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.sources.interface import InputState, Removed, Rivals, Synced, Unusable, Upserted
from orchestrator.sources.kube.access import Access
from orchestrator.sources.kube.api import Api
from orchestrator.sources.kube.source import KubeSource, Wanted
from orchestrator.sources.kube.watching import Pace
from tests.support.kube_reading import KINDS, LAST_GOOD, Cluster, Reading, Recorder, reading, rule, without
from tests.support.plane import Plane
from tests.support.plane_fixture import Tenant

READER = [
    rule("", "services", "nodes", "namespaces", "pods", "secrets", "configmaps"),
    rule("discovery.k8s.io", "endpointslices"),
    rule("metallb.io", "*"),
    rule("ferrule.io", "*"),
]


@pytest.fixture(scope="module", autouse=True)
def definitions(plane: Plane) -> None:
    Cluster(plane, "default").apply_definitions()


@pytest.fixture
def cluster(tenant: Tenant) -> Cluster:
    return Cluster(tenant.plane, tenant.name)


@pytest.fixture
def admin(plane: Plane) -> Path:
    return plane.kubeconfig()


def names(seen: Reading) -> set[str]:
    return set(seen.store.snapshot().communities)


def delivered_slices(seen: Reading) -> list[str]:
    found = [event.obj for event in seen.events(Upserted) if isinstance(event.obj, EndpointSlice)]
    return [part.metadata.name for part in found if part.metadata.namespace == seen.namespace]


# --- lists and changes ------------------------------------------------------------------------------------------------


def test_first_list_comes_in_pages_and_synced_stands_behind_it(cluster: Cluster, admin: Path) -> None:
    for number in range(10):
        cluster.community(f"c{number}")
    cluster.service("web")
    cluster.endpoint_slice("web-1", "web", "192.0.2.9")

    async def story() -> None:
        async with reading(admin, cluster.namespace, pace=Pace(page_size=4)) as seen:
            await seen.synced()
            assert seen.witness.count("list", "communities") == 3
            assert names(seen) == {f"c{number}" for number in range(10)}
            assert seen.endpoints("web") == ["192.0.2.9"]
            assert seen.store.input == InputState()
            assert [type(event) for event in seen.batches[-1]] == [Synced]

    cluster.plane.run(story())


def test_changes_arrive_in_order(cluster: Cluster, admin: Path) -> None:
    async def story() -> None:
        async with reading(admin, cluster.namespace) as seen:
            await seen.synced()
            cluster.community("one", "65000:1")
            cluster.community("one", "65000:2")
            await seen.until(lambda: "one" in names(seen))
            await seen.until(lambda: seen.store.snapshot().communities["one"].spec.communities[0].value == "65000:2")
            cluster.delete("communities", "one", "/apis/metallb.io/v1beta1")
            await seen.until(lambda: not names(seen))
            assert seen.removed() == [ObjectRef("Community", cluster.namespace, "one")]
            assert seen.witness.reasons == []

    cluster.plane.run(story())


def test_service_is_there_while_it_is_a_load_balancer(cluster: Cluster, admin: Path) -> None:
    cluster.service("web", "ClusterIP")

    async def story() -> None:
        async with reading(admin, cluster.namespace) as seen:
            await seen.synced()
            assert seen.services() == set()
            cluster.service_type("web", "LoadBalancer")
            await seen.until(lambda: seen.services() == {"web"})
            cluster.service_type("web", "ClusterIP")
            await seen.until(lambda: seen.services() == set())
            assert seen.removed() == [ObjectRef("Service", cluster.namespace, "web")]

    cluster.plane.run(story())


def test_objects_of_other_namespaces_do_not_count(cluster: Cluster, admin: Path) -> None:
    Cluster(cluster.plane, "default").community("elsewhere")
    cluster.community("here")

    async def story() -> None:
        async with reading(admin, cluster.namespace) as seen:
            await seen.synced()
            assert names(seen) == {"here"}

    cluster.plane.run(story())


def test_last_good_specs_are_read_by_name(cluster: Cluster, admin: Path) -> None:
    cluster.write("POST", cluster.path("configmaps"), {"metadata": {"name": "other"}, "data": {"a": "b"}})
    cluster.write("POST", cluster.path("configmaps"), {"metadata": {"name": LAST_GOOD}, "data": {"c": "d"}})

    async def story() -> None:
        async with reading(admin, cluster.namespace) as seen:
            await seen.synced()
            assert seen.store.last_good is not None
            assert seen.store.last_good.data == {"c": "d"}

    cluster.plane.run(story())


# --- objects that cannot be used ---------------------------------------------------------------------------------------


def test_object_too_new_for_us_is_unusable_until_it_is_mended(cluster: Cluster, plane: Plane, admin: Path) -> None:
    """A newer definition allows what our struct does not."""
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/failovers.ferrule.io"
    spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec"
    old = plane.request("GET", definition)[1]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    new = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    ref = ObjectRef("Failover", cluster.namespace, "f")

    def define(shape: object) -> None:
        patch = [{"op": "replace", "path": spec, "value": shape}]
        cluster.write("PATCH", definition, patch, "application/json-patch+json")

    async def story() -> None:
        async with reading(admin, cluster.namespace) as seen:
            await seen.synced()
            cluster.custom("failovers", "Failover", "f", {"address": "192.0.2.1", "to": "a"}, "ferrule.io/v1alpha1")
            await seen.until(lambda: "f" in seen.store.failovers)
            define(new)
            path = cluster.path("failovers", "f", "/apis/ferrule.io/v1alpha1")
            await seen.until(lambda: _becomes(cluster, path, {"to": {"node": "b"}}))
            await seen.until(lambda: ref in seen.store.unusable)
            assert [problem.field for problem in seen.store.unusable[ref]] == ["spec.to"]
            assert seen.store.failovers["f"].spec.to == "a"
            cluster.write("PATCH", path, {"spec": {"to": "c"}}, "application/merge-patch+json")
            await seen.until(lambda: ref not in seen.store.unusable)
            assert seen.store.failovers["f"].spec.to == "c"
            assert len(seen.events(Unusable)) == 1

    try:
        plane.run(story())
    finally:
        plane.request("DELETE", cluster.path("failovers", "f", "/apis/ferrule.io/v1alpha1"))
        define(old)


def _becomes(cluster: Cluster, path: str, spec: object) -> bool:
    """A changed definition counts a moment later."""
    status, _ = cluster.plane.request("PATCH", path, {"spec": spec}, "application/merge-patch+json")
    return status == 200


# --- EndpointSlices ----------------------------------------------------------------------------------------------------


def test_slices_of_other_services_are_dropped_and_fetched_later(cluster: Cluster, admin: Path) -> None:
    for number in range(3):
        cluster.service(f"s{number}", "ClusterIP")
        cluster.endpoint_slice(f"s{number}-a", f"s{number}", f"192.0.2.{number}")
        cluster.endpoint_slice(f"s{number}-b", f"s{number}", f"198.51.100.{number}")

    async def story() -> None:
        async with reading(admin, cluster.namespace) as seen:
            await seen.synced()
            assert delivered_slices(seen) == []
            for number in range(3):
                cluster.service_type(f"s{number}", "LoadBalancer")
            for number in range(3):
                await seen.until(seen.has(f"s{number}", f"192.0.2.{number}", f"198.51.100.{number}"))
            assert sorted(delivered_slices(seen)) == [f"s{n}-{part}" for n in range(3) for part in "ab"]
            cluster.slice_addresses("s1-a", "203.0.113.1")
            await seen.until(lambda: seen.endpoints("s1") == ["198.51.100.1", "203.0.113.1"])

    cluster.plane.run(story())


def test_slices_go_with_their_service_and_come_back(cluster: Cluster, admin: Path) -> None:
    cluster.service("web")
    cluster.endpoint_slice("web-1", "web", "192.0.2.1")

    async def story() -> None:
        async with reading(admin, cluster.namespace) as seen:
            await seen.synced()
            cluster.service_type("web", "ClusterIP")
            await seen.until(lambda: not seen.services())
            assert ObjectRef("EndpointSlice", cluster.namespace, "web-1") in seen.removed()
            cluster.slice_addresses("web-1", "192.0.2.2")
            cluster.service_type("web", "LoadBalancer")
            await seen.until(lambda: seen.endpoints("web") == ["192.0.2.2"])
            cluster.delete("endpointslices", "web-1", "/apis/discovery.k8s.io/v1")
            await seen.until(lambda: not seen.endpoints("web"))

    cluster.plane.run(story())


@pytest.mark.parametrize("first", ["slice", "service"])
def test_service_and_slice_may_come_in_any_order(cluster: Cluster, admin: Path, first: str) -> None:
    async def story() -> None:
        async with reading(admin, cluster.namespace) as seen:
            await seen.synced()
            for number in range(20):
                steps = [
                    lambda n=number: cluster.service(f"s{n}"),
                    lambda n=number: cluster.endpoint_slice(f"s{n}-a", f"s{n}", f"192.0.2.{n}"),
                ]
                for step in steps if first == "service" else reversed(steps):
                    step()
                    await asyncio.sleep(0)
            for number in range(20):
                await seen.until(seen.has(f"s{number}", f"192.0.2.{number}"))
            # At most one each, however often a slice was told and fetched at the same time.
            assert len(delivered_slices(seen)) == 20

    cluster.plane.run(story())


def test_slice_that_changes_hands_is_removed(cluster: Cluster, admin: Path) -> None:
    cluster.service("web")
    cluster.endpoint_slice("one", "web", "192.0.2.1")

    async def story() -> None:
        async with reading(admin, cluster.namespace) as seen:
            await seen.synced()
            body = {"metadata": {"labels": {"kubernetes.io/service-name": "nobody"}}}
            path = cluster.path("endpointslices", "one", "/apis/discovery.k8s.io/v1")
            cluster.write("PATCH", path, body, "application/merge-patch+json")
            await seen.until(lambda: not seen.endpoints("web"))
            assert ObjectKey(cluster.namespace, "web") in seen.store.services

    cluster.plane.run(story())


# --- Secrets and rivals ------------------------------------------------------------------------------------------------


def test_secrets_are_read_by_name_as_peers_name_them(cluster: Cluster, admin: Path) -> None:
    for name in ("memberlist", "one", "two", "unrelated"):
        cluster.secret(name)
    cluster.peer("a", "one")

    def secrets(seen: Reading) -> set[str]:
        return set(seen.store.snapshot().secrets)

    async def story() -> None:
        async with reading(admin, cluster.namespace) as seen:
            await seen.synced()
            assert secrets(seen) == {"memberlist", "one"}
            cluster.peer("b", "two")
            await seen.until(lambda: secrets(seen) == {"memberlist", "one", "two"})
            cluster.peer("c", "later")
            cluster.secret("later")
            await seen.until(lambda: "later" in secrets(seen))
            cluster.delete("bgppeers", "b", "/apis/metallb.io/v1beta2")
            await seen.until(lambda: "two" not in secrets(seen))
            assert seen.removed()[-1] == ObjectRef("Secret", cluster.namespace, "two")

    cluster.plane.run(story())


def test_pods_of_metallb_are_rivals_until_they_end(cluster: Cluster, admin: Path) -> None:
    def pod(name: str, **labels: str) -> None:
        body = {
            "metadata": {"name": name, "labels": {key.replace("__", "/"): value for key, value in labels.items()}},
            "spec": {"containers": [{"name": "c", "image": "none"}], "automountServiceAccountToken": False},
        }
        cluster.write("POST", cluster.path("pods"), body)

    cluster.write("POST", cluster.path("serviceaccounts"), {"metadata": {"name": "default"}})
    pod("old", app="metallb")
    pod("chart", **{"app.kubernetes.io__name": "metallb"})
    pod("ours", app="metallb", ferrule__x="y", **{"ferrule.io__component": "speaker"})
    pod("other", app="web")
    place = cluster.namespace

    async def story() -> None:
        async with reading(admin, place) as seen:
            await seen.synced()
            assert seen.events(Rivals)[-1].pods == {f"{place}/old", f"{place}/chart"}
            done = {"status": {"phase": "Succeeded"}}
            cluster.write("PATCH", cluster.path("pods", "old/status"), done, "application/merge-patch+json")
            await seen.until(lambda: seen.events(Rivals)[-1].pods == {f"{place}/chart"})
            cluster.delete("pods", "chart?gracePeriodSeconds=0")
            await seen.until(lambda: not seen.events(Rivals)[-1].pods)

    cluster.plane.run(story())


# --- what we may not read ----------------------------------------------------------------------------------------------


def test_refused_kind_is_named_and_does_not_hold_the_others_up(cluster: Cluster, plane: Plane) -> None:
    cluster.community("one")
    limited = [*without(READER, "*"), rule("metallb.io", "bgppeers", "ipaddresspools"), rule("ferrule.io", "*")]
    kubeconfig = cluster.account("reader", limited)

    async def story() -> None:
        async with reading(kubeconfig, cluster.namespace) as seen:
            await seen.synced()
            assert seen.store.input.incomplete
            assert [problem.ref.kind for problem in seen.store.input.problems] == ["Community"]
            assert "grant get, list and watch on communities.metallb.io" in seen.store.input.problems[0].message
            assert "403" in seen.witness.failing_now["communities"]
            assert len(seen.witness.why("communities")) == 1
            cluster.grant("reader", READER)
            await seen.until(lambda: names(seen) == {"one"})
            await seen.until(lambda: seen.store.input == InputState())
            await seen.until(lambda: "communities" not in seen.witness.failing_now)

    plane.run(story())


def test_refused_feature_is_a_warning(cluster: Cluster, plane: Plane) -> None:
    kubeconfig = cluster.account("reader", [{**READER[0], "resources": ["services", "nodes"]}, *READER[1:]])

    async def story() -> None:
        async with reading(kubeconfig, cluster.namespace) as seen:
            await seen.synced()
            assert not seen.store.input.incomplete
            kinds = {problem.ref.kind for problem in seen.store.input.problems}
            assert kinds == {"Namespace", "Secret", "ConfigMap", "Pod"}

    plane.run(story())


def test_secrets_may_be_granted_one_by_one(cluster: Cluster, plane: Plane) -> None:
    cluster.secret("memberlist")
    others = {**READER[0], "resources": ["services", "nodes", "namespaces", "pods", "configmaps"]}
    single = {**rule("", "secrets"), "resourceNames": ["memberlist"]}
    kubeconfig = cluster.account("reader", [others, single, *READER[1:]])

    async def story() -> None:
        async with reading(kubeconfig, cluster.namespace) as seen:
            await seen.synced()
            assert set(seen.store.snapshot().secrets) == {"memberlist"}
            assert seen.store.input == InputState()

    plane.run(story())


@pytest.mark.parametrize("missing", ["services", "nodes", "endpointslices"])
def test_without_services_slices_and_nodes_nothing_is_synced(cluster: Cluster, plane: Plane, missing: str) -> None:
    limited = without(READER, missing)
    kubeconfig = cluster.account("reader", limited)

    async def story() -> None:
        async with reading(kubeconfig, cluster.namespace) as seen:
            await seen.until(lambda: seen.witness.count("list", missing) >= 6)
            assert not seen.events(Synced)
            assert "is forbidden: User" in seen.witness.failing_now[missing]
            cluster.grant("reader", READER)
            await seen.synced()

    plane.run(story())


def test_definition_that_comes_later_is_read(plane: Plane, cluster: Cluster) -> None:
    cluster.plane.kubectl("delete", "crd", "speakerstates.ferrule.io", "--wait")

    async def story() -> None:
        async with reading(plane.kubeconfig(), cluster.namespace) as seen:
            await seen.synced()
            assert [problem.ref.kind for problem in seen.store.input.problems] == ["SpeakerState"]
            assert "apply deploy/crds" in seen.store.input.problems[0].message
            await asyncio.to_thread(cluster.apply_definitions, "speakerstates.ferrule.io")
            cluster.custom("speakerstates", "SpeakerState", "a", {"node": "a"}, "ferrule.io/v1alpha1")
            await seen.until(lambda: "a" in seen.store.speakers)
            assert seen.store.input == InputState()

    plane.run(story())


def test_kinds_that_are_not_wanted_are_not_asked_for(cluster: Cluster, admin: Path) -> None:
    async def story() -> None:
        async with reading(admin, cluster.namespace, KINDS - {"EndpointSlice", "BGPPeer"}) as seen:
            await seen.synced()
            asked = {resource for _, resource, _ in seen.witness.requests}
            assert asked.isdisjoint({"endpointslices", "bgppeers"})
            assert not [event for event in seen.events(Removed) if event.ref.namespace == cluster.namespace]

    cluster.plane.run(story())


def test_reader_that_has_had_enough_leaves_nothing_running(cluster: Cluster, admin: Path) -> None:
    async def story() -> None:
        witness = Recorder()
        api = Api(await Access.open(admin, ""), witness)
        wanted = Wanted(kinds=KINDS, namespace=cluster.namespace)
        async with aclosing(KubeSource(api, wanted, witness).watch()) as batches:
            async for events in batches:
                if Synced() in events:
                    break
        assert len(asyncio.all_tasks()) == 1
        await api.close()

    cluster.plane.run(story())
