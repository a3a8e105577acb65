"""Objects of ours on a real API server: whole, owned, taken over from MetalLB, removed with their owners."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from orchestrator.resources import core, extensions, metallb
from orchestrator.resources.meta import Condition, ObjectMeta, ObjectRef
from orchestrator.resources.secret_text import SecretText
from orchestrator.sources.kube.writer import Writer
from tests.support.kube_writing import CONTROLLER, Bench, install_crds, until, until_seen, writing
from tests.support.plane import Plane
from tests.support.plane_fixture import PlaneSetup, Tenant

METALLB = "/apis/metallb.io/v1beta1/namespaces"
AT = "2026-01-01T00:00:00Z"
GONE = 404


@pytest.fixture(scope="module")
def plane_setup() -> PlaneSetup:
    return PlaneSetup(controllers=("garbage-collector-controller",))


@pytest.fixture(scope="module", autouse=True)
def crds(plane: Plane) -> None:
    install_crds(plane)


def speaker(tenant: Tenant, node: str, pod: str = "", **figures: Any) -> Writer:
    return Writer(component="metallb-speaker", node=node, namespace=tenant.name, pod=pod, **figures)


def l2_status(tenant: Tenant, name: str, node: str = "n1", *interfaces: str) -> metallb.ServiceL2Status:
    labels = {"metallb.io/node": node, "metallb.io/service-name": "web", "metallb.io/service-namespace": "default"}
    return metallb.ServiceL2Status(
        metadata=ObjectMeta(name=name, namespace=tenant.name, labels=labels),
        status=metallb.ServiceL2StatusStatus(
            node=node,
            service_name="web",
            service_namespace="default",
            interfaces=tuple(metallb.InterfaceInfo(name=each) for each in interfaces),
        ),
    )


def bgp_status(tenant: Tenant, name: str, *peers: str) -> metallb.ServiceBGPStatus:
    return metallb.ServiceBGPStatus(
        metadata=ObjectMeta(name=name, namespace=tenant.name, labels={"metallb.io/node": "n1"}),
        status=metallb.ServiceBGPStatusStatus(
            node="n1", service_name=name, service_namespace="default", peers=tuple(peers)
        ),
    )


def speaker_state(node: str, instance: str) -> extensions.SpeakerState:
    return extensions.SpeakerState(
        metadata=ObjectMeta(name=node), spec=extensions.SpeakerStateSpec(node=node, instance=instance)
    )


def make_pod(plane: Plane, tenant: Tenant, name: str) -> str:
    """A pod that never starts; returns its uid."""
    account = {"metadata": {"name": "default"}}
    plane.request("POST", f"/api/v1/namespaces/{tenant.name}/serviceaccounts", account)
    pod = {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "none"}]}}
    code, answer = plane.request("POST", f"/api/v1/namespaces/{tenant.name}/pods", pod)
    assert code == 201, answer
    return str(answer["metadata"]["uid"])


def make_node(plane: Plane, name: str) -> str:
    code, answer = plane.request("POST", "/api/v1/nodes", {"metadata": {"name": name}})
    assert code == 201, answer
    return str(answer["metadata"]["uid"])


def delete_pod(plane: Plane, tenant: Tenant, name: str) -> None:
    plane.request("DELETE", f"/api/v1/namespaces/{tenant.name}/pods/{name}?gracePeriodSeconds=0")


async def l2(bench: Bench, tenant: Tenant, name: str) -> Any:
    return await bench.request("GET", f"{METALLB}/{tenant.name}/servicel2statuses/{name}")


def owners(found: Any) -> list[tuple[str, str]]:
    return [(each["kind"], each["uid"]) for each in found["metadata"].get("ownerReferences", [])]


def test_status_object_is_made_changed_and_removed(plane: Plane, tenant: Tenant) -> None:
    uid = make_pod(plane, tenant, "speaker-a")

    async def scene() -> None:
        async with writing(plane, writer=speaker(tenant, "n1", "speaker-a")) as bench:
            await bench.sink.write(l2_status(tenant, "l2-x", "n1", "eth0", "eth1"))
            await bench.sink.flush(10)
            found = await l2(bench, tenant, "l2-x")
            assert [each["name"] for each in found["status"]["interfaces"]] == ["eth0", "eth1"]
            assert found["metadata"]["labels"]["metallb.io/node"] == "n1"
            assert owners(found) == [("Pod", uid)]
            assert {each["manager"] for each in found["metadata"]["managedFields"]} == {"ferrule-speaker"}
            before = bench.witness.writes
            await bench.sink.write(l2_status(tenant, "l2-x"))
            await bench.sink.flush(10)
            assert "interfaces" not in (await l2(bench, tenant, "l2-x"))["status"]
            assert bench.witness.writes == before + 1, "a change costs one request"
            ref = ObjectRef("ServiceL2Status", tenant.name, "l2-x")
            await bench.sink.delete(ref)
            await bench.sink.delete(ref)
            await bench.sink.flush(10)
            assert (await l2(bench, tenant, "l2-x"))["code"] == GONE
            await bench.sink.delete(ref)
            await bench.sink.flush(10)
            assert not bench.witness.told

    plane.run(scene())


def test_object_that_somebody_removed_is_made_again(plane: Plane, tenant: Tenant) -> None:
    async def scene() -> None:
        async with writing(plane, writer=speaker(tenant, "n1")) as bench:
            for _ in range(2):
                await bench.sink.write(l2_status(tenant, "l2-x", "n1", "eth0"))
                await bench.sink.flush(10)
                found = await l2(bench, tenant, "l2-x")
                assert found["status"]["interfaces"] == [{"name": "eth0"}]
                await bench.request("DELETE", f"{METALLB}/{tenant.name}/servicel2statuses/l2-x")
            assert not bench.witness.told

    plane.run(scene())


def test_what_metallb_wrote_is_taken_over_whole(plane: Plane, tenant: Tenant) -> None:
    path = f"{METALLB}/{tenant.name}/configurationstates"
    labels = {"metallb.io/component-type": "controller"}
    theirs = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "ConfigurationState",
        "metadata": {"name": "controller", "labels": labels},
    }
    made = plane.request("POST", f"{path}?fieldManager=controller", theirs)[1]
    condition = {"type": "other", "status": "False", "reason": "R", "message": "", "lastTransitionTime": AT}
    made["status"] = {"result": "Invalid", "errorSummary": "theirs", "conditions": [condition]}
    code, answer = plane.request("PUT", f"{path}/controller/status?fieldManager=controller", made)
    assert code == 200, answer
    own = Condition(type="poolReconcilerValid", status="True", reason="Reconciled", last_transition_time=AT)
    state = metallb.ConfigurationState(
        metadata=ObjectMeta(name="controller", namespace=tenant.name, labels=labels),
        status=metallb.ConfigurationStateStatus(result="Valid", conditions=(own,)),
    )

    async def scene() -> None:
        async with writing(plane, writer=replace(CONTROLLER, namespace=tenant.name)) as bench:
            await bench.sink.write(state)
            await bench.sink.flush(10)
            status = (await bench.request("GET", f"{path}/controller"))["status"]
            assert status["result"] == "Valid"
            assert "errorSummary" not in status
            assert [each["type"] for each in status["conditions"]] == ["poolReconcilerValid"]
            assert not bench.witness.told

    plane.run(scene())


def test_statuses_go_with_their_pod_unless_its_successor_has_written_them(plane: Plane, tenant: Tenant) -> None:
    node = f"node-{tenant.name}"
    make_node(plane, node)
    for pod in ("old", "new"):
        make_pod(plane, tenant, pod)

    async def scene() -> None:
        async with writing(plane, writer=speaker(tenant, node, "old")) as bench:
            for name in ("kept", "left"):
                await bench.sink.write(l2_status(tenant, name, "n1", "eth0"))
            await bench.sink.write(speaker_state(node, "old"))
            await bench.sink.flush(10)
        async with writing(plane, writer=speaker(tenant, node, "new")) as bench:
            await bench.sink.write(l2_status(tenant, "kept", "n1", "eth0"))
            await bench.sink.flush(10)
            assert bench.witness.requests["patch", "servicel2statuses/status", 200] == 0, "its status was right already"
            delete_pod(plane, tenant, "old")
            await until_seen(lambda: l2(bench, tenant, "left"), lambda found: found.get("code") == GONE)
            assert len(owners(await l2(bench, tenant, "kept"))) == 1
            path = f"/apis/ferrule.io/v1alpha1/namespaces/{tenant.name}/speakerstates/{node}"
            assert (await bench.request("GET", path))["spec"]["instance"] == "old"
            await bench.request("DELETE", f"/api/v1/nodes/{node}")
            await until_seen(lambda: bench.request("GET", path), lambda found: found.get("code") == GONE)
            assert (await l2(bench, tenant, "kept"))["status"]["node"] == "n1"

    plane.run(scene())


def test_owner_that_cannot_be_read_delays_nothing_and_is_set_once_it_can(plane: Plane, tenant: Tenant) -> None:
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{tenant.name}"
    plane.request("POST", f"/api/v1/namespaces/{tenant.name}/serviceaccounts", {"metadata": {"name": "s"}})
    ours = {"apiGroups": ["metallb.io"], "resources": ["*"], "verbs": ["*"]}
    plane.request("POST", f"{rbac}/roles", {"metadata": {"name": "s"}, "rules": [ours]})
    subject = {"kind": "ServiceAccount", "name": "s", "namespace": tenant.name}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "s"}
    plane.request(
        "POST", f"{rbac}/rolebindings", {"metadata": {"name": "s"}, "subjects": [subject], "roleRef": reference}
    )
    uid = make_pod(plane, tenant, "speaker-a")

    async def scene() -> None:
        kubeconfig = plane.account_kubeconfig(tenant.name, "s")
        async with writing(plane, writer=speaker(tenant, "n1", "speaker-a"), kubeconfig=kubeconfig) as bench:
            for name in ("a", "b"):
                await bench.sink.write(l2_status(tenant, name, "n1", "eth0"))
            await bench.sink.flush(10)
            found = await l2(bench, tenant, "a")
            assert found["status"]["interfaces"] == [{"name": "eth0"}]
            assert owners(found) == []
            assert list(bench.witness.refusals) == [ObjectRef("Pod", "", "")]
            pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
            await bench.request("PATCH", f"{rbac}/roles/s", {"rules": [ours, pods]}, "application/merge-patch+json")
            for name in ("a", "b"):
                await until_seen(partial(l2, bench, tenant, name), lambda found: owners(found) == [("Pod", uid)])
            assert not bench.witness.refusals

    plane.run(scene())


def test_counts_of_a_quota_leave_its_conditions_alone(plane: Plane, tenant: Tenant) -> None:
    path = f"/apis/ferrule.io/v1alpha1/namespaces/{tenant.name}/addressquotas"
    body = {"apiVersion": "ferrule.io/v1alpha1", "kind": "AddressQuota", "metadata": {"name": "q"}, "spec": {"ipv4": 3}}
    plane.request("POST", path, body)
    accepted = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
    status = {"status": {"conditions": [{**accepted, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
    plane.request("PATCH", f"{path}/q/status", status, "application/merge-patch+json")

    def quota(*used: int) -> extensions.AddressQuota:
        return extensions.AddressQuota(
            metadata=ObjectMeta(name="q", namespace=tenant.name),
            spec=extensions.AddressQuotaSpec(ipv4=9),
            status=extensions.AddressQuotaStatus(
                used_ipv4=sum(used),
                namespaces=tuple(
                    extensions.NamespaceUse(namespace=f"n{number}", ipv4=each) for number, each in enumerate(used)
                ),
            ),
        )

    async def scene() -> None:
        async with writing(plane, writer=replace(CONTROLLER, namespace=tenant.name)) as bench:
            for used in ((2, 1), (1,)):
                await bench.sink.write(quota(*used))
                await bench.sink.flush(10)
            found = await bench.request("GET", f"{path}/q")
            assert found["spec"]["ipv4"] == 3
            assert found["status"]["usedIPv4"] == 1
            assert found["status"]["namespaces"] == [{"namespace": "n0", "ipv4": 1, "ipv6": 0}]
            assert [each["type"] for each in found["status"]["conditions"]] == ["Accepted"]
            assert not owners(found)

    plane.run(scene())


def test_conditions_of_one_object_leave_each_other_alone(plane: Plane, tenant: Tenant) -> None:
    path = f"/apis/metallb.io/v1beta2/namespaces/{tenant.name}/bgppeers"
    spec = {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.254"}
    body = {"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": {"name": "tor"}, "spec": spec}
    plane.request("POST", path, body)
    ref = ObjectRef("BGPPeer", tenant.name, "tor")

    def said(type_: str, status: str) -> Condition:
        return Condition(type=type_, status=status, reason="Why", last_transition_time="2026-01-01T00:00:00Z")

    async def scene() -> None:
        async with writing(plane, writer=replace(CONTROLLER, namespace=tenant.name)) as bench:

            async def told() -> dict[str, str]:
                found = await bench.request("GET", f"{path}/tor")
                conditions = found.get("status", {}).get("conditions", ())
                return {each["type"]: each["status"] for each in conditions}

            expected: dict[str, str] = {}
            for type_, status in (("Accepted", "True"), ("Established", "Unknown"), ("Established", "False")):
                await bench.sink.write_condition(ref, said(type_, status))
                expected[type_] = status
                await until_seen(told, lambda seen: seen == expected)

    plane.run(scene())


def test_pool_status_is_all_that_is_written_of_a_pool(plane: Plane, tenant: Tenant) -> None:
    path = f"{METALLB}/{tenant.name}/ipaddresspools"
    spec = {"addresses": ["192.0.2.0/24"], "autoAssign": False}
    body = {"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": {"name": "p"}, "spec": spec}
    plane.request("POST", path, body)

    def pool(assigned: int) -> metallb.IPAddressPool:
        return metallb.IPAddressPool(
            metadata=ObjectMeta(name="p", namespace=tenant.name),
            spec=metallb.IPAddressPoolSpec(addresses=("203.0.113.0/24",)),
            status=metallb.IPAddressPoolStatus(assigned_ipv4=assigned, available_ipv4=256 - assigned),
        )

    async def scene() -> None:
        async with writing(plane, writer=replace(CONTROLLER, namespace=tenant.name)) as bench:
            for assigned in range(20):
                await bench.sink.write(pool(assigned))
                await until(lambda: not bench.under_way, "sent")
            await until_seen(
                lambda: bench.request("GET", f"{path}/p"),
                lambda found: found.get("status", {}).get("assignedIPv4") == 19,
            )
            found = await bench.request("GET", f"{path}/p")
            assert found["spec"] | spec == found["spec"]
            assert not owners(found)
            assert bench.witness.requests["patch", "ipaddresspools/status", 200] <= 4, "at most one a second"
            await bench.request("DELETE", f"{path}/p")
            await bench.sink.write(pool(3))
            await bench.sink.flush(10)
            assert not bench.witness.told

    plane.run(scene())


def test_secret_is_made_once_and_never_changed(plane: Plane, tenant: Tenant) -> None:
    def secret(text: str) -> core.Secret:
        return core.Secret(
            metadata=ObjectMeta(name="memberlist", namespace=tenant.name), data={"secretkey": SecretText(text)}
        )

    async def scene() -> None:
        async with writing(plane) as bench:
            for text in ("b25l", "dHdv"):
                await bench.sink.write(secret(text))
                await bench.sink.flush(10)
            found = await bench.request("GET", f"/api/v1/namespaces/{tenant.name}/secrets/memberlist")
            assert found["data"] == {"secretkey": "b25l"}
            assert bench.witness.requests["create", "secrets", 409] >= 1
            assert not bench.witness.told

    plane.run(scene())


def test_config_map_is_whole_and_what_was_dropped_is_gone(plane: Plane, tenant: Tenant) -> None:
    async def scene() -> None:
        async with writing(plane) as bench:
            for data in ({"a": "1", "b": "2"}, {"b": "3"}):
                metadata = ObjectMeta(name="ferrule-last-good", namespace=tenant.name)
                await bench.sink.write(core.ConfigMap(metadata=metadata, data=data))
                await bench.sink.flush(10)
            path = f"/api/v1/namespaces/{tenant.name}/configmaps/ferrule-last-good"
            assert (await bench.request("GET", path))["data"] == {"b": "3"}

    plane.run(scene())


def test_names_are_those_of_the_own_node_for_statuses_and_all_for_others(plane: Plane, tenant: Tenant) -> None:
    async def scene() -> None:
        async with writing(plane, writer=speaker(tenant, "n1")) as bench:
            await bench.sink.write(l2_status(tenant, "l2-mine"))
            await bench.sink.write(l2_status(tenant, "l2-theirs", "n2"))
            await bench.sink.flush(10)
            assert await bench.sink.names("ServiceL2Status", tenant.name) == {"l2-mine"}
            assert await bench.sink.names("ConfigurationState", tenant.name) == frozenset()
        async with writing(plane, writer=replace(CONTROLLER, namespace=tenant.name)) as bench:
            assert await bench.sink.names("ServiceL2Status", tenant.name) == {"l2-mine", "l2-theirs"}

    plane.run(scene())


def test_names_of_many_objects_are_read_page_by_page(plane: Plane, tenant: Tenant) -> None:
    async def scene() -> None:
        async with writing(plane) as bench:
            for number in range(501):
                await bench.sink.write(core.ConfigMap(metadata=ObjectMeta(name=f"c{number}", namespace=tenant.name)))
            await bench.sink.flush(60)
            assert len(await bench.sink.names("ConfigMap", tenant.name)) == 501
            assert bench.witness.requests["list", "configmaps", 200] == 2

    plane.run(scene())


def test_statuses_of_bgp_are_written_behind_and_not_at_all_while_they_are_too_many(
    plane: Plane, tenant: Tenant
) -> None:
    made = ("patch", "servicebgpstatuses", 201)

    async def scene() -> None:
        async with writing(plane, writer=speaker(tenant, "n1", behind_per_s=20.0, most_behind=4)) as bench:
            for number in range(9):
                await bench.sink.write(bgp_status(tenant, f"bgp-{number}", "peer"))
            await bench.sink.write(l2_status(tenant, "l2-x"))
            await bench.sink.flush(10)
            assert bench.witness.requests["patch", "servicel2statuses", 201] == 1
            assert bench.witness.requests[made] == 0
            await bench.sink.delete(ObjectRef("ServiceBGPStatus", tenant.name, "bgp-8"))
            await until(lambda: bench.witness.requests[made] == 8, "few enough to be written")
            found = await bench.request("GET", f"{METALLB}/{tenant.name}/servicebgpstatuses/bgp-0")
            assert found["status"]["peers"] == ["peer"]

    plane.run(scene())


def test_status_appears_as_kubectl_shows_it(plane: Plane, tenant: Tenant) -> None:
    async def scene() -> None:
        async with writing(plane, writer=speaker(tenant, "n1")) as bench:
            await bench.sink.write(l2_status(tenant, "l2-x", "n1", "eth0"))
            await bench.sink.flush(10)

    plane.run(scene())
    shown = plane.kubectl("get", "servicel2status", "-n", tenant.name).stdout.splitlines()
    assert shown[0].split() == ["NAME", "ALLOCATED", "NODE", "SERVICE", "NAME", "SERVICE", "NAMESPACE"]
    assert shown[1].split() == ["l2-x", "n1", "web", "default"]
    whole = json.loads(plane.kubectl("get", "servicel2status", "l2-x", "-n", tenant.name, "-o", "json").stdout)
    assert whole["status"]["serviceName"] == "web"
