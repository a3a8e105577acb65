"""Events of a real cluster, as people read them."""

import json
from typing import Any

from orchestrator.resources.meta import ObjectKey, ObjectRef
from orchestrator.sources.interface import EventType, ObjectEvent
from orchestrator.sources.kube.writer import Writer
from tests.support.kube_writing import Bench, make_service, service_path, until_seen, writing
from tests.support.plane import Plane
from tests.support.plane_fixture import Tenant


def event(key: ObjectKey, reason: str, message: str, kind: EventType = EventType.NORMAL) -> ObjectEvent:
    return ObjectEvent(
        ref=ObjectRef("Service", *key), type=kind, reason=reason, message=message, component="metallb-controller"
    )


async def events(bench: Bench, namespace: str) -> list[Any]:
    answer = await bench.request("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
    return list(answer["items"])


def test_events_stand_below_their_service_with_age_sender_and_count(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            await bench.sink.record(event(key, "IPAllocated", 'Assigned IP ["192.0.2.1"]'))
            text = "Service requires dual stack but not enough clusterips [10.96.0.9]"
            for _ in range(3):
                await bench.sink.record(event(key, "not enough clusterips", text, EventType.WARNING))
                await bench.sink.flush(10)
            assert bench.witness.requests["create", "events", 201] == 2
            assert bench.witness.requests["patch", "events", 200] == 2
            assert not bench.witness.told

    plane.run(scene())
    described = plane.kubectl("describe", "svc", "web", "-n", tenant.name).stdout
    lines = [line.split() for line in described.partition("Events:")[2].splitlines()]
    allocated = next(words for words in lines if "IPAllocated" in words)
    assert allocated[0] == "Normal"
    assert allocated[3:] == ["metallb-controller", "Assigned", "IP", '["192.0.2.1"]']
    repeated = next(words for words in lines if "clusterips" in words)
    assert repeated[0] == "Warning"
    assert "(x3" in repeated
    assert "<unknown>" not in described
    listed = plane.kubectl("get", "events", "-n", tenant.name).stdout
    assert "service/web" in listed
    assert "<unknown>" not in listed


def test_event_has_the_uid_of_its_service_and_who_reports(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))
    writer = Writer(component="metallb-speaker", node="n1", namespace=tenant.name, pod="speaker-x")

    async def scene() -> None:
        async with writing(plane, writer=writer) as bench:
            await bench.knows(key)
            await bench.sink.record(event(key, "Long", "ü" * 1000))
            await bench.sink.flush(10)
            (found,) = await events(bench, tenant.name)
            service = await bench.service(key)
            assert found["regarding"]["uid"] == service["metadata"]["uid"]
            assert found["regarding"]["apiVersion"] == "v1"
            assert found["reportingInstance"] == "speaker-x"
            assert len(found["note"]) == 512

    plane.run(scene())


def test_nothing_is_told_about_a_service_that_is_gone(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            await bench.request("DELETE", service_path(key))
            await until_seen(lambda: bench.service(key), lambda _: key not in bench.store.services)
            await bench.sink.record(event(key, "Late", "too late"))
            await bench.sink.flush(10)
            assert bench.witness.writes == 0

    plane.run(scene())


def test_flood_about_one_service_is_cut_and_others_are_heard(plane: Plane, tenant: Tenant) -> None:
    keys = [make_service(plane, ObjectKey(tenant.name, name)) for name in ("noisy", "calm")]

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(*keys)
            for number in range(100):
                await bench.sink.record(event(keys[0], "Noise", f"number {number}"))
            await bench.sink.record(event(keys[1], "Quiet", "heard"))
            await bench.sink.flush(30)
            found = await events(bench, tenant.name)
            assert sum(each["reason"] == "Noise" for each in found) == 25
            assert sum(each["reason"] == "Quiet" for each in found) == 1

    plane.run(scene())


def test_event_that_expired_is_told_anew(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            for _ in range(2):
                await bench.sink.record(event(key, "Again", "and again"))
                await bench.sink.flush(10)
                found = await events(bench, tenant.name)
                assert [each["reason"] for each in found] == ["Again"]
                path = f"/apis/events.k8s.io/v1/namespaces/{tenant.name}/events/{found[0]['metadata']['name']}"
                await bench.request("DELETE", path)
            assert not bench.witness.told

    plane.run(scene())


def test_ending_namespace_takes_no_events_and_nobody_is_bothered(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            await bench.request("DELETE", f"/api/v1/namespaces/{tenant.name}")
            await bench.sink.record(event(key, "Late", "the namespace ends"))
            await bench.sink.flush(10)
            assert bench.witness.requests["create", "events", 403] == 1
            assert not bench.witness.told

    plane.run(scene())
    assert json.loads(plane.kubectl("get", "svc", "web", "-n", tenant.name, "-o", "json").stdout)["kind"] == "Service"
