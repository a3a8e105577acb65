"""One speaker per node holds the lock; the second one gets it when the first one is gone."""

import asyncio
import os

from orchestrator.runtime import node_lock

NODE = f"node-{os.getpid()}"


async def test_second_holder_waits_for_the_first() -> None:
    order: list[str] = []
    first_holds, second_waits = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with node_lock.hold(NODE, lambda: order.append("first waits")):
            order.append("first")
            first_holds.set()
            await second_waits.wait()
            order.append("first ends")

    async def second() -> None:
        await first_holds.wait()

        def waiting() -> None:
            order.append("second waits")
            second_waits.set()

        async with node_lock.hold(NODE, waiting):
            order.append("second")

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(first())
        group.create_task(second())
    assert [word for word in order if word != "second waits"] == ["first", "first ends", "second"]
    assert "second waits" in order


async def test_locks_of_two_nodes_are_independent() -> None:
    async with asyncio.timeout(10), node_lock.hold(NODE, lambda: None), node_lock.hold(f"{NODE}-b", lambda: None):
        pass
