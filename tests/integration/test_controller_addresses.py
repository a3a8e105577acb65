"""A controller over real folders: addresses that rest, are kept, reserved, limited, or given no more."""

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from tests.support.folder_controller import APPS, Desk, controller
from tests.support.responders import eventually


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.pool("lan", "192.0.2.1-192.0.2.9")
    return made


def requesting(address: str) -> dict[str, str]:
    return {"metallb.io/loadBalancerIPs": address}


# Released addresses -----------------------------------------------------------------------------------------------


async def test_service_made_again_gets_its_address_back(desk: Desk) -> None:
    async with controller(desk):
        desk.service("web")
        assert await desk.gets("web") == "192.0.2.1"
        await desk.loses("web")
        desk.service("other")
        assert await desk.gets("other") == "192.0.2.2"
        desk.service("web")
        assert await desk.gets("web") == "192.0.2.1"


async def test_resting_address_is_given_when_no_other_is_free(desk: Desk) -> None:
    desk.pool("lan", "192.0.2.1/32")
    async with controller(desk):
        desk.service("web")
        await desk.gets("web")
        await desk.loses("web")
        desk.service("other")
        assert await desk.gets("other") == "192.0.2.1"


async def test_lowest_address_comes_first_without_cool_down(desk: Desk) -> None:
    async with controller(desk, cool_down_s=0):
        desk.service("web")
        await desk.gets("web")
        await desk.loses("web")
        desk.service("other")
        assert await desk.gets("other") == "192.0.2.1"


async def test_cool_down_outlives_the_controller(desk: Desk) -> None:
    async with controller(desk):
        desk.service("web")
        await desk.gets("web")
        await desk.loses("web")
    async with controller(desk):
        desk.service("other")
        assert await desk.gets("other") == "192.0.2.2"
        desk.service("web")
        assert await desk.gets("web") == "192.0.2.1"


async def test_sticky_address_is_kept_for_its_service_also_by_the_next_controller(desk: Desk) -> None:
    desk.pool("lan", "192.0.2.1/32")
    async with controller(desk, sticky_s=600):
        desk.service("web")
        await desk.gets("web")
        await desk.loses("web")
        desk.service("other")
        await desk.is_told("other", "Failed to allocate IP")
    async with controller(desk, sticky_s=600):
        desk.service("web")
        assert await desk.gets("web") == "192.0.2.1"
        assert desk.address("other") == ""


async def test_sticky_address_goes_to_who_waits_when_its_time_is_over(desk: Desk) -> None:
    desk.pool("lan", "192.0.2.1/32")
    async with controller(desk, sticky_s=1.0):
        desk.service("web")
        await desk.gets("web")
        desk.service("other")
        await desk.is_told("other", "Failed to allocate IP")
        await desk.loses("web")
        assert await desk.gets("other") == "192.0.2.1"


# Reservations -----------------------------------------------------------------------------------------------------


def keep(desk: Desk, address: str, **who: object) -> None:
    desk.apply("AddressReservation", "kept", {"addresses": [address], **who})


async def test_reserved_address_waits_for_a_service_that_comes_later(desk: Desk) -> None:
    keep(desk, "192.0.2.1", service={"namespace": APPS, "name": "database"})
    async with controller(desk):
        desk.service("web")
        assert await desk.gets("web") == "192.0.2.2"
        desk.service("greedy", requesting("192.0.2.1"))
        await desk.is_told("greedy", "kept", "192.0.2.1")
        desk.service("database")
        assert await desk.gets("database") == "192.0.2.1"
        holders = [{"address": "192.0.2.1", "service": f"{APPS}/database"}]
        await eventually(lambda: desk.status("AddressReservation", "kept").get("holders") == holders)
        assert desk.address("greedy") == ""


async def test_who_waits_for_a_reserved_address_gets_it_when_it_is_not_reserved_any_more(desk: Desk) -> None:
    keep(desk, "192.0.2.5", namespaces=["elsewhere"])
    async with controller(desk):
        desk.service("web", requesting("192.0.2.5"))
        await desk.is_told("web", "kept")
        desk.remove("AddressReservation", "kept")
        assert await desk.gets("web") == "192.0.2.5"


# Quotas -----------------------------------------------------------------------------------------------------------


def limit(desk: Desk, ipv4: int) -> None:
    desk.apply("AddressQuota", "small", {"namespaces": [APPS], "ipv4": ipv4})


async def test_quota_refuses_with_its_name_until_it_is_raised(desk: Desk) -> None:
    limit(desk, 1)
    async with controller(desk) as metrics:
        desk.service("one")
        await desk.gets("one")
        desk.service("two")
        await desk.is_told("two", "small", "1 of 1")
        assert desk.address("two") == ""
        await eventually(lambda: desk.status("AddressQuota", "small").get("usedIPv4") == 1)
        limit(desk, 2)
        assert await desk.gets("two") == "192.0.2.2"
        await eventually(lambda: desk.status("AddressQuota", "small").get("usedIPv4") == 2)
        assert desk.status("AddressQuota", "small")["namespaces"] == [{"namespace": APPS, "ipv4": 2, "ipv6": 0}]
        said = generate_latest(metrics.registry).decode()
        assert f'ferrule_address_quota_used{{family="IPv4",namespace="{APPS}",quota="small"}} 2.0' in said
        assert 'ferrule_address_quota_limit{family="IPv4",quota="small"} 2.0' in said


async def test_deleted_service_makes_room_in_its_quota(desk: Desk) -> None:
    limit(desk, 1)
    async with controller(desk):
        desk.service("one")
        await desk.gets("one")
        desk.service("two")
        await desk.is_told("two", "small")
        desk.remove("Service", "one")
        assert await desk.gets("two") == "192.0.2.2"


async def test_lowered_quota_takes_nothing_away(desk: Desk) -> None:
    async with controller(desk):
        desk.service("one")
        desk.service("two")
        held = {name: await desk.gets(name) for name in ("one", "two")}
        limit(desk, 0)
        desk.service("three")
        await desk.is_told("three", "small", "2 of 0")
    async with controller(desk):
        await eventually(used(desk, 2))
        assert {name: desk.address(name) for name in held} == held


def used(desk: Desk, ipv4: int) -> Callable[[], bool]:
    return lambda: desk.status("AddressQuota", "small").get("usedIPv4") == ipv4


# Draining ---------------------------------------------------------------------------------------------------------


async def test_draining_pool_keeps_whom_it_has_and_takes_nobody(desk: Desk) -> None:
    async with controller(desk):
        desk.service("old")
        await desk.gets("old")
        desk.pool("lan", "192.0.2.1-192.0.2.9", draining=True)
        desk.pool("new", "198.51.100.1-198.51.100.9")
        desk.service("by-name", {"metallb.io/address-pool": "lan"})
        await desk.is_told("by-name", "lan")
        desk.service("next")
        assert await desk.gets("next") == "198.51.100.1"
    async with controller(desk):
        desk.service("last")
        assert await desk.gets("last") == "198.51.100.2"
        assert (desk.address("old"), desk.address("by-name")) == ("192.0.2.1", "")
        desk.pool("lan", "192.0.2.1-192.0.2.9")
        assert await desk.gets("by-name") == "192.0.2.2"
