"""Statuses of Services on a real API server: written as wanted, at once, and never twice."""

from orchestrator.resources.meta import Condition, ObjectKey
from tests.support.kube_writing import (
    Bench,
    addresses_of,
    make_service,
    pool_of,
    until_seen,
    writing,
)
from tests.support.plane import Plane
from tests.support.plane_fixture import Tenant

MERGE = "application/merge-patch+json"
OURS = Condition(type="ferrule.io/OnLink", status="False", reason="NoNodeOnLink", message="m")
AT = "2026-01-01T00:00:00Z"


async def written(bench: Bench, key: ObjectKey, *addresses: str) -> None:
    await until_seen(lambda: bench.service(key), lambda found: addresses_of(found) == list(addresses))


def test_status_and_annotation_appear_and_go_again(plane: Plane, tenant: Tenant) -> None:
    key = make_service(plane, ObjectKey(tenant.name, "web"))

    async def play() -> None:
        async with writing(plane) as bench:
            await bench.knows(key)
            await bench.write(key, "192.0.2.1", "2001:db8::1")
            await bench.sink.flush(10)
            shown = plane.kubectl("get", "svc", "web", "-n", tenant.name, "-o", "wide").stdout
            assert "192.0.2.1,2001:db8::1" in shown
            assert pool_of(await bench.service(key)) == "pool"
            await bench.write(key, pool=None)
            await bench.sink.flush(10)
            found = await bench.service(key)
            assert (addresses_of(found), pool_of(found)) == ([], None)
            assert "<pending>" in plane.kubectl("get", "svc", "web", "-n", tenant.name).stdout

    plane.run(play())
