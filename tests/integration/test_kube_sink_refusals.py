"""What the API server does not take, or does not answer: told once with a reason, tried again, written in the end."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.resources import core, extensions, metallb
from orchestrator.resources.meta import ObjectKey, ObjectMeta, ObjectRef
from tests.support.kube_writing import (
    CONTROLLER,
    Bench,
    addresses_of,
    install_crds,
    make_service,
    until,
    until_seen,
    writing,
)
from tests.support.plane import Plane, running_plane
from tests.support.plane_fixture import Tenant

IMPATIENT = replace(CONTROLLER, refusal_s=0.5)
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
WHOLE_SERVICE = ObjectRef("Service", "", "")


def only_in(tenant: Tenant) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": tenant.name}}}


def post(plane: Plane, path: str, body: dict[str, Any]) -> None:
    code, answer = plane.request("POST", path, body)
    assert code == 201, answer


def forbid_address(plane: Plane, tenant: Tenant, address: str) -> None:
    """A policy of the cluster's owner that refuses one address."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["services/status"]}
    no_ingress = "!has(object.status.loadBalancer.ingress)"
    expression = f"{no_ingress} || object.status.loadBalancer.ingress.all(i, i.ip != '{address}')"
    spec = {
        "matchConstraints": {"resourceRules": [rule], **only_in(tenant)},
        "validations": [{"expression": expression, "message": "that one is mine"}],
    }
    post(plane, POLICIES, {"metadata": {"name": tenant.name}, "spec": spec})
    binding = {"policyName": tenant.name, "validationActions": ["Deny"]}
    post(plane, BINDINGS, {"metadata": {"name": tenant.name}, "spec": binding})


async def until_policy_is_active(bench: Bench, key: ObjectKey, address: str) -> None:
    """A dry run tells; policies take effect a moment after they were made."""
    body = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
    path = f"/api/v1/namespaces/{key.namespace}/services/{key.name}/status?dryRun=All"
    await until_seen(
        lambda: bench.request("PATCH", path, body, "application/merge-patch+json"),
        lambda answer: answer.get("kind") == "Status",
    )


def test_policy_that_refuses_is_told_with_its_words_and_found_out_to_be_gone(plane: Plane, tenant: Tenant) -> None:
    key, other = (make_service(plane, ObjectKey(tenant.name, name)) for name in ("a", "b"))
    ref = ObjectRef("Service", *key)
    forbid_address(plane, tenant, "192.0.2.66")

    async def scene() -> None:
        async with writing(plane, writer=IMPATIENT) as bench:
            await bench.knows(key, other)
            await until_policy_is_active(bench, key, "192.0.2.66")
            await bench.write(key, "192.0.2.66")
            await bench.write(other, "192.0.2.1")
            await until(lambda: ref in bench.witness.refusals, "refused")
            assert "that one is mine" in bench.witness.refusals[ref]
            await until_seen(lambda: bench.service(other), lambda found: addresses_of(found) == ["192.0.2.1"])
            await bench.write(key, "192.0.2.2")
            await until_seen(lambda: bench.service(key), lambda found: addresses_of(found) == ["192.0.2.2"])
            await until(lambda: not bench.witness.refusals, "not refused any more")
            await bench.write(key, "192.0.2.66")
            await until(lambda: len(bench.witness.told) == 2, "refused again")
            await bench.request("DELETE", f"{BINDINGS}/{tenant.name}")
            await until_seen(lambda: bench.service(key), lambda found: addresses_of(found) == ["192.0.2.66"])
            await until(lambda: not bench.witness.refusals, "not refused any more")
            assert len(bench.witness.told) == 2, "each refusal is told once, however often it is tried"

    plane.run(scene())


def test_webhook_whose_server_is_down_refuses_one_object_and_is_named(plane: Plane, tenant: Tenant) -> None:
    key, other = make_service(plane, ObjectKey(tenant.name, "a")), ObjectKey(tenant.name, "c")
    ref = ObjectRef("Service", *key)
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["services/status"]}
    hook = {
        "name": "down.example.org",
        "clientConfig": {"url": "https://127.0.0.1:9/down"},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        **only_in(tenant),
    }
    post(plane, WEBHOOKS, {"metadata": {"name": tenant.name}, "webhooks": [hook]})

    async def scene() -> None:
        async with writing(plane, writer=IMPATIENT) as bench:
            await bench.knows(key)
            await until_policy_is_active(bench, key, "192.0.2.9")
            await bench.write(key, "192.0.2.1")
            await bench.sink.write(core.ConfigMap(metadata=ObjectMeta(name=other.name, namespace=other.namespace)))
            await until(lambda: ref in bench.witness.refusals, "refused")
            assert "down.example.org" in bench.witness.refusals[ref]
            assert "webhook" in bench.witness.refusals[ref]
            await bench.sink.flush(10)
            assert bench.witness.requests["patch", "configmaps", 201] == 1
            await bench.request("DELETE", f"{WEBHOOKS}/{tenant.name}")
            await until_seen(lambda: bench.service(key), lambda found: addresses_of(found) == ["192.0.2.1"])
            await until(lambda: not bench.witness.refusals, "not refused any more")

    plane.run(scene())


