"""One speaker per node and installation holds the lock; the second one gets it when the first one is gone."""

import asyncio
import os

import pytest

from orchestrator.runtime import node_lock

OURS, OTHERS = "metallb-system", "ferrule-internal"
NODE = f"node-{os.getpid()}"


async def test_second_holder_waits_for_the_first() -> None:
    order: list[str] = []
    first_holds, second_waits = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with node_lock.hold(OURS, NODE, lambda: order.append("first waits")):
            order.append("first")
            first_holds.set()
            await second_waits.wait()
            order.append("first ends")

    async def second() -> None:
        await first_holds.wait()

        def waiting() -> None:
            order.append("second waits")
            second_waits.set()

        async with node_lock.hold(OURS, NODE, waiting):
            order.append("second")

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(first())
        group.create_task(second())
    assert [word for word in order if word != "second waits"] == ["first", "first ends", "second"]
    assert "second waits" in order


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((OURS, NODE), (OURS, f"{NODE}-b")),
        ((OURS, NODE), (OTHERS, NODE)),
        ((OURS, f"{NODE}-{'x' * 200}"), (OTHERS, f"{NODE}-{'x' * 200}")),
    ],
    ids=["two nodes", "two installations", "long names"],
)
async def test_locks_are_independent(one: tuple[str, str], other: tuple[str, str]) -> None:
    async with asyncio.timeout(10), node_lock.hold(*one, lambda: None), node_lock.hold(*other, lambda: None):
        pass


async def test_long_name_is_a_lock_too() -> None:
    name = "x" * 253
    waits = asyncio.Event()

    async def second() -> None:
        async with node_lock.hold(OURS, name, waits.set):
            pass

    async with asyncio.timeout(10), asyncio.TaskGroup() as group, node_lock.hold(OURS, name, lambda: None):
        group.create_task(second())
        await waits.wait()
