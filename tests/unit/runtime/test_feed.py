"""Batches: the first input at once, with whatever stands behind it."""

from orchestrator.runtime.feed import Feed, Tick


async def test_batch_holds_all_that_is_queued() -> None:
    feed = Feed()
    for item in ("a", "b", "c"):
        feed.put(item)
    assert await feed.batch() == ["a", "b", "c"]


async def test_nothing_within_the_time_is_a_tick() -> None:
    assert await Feed().batch(timeout_s=0.001) == [Tick()]


async def test_what_arrives_later_is_the_next_batch() -> None:
    feed = Feed()
    feed.put("a")
    first = await feed.batch()
    feed.put("b")
    assert (first, await feed.batch()) == (["a"], ["b"])