def test_missing_rbac_rule_stops_a_kind_with_one_word_until_it_is_granted(plane: Plane, tenant: Tenant) -> None:
    keys = [make_service(plane, ObjectKey(tenant.name, f"s{number}")) for number in range(30)]
    post(plane, f"/api/v1/namespaces/{tenant.name}/serviceaccounts", {"metadata": {"name": "writer"}})
    maps = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]}
    role = {"metadata": {"name": "writer"}, "rules": [maps]}
    post(plane, f"{RBAC}/namespaces/{tenant.name}/roles", role)
    subject = {"kind": "ServiceAccount", "name": "writer", "namespace": tenant.name}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "writer"}
    binding = {"metadata": {"name": "writer"}, "subjects": [subject], "roleRef": reference}
    post(plane, f"{RBAC}/namespaces/{tenant.name}/rolebindings", binding)

    async def scene() -> None:
        kubeconfig = plane.account_kubeconfig(tenant.name, "writer")
        async with writing(plane, kubeconfig=kubeconfig) as bench:
            await bench.knows(*keys)
            for key in keys:
                await bench.write(key, "192.0.2.1")
            await bench.sink.write(core.ConfigMap(metadata=ObjectMeta(name="c", namespace=tenant.name)))
            await bench.sink.flush(30)
            assert bench.witness.requests["patch", "configmaps", 201] == 1
            assert list(bench.witness.refusals) == [WHOLE_SERVICE]
            assert 'cannot patch resource "services/status"' in bench.witness.refusals[WHOLE_SERVICE]
            assert bench.witness.requests["patch", "services/status", 403] <= 20
            services = {"apiGroups": [""], "resources": ["services/status"], "verbs": ["patch"]}
            path = f"{RBAC}/namespaces/{tenant.name}/roles/writer"
            await bench.request("PATCH", path, {"rules": [maps, services]}, "application/merge-patch+json")
            await until(lambda: bench.witness.requests["patch", "services/status", 200] == 30, "all are written")
            assert not bench.witness.refusals
            assert len(bench.witness.told) == 1

    plane.run(scene())


def test_definitions_that_are_missing_are_told_and_found_when_they_come() -> None:
    with running_plane() as plane:
        state = extensions.SpeakerState(
            metadata=ObjectMeta(name="n1"), spec=extensions.SpeakerStateSpec(node="n1", instance="i")
        )
        result = metallb.ConfigurationState(
            metadata=ObjectMeta(name="controller", namespace="default"),
            status=metallb.ConfigurationStateStatus(result="Valid"),
        )

        async def scene() -> None:
            async with writing(plane, writer=replace(CONTROLLER, namespace="default")) as bench:
                await bench.sink.write(state)
                await bench.sink.write(result)
                await until(lambda: len(bench.witness.refusals) == 2, "both told")
                assert set(bench.witness.refusals) == {
                    ObjectRef("SpeakerState", "", ""),
                    ObjectRef("ConfigurationState", "", ""),
                }
                assert all("apply the CRDs" in reason for reason in bench.witness.refusals.values())
                await asyncio.to_thread(install_crds, plane)
                await until(lambda: not bench.witness.refusals, "taken")
                path = "/apis/ferrule.io/v1alpha1/namespaces/default/speakerstates/n1"
                found = await bench.request("GET", path)
                assert found["spec"]["instance"] == "i"
                path = "/apis/metallb.io/v1beta1/namespaces/default/configurationstates/controller"
                found = await bench.request("GET", path)
                assert found["status"] == {"result": "Valid"}
                assert len(bench.witness.told) == 2

        plane.run(scene())


@pytest.mark.timeout(180)
def test_everything_is_written_after_the_api_server_was_away() -> None:
    with running_plane() as plane:
        keys = [make_service(plane, ObjectKey("default", f"s{number}")) for number in range(40)]

        async def scene() -> None:
            async with writing(plane) as bench:
                await bench.knows(*keys)
                for key in keys:
                    await bench.write(key, "192.0.2.1")
                await until(lambda: bench.witness.writes >= 10, "some are under way")
                await asyncio.to_thread(plane.stop_api_server)
                before = bench.witness.writes
                for key in keys[:20]:
                    await bench.write(key, "192.0.2.2")
                await until(lambda: bench.witness.writes > before + 3, "it is tried, one at a time")
                await asyncio.to_thread(plane.start_api_server)
                await until(lambda: not bench.under_way and bench.settled, "all is written")
                for number, key in enumerate(keys):
                    address = "192.0.2.2" if number < 20 else "192.0.2.1"
                    assert addresses_of(await bench.service(key)) == [address]
                assert not bench.witness.refusals

        plane.run(scene())
