"""Statuses of Services on a real API server: written as wanted, at once, never twice, and never over somebody else."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from orchestrator.resources import core
from orchestrator.resources.meta import Condition, ObjectKey, ObjectMeta, ObjectRef
from tests.support.kube_writing import (
    POOL,
    Bench,
    Switch,
    addresses_of,
    make_service,
    pool_of,
    service_path,
    status,
    until,
    until_seen,
    writing,
)
from tests.support.plane import Plane
from tests.support.plane_fixture import Tenant

MERGE = "application/merge-patch+json"
AT = "2026-01-01T00:00:00Z"
OURS = Condition(type="ferrule.io/OnLink", status="False", reason="X", message="m", last_transition_time=AT)
THEIRS = {"type": "example.org/Ready", "status": "True", "reason": "R", "message": "", "lastTransitionTime": AT}
PATCHED = ("patch", "services/status", 200)
CONFLICT = ("patch", "services/status", 409)


def play(plane: Plane, scene: Coroutine[object, object, None]) -> None:
    plane.run(scene)


def make_services(plane: Plane, namespace: str, count: int) -> Sequence[ObjectKey]:
    return [make_service(plane, ObjectKey(namespace, f"s{number}")) for number in range(count)]


async def written(bench: Bench, key: ObjectKey, *addresses: str) -> Any:
    return await until_seen(lambda: bench.service(key), lambda found: addresses_of(found) == list(addresses))


def test_status_and_annotation_appear_and_go_again(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            await bench.write(key, "192.0.2.1", "2001:db8::1")
            await bench.sink.flush(10)
            shown = plane.kubectl("get", "svc", "web", "-n", tenant.name).stdout
            assert "192.0.2.1,2001:db8::1" in shown
            assert pool_of(await bench.service(key)) == "pool"
            await bench.write(key, pool=None)
            await bench.sink.flush(10)
            found = await bench.service(key)
            assert (addresses_of(found), pool_of(found)) == ([], None)
            assert "<pending>" in plane.kubectl("get", "svc", "web", "-n", tenant.name).stdout

    play(plane, scene())


def test_nothing_is_sent_when_nothing_changes(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            for _ in range(3):
                await bench.write(key, "192.0.2.1")
                await bench.sink.flush(10)
            assert bench.witness.requests[PATCHED] == 1
            await until(lambda: bool(bench.store.addresses(key)), "our write came back")
            await bench.write(key, "192.0.2.1")
            await bench.sink.flush(10)
            assert bench.witness.writes == 1

    play(plane, scene())


def test_status_that_metallb_wrote_is_left_alone_while_it_is_right(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))
    service = plane.request("GET", service_path(key))[1]
    service["metadata"]["annotations"] = {POOL: "pool"}
    service["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    plane.request("PUT", f"{service_path(key)}/status?fieldManager=controller", service)
    before = plane.request("GET", service_path(key))[1]

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            await bench.write(key, "192.0.2.1")
            await bench.sink.flush(10)
            assert bench.witness.writes == 0
            assert await bench.service(key) == before
            await bench.write(key, "192.0.2.2")
            await bench.sink.flush(10)
            assert addresses_of(await bench.service(key)) == ["192.0.2.2"]

    play(plane, scene())


def test_write_on_an_old_version_is_done_again_on_the_new_one(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            bench.stop_watching()
            await bench.request("PATCH", service_path(key), {"metadata": {"labels": {"changed": "meanwhile"}}}, MERGE)
            await bench.write(key, "192.0.2.1")
            await bench.sink.flush(10)
            found = await bench.service(key)
            assert addresses_of(found) == ["192.0.2.1"]
            assert found["metadata"]["labels"] == {"changed": "meanwhile"}
            assert (bench.witness.requests[CONFLICT], bench.witness.requests["get", "services", 200]) == (1, 1)

    play(plane, scene())


def test_two_writers_at_once_lose_nothing(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def annotate(bench: Bench, number: int) -> None:
        body = {"metadata": {"annotations": {f"number-{number}": "x"}}}
        await bench.request("PATCH", service_path(key), body, MERGE)

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            for number in range(30):
                await asyncio.gather(annotate(bench, number), bench.write(key, f"192.0.2.{number}"))
            found = await written(bench, key, "192.0.2.29")
            assert len(found["metadata"]["annotations"]) == 31

    play(plane, scene())


def test_service_of_the_same_name_gets_nothing_that_was_decided_about_its_predecessor(
    plane: Plane, tenant: Tenant
) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            bench.stop_watching()
            await bench.request("DELETE", service_path(key))
            await asyncio.to_thread(make_service, plane, key)
            await bench.write(key, "192.0.2.1")
            await bench.sink.flush(10)
            assert addresses_of(await bench.service(key)) == []
            assert not bench.witness.told

    play(plane, scene())


def test_service_that_is_gone_needs_no_status(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            bench.stop_watching()
            await bench.request("DELETE", service_path(key))
            await bench.write(key, "192.0.2.1")
            await bench.sink.flush(10)
            assert bench.witness.requests["patch", "services/status", 404] == 1
            assert not bench.witness.told

    play(plane, scene())


def test_conditions_of_others_stay_among_ours(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            bench.stop_watching()  # what others wrote is found by the conflict only
            await bench.request("PATCH", f"{service_path(key)}/status", {"status": {"conditions": [THEIRS]}}, MERGE)
            await bench.sink.write_service_status(key, status("192.0.2.1", conditions=(OURS,)), {})
            await bench.sink.flush(10)
            found = (await bench.service(key))["status"]
            assert [each["type"] for each in found["conditions"]] == [THEIRS["type"], OURS.type]
            await bench.sink.write_service_status(key, status("192.0.2.1"), {})
            await bench.sink.flush(10)
            assert (await bench.service(key))["status"]["conditions"] == [THEIRS]

    play(plane, scene())


def test_change_of_type_takes_away_what_was_ours(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            await bench.sink.write_service_status(key, status("192.0.2.1", conditions=(OURS,)), {POOL: "pool"})
            await bench.sink.flush(10)
            await bench.request("PATCH", service_path(key), {"spec": {"type": "ClusterIP"}}, MERGE)
            await until(lambda: key not in bench.store.services, "the watch lost it")
            await bench.sink.delete(ObjectRef("Service", *key))
            await bench.sink.flush(10)
            found = await bench.service(key)
            assert (addresses_of(found), pool_of(found)) == ([], None)
            assert not found["status"].get("conditions")

    play(plane, scene())


def test_service_is_never_deleted_nor_cleared_while_it_is_a_load_balancer(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            await bench.write(key, "192.0.2.1")
            await bench.sink.flush(10)
            bench.stop_watching()
            bench.store.services.clear()
            await bench.sink.delete(ObjectRef("Service", *key))
            await bench.sink.delete(ObjectRef("Service", tenant.name, "never-there"))
            await bench.sink.flush(10)
            found = await bench.service(key)
            assert (addresses_of(found), pool_of(found)) == (["192.0.2.1"], "pool")
            assert not bench.witness.told

    play(plane, scene())


def test_newest_wins_while_older_ones_are_under_way(plane: Plane, tenant: Tenant) -> None:
    keys = make_services(plane, tenant.name, 60)

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(*keys)
            for last in range(1, 11):
                for key in keys:
                    await bench.write(key, f"192.0.2.{last}")
                await asyncio.sleep(0.005)
            await bench.sink.flush(30)
            for key in keys:
                assert addresses_of(await bench.service(key)) == ["192.0.2.10"]
            assert bench.witness.requests[PATCHED] < 10 * len(keys)

    play(plane, scene())


def test_withdrawal_overtakes_addresses_that_wait(plane: Plane, tenant: Tenant) -> None:
    keys = make_services(plane, tenant.name, 100)

    async def scene() -> None:
        async with writing(plane) as bench:
            await bench.knows(*keys)
            await bench.write(keys[-1], "192.0.2.200")
            await bench.sink.flush(10)
            for key in keys[:-1]:
                await bench.write(key, "192.0.2.1")
            await bench.write(keys[-1], pool=None)
            await bench.sink.flush(30)
            versions = [int((await bench.service(key))["metadata"]["resourceVersion"]) for key in keys]
            before = sum(version < versions[-1] for version in versions[:-1])
            assert before <= 32, f"{before} of 99 went before the withdrawal"

    play(plane, scene())


def test_gate_that_closes_amid_a_thousand_writes_lets_none_through(plane: Plane, tenant: Tenant) -> None:
    switch = Switch()
    applied = ("patch", "configmaps", 201)

    async def scene() -> None:
        async with writing(plane, switch=switch) as bench:
            for number in range(1000):
                await bench.sink.write(config_map(tenant.name, f"c{number}", "1"))
            await until(lambda: bench.witness.requests[applied] >= 200, "some are written")
            switch.on = False
            await until(lambda: not bench.under_way, "what was sent has been answered")
            sent = bench.witness.writes
            assert sent == bench.witness.requests[applied] < 1000
            switch.on = True
            await bench.sink.flush(60)
            assert bench.witness.requests[applied] == 1000
            switch.on = False
            for number in range(1000):
                await bench.sink.write(config_map(tenant.name, f"c{number}", "2"))
            bench.sink.forget()
            switch.on = True
            await bench.sink.flush(30)
            assert bench.witness.writes == 1000

    play(plane, scene())


def config_map(namespace: str, name: str, text: str) -> core.ConfigMap:
    return core.ConfigMap(metadata=ObjectMeta(name=name, namespace=namespace), data={"text": text})
