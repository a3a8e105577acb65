"""Two controller processes beside a real API server: one acts, whatever happens to either."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.support.kube_controllers import LEASE_S, Cluster, cluster, missing, wait_until
from tests.support.plane_fixture import Tenant


@pytest.fixture
def running(tenant: Tenant, tmp_path: Path) -> Iterator[Cluster]:
    with cluster(tenant, tmp_path) as found:
        yield found


def test_only_the_leader_writes(running: Cluster) -> None:
    leader, other = running.pair()
    for number in range(30):
        running.service(f"web-{number}")
    wait_until(lambda: not missing(running.addresses()), running.words())
    assert other.writes() == 0
    assert other.ready()["leader"] == f"standing by, {leader.name} leads"
    assert other.ready()["first list"] == "ok"
    assert leader.decided() == running.addresses()


def test_leader_that_is_told_to_end_hands_over_at_once(running: Cluster) -> None:
    leader, other = running.pair()
    running.service("before")
    address = running.address("before")
    leader.end()
    started = time.monotonic()
    running.service("after")
    assert running.address("after") != address
    assert time.monotonic() - started < LEASE_S, "it waited for the Lease to expire"
    assert running.addresses()["before"] == [address]
    assert running.holder == other.name


def test_last_controller_leaves_the_lease_to_nobody(running: Cluster) -> None:
    leader = running.start()
    wait_until(lambda: leader.leads, running.words())
    leader.end()
    spec = running.lease()["spec"]
    assert spec["holderIdentity"] == ""
    assert (spec["leaseDurationSeconds"], spec["leaseTransitions"]) == (1, 0)


def test_lease_of_somebody_silent_is_waited_for_whatever_its_clock_says(running: Cluster) -> None:
    lease = {
        "metadata": {"name": "ferrule-controller", "namespace": running.system},
        "spec": {
            "holderIdentity": "somebody",
            "leaseDurationSeconds": 3,
            "leaseTransitions": 7,
            "renewTime": "2020-01-01T00:00:00.000000Z",
        },
    }
    running.send("POST", f"/apis/coordination.k8s.io/v1/namespaces/{running.system}/leases", lease)
    controller = running.start()
    wait_until(lambda: controller.leads, running.words())
    wait_until(lambda: bool(controller.logged("leading")), running.words())
    followed, led = (datetime.fromisoformat(controller.logged(event)[0]["ts"]) for event in ("following", "leading"))
    assert (led - followed).total_seconds() > 2.9
    assert running.lease()["spec"]["leaseTransitions"] == 8


def test_death_of_the_leader_costs_one_lease(running: Cluster) -> None:
    leader, other = running.pair()
    running.service("before")
    address = running.address("before")
    leader.kill()
    running.service("after")
    assert running.address("after") != address
    assert running.addresses()["before"] == [address]
    assert other.leads


def test_leader_that_wakes_up_writes_nothing(running: Cluster) -> None:
    """The other one stands still meanwhile: what the woken one finds undone stays undone, although nobody does it."""
    leader, other = running.pair("--leader-elect-lease-duration=12", "--leader-elect-renew-deadline=3")
    running.service("before")
    running.address("before")
    wait_until(lambda: "IPAllocated" in running.events("before"), running.words())
    wait_until(lambda: running.own("ipaddresspools", "lan").get("status", {}).get("assignedIPv4") == 1, running.words())
    written, decided = leader.writes(), len(leader.logged("status written"))
    leader.pause()
    running.service("meanwhile")
    address = running.address("meanwhile")
    assert other.leads
    other.pause()
    running.service("later")
    before = running.versions()
    leader.wake()
    wait_until(lambda: bool(leader.logged("following")), running.words())
    wait_until(lambda: leader.ready().get("leader") == f"standing by, {other.name} leads", running.words())
    assert (leader.writes(), len(leader.logged("status written"))) == (written, decided)
    assert running.versions() == before
    other.wake()
    running.address("later")
    assert running.addresses()["meanwhile"] == [address]


def test_many_services_made_during_a_handover_get_addresses_of_their_own(running: Cluster) -> None:
    leader, other = running.pair()
    for number in range(60):
        running.service(f"web-{number}")
        if number == 30:
            leader.process.terminate()
    wait_until(lambda: not missing(running.addresses()), running.words())
    given = [address for held in running.addresses().values() for address in held]
    assert len(set(given)) == 60
    assert other.decided()
    assert leader.decided() | other.decided() == running.addresses()


def test_api_server_that_comes_back_finds_a_leader_and_nothing_lost(running: Cluster) -> None:
    leader, other = running.pair()
    running.service("before")
    address = running.address("before")
    running.plane.stop_api_server()
    try:
        wait_until(lambda: "standing by" in leader.ready().get("leader", ""), running.words())
        assert leader.ready()["first list"] == "ok"
        assert "Connection refused" in leader.ready()["API server"]
    finally:
        running.plane.start_api_server()
    running.service("after")
    assert running.address("after") != address
    assert running.addresses()["before"] == [address]
    assert leader.leads or other.leads
    wait_until(lambda: "API server" not in leader.ready(), str(leader.ready()))
