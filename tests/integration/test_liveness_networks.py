"""Responders whose network breaks in two, lies behind a router, or whose clocks tell different times."""

import contextlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.fsm.membership import Role
from orchestrator.lab import namespaces
from orchestrator.lab.namespaces import Namespace
from tests.support.mesh_nodes import (
    CLIENT_NETWORK,
    CLUSTER_NETWORK,
    Fleet,
    Members,
    Watched,
    fleet,
    heal,
    killed,
    split,
    two_networks,
)

FOR_EVER_S = 3600.0


@contextlib.asynccontextmanager
async def switched(names: str, folder: Path) -> AsyncIterator[Fleet]:
    """All on one switch, reached at their client network's addresses; nobody is held for long."""
    with two_networks(*names) as (_, *namespaces_):
        members = {
            name: (namespace, (f"{CLIENT_NETWORK}.{number}",))
            for number, (name, namespace) in enumerate(zip(names, namespaces_, strict=True), start=1)
        }
        async with fleet(members, folder) as running:
            running.order(hold_s=FOR_EVER_S, isolation_s=FOR_EVER_S)
            await running.all_see(names)
            yield running


async def test_of_two_halves_none_takes_over_and_nobody_is_held(tmp_path: Path) -> None:
    async with switched("abcd", tmp_path) as nodes:
        split([nodes["a"], nodes["b"]], [nodes["c"], nodes["d"]])
        await nodes.until(lambda: {each.role for each in nodes.nodes.values()} == {Role.ISOLATED})
        await nodes.all_see("abcd")
        heal(*nodes.nodes.values())
        await nodes.until(lambda: {each.role for each in nodes.nodes.values()} == {Role.ACTIVE})
        await nodes.all_see("abcd")


async def test_halves_take_over_when_the_isolation_is_over_and_agree_when_they_are_one_again(tmp_path: Path) -> None:
    async with switched("abcd", tmp_path) as nodes:
        nodes.order(isolation_s=1.0, hold_s=FOR_EVER_S)
        split([nodes["a"], nodes["b"]], [nodes["c"], nodes["d"]])
        await nodes.see(a="ab", b="ab", c="cd", d="cd")
        heal(*nodes.nodes.values())
        await nodes.all_see("abcd")


async def test_smaller_part_of_five_takes_nothing_over_and_is_held_when_it_is_back(tmp_path: Path) -> None:
    async with switched("abcde", tmp_path) as nodes:
        split([nodes["a"], nodes["b"]], [nodes["c"], nodes["d"], nodes["e"]])
        await nodes.see(a="abcde", b="abcde", c="cde", d="cde", e="cde")
        assert {nodes[name].role for name in "ab"} == {Role.ISOLATED}
        heal(*nodes.nodes.values())
        await nodes.all_see("cde")
        assert {nodes[name].role for name in "ab"} == {Role.STANDBY}


async def test_two_nodes_that_lost_each_other_serve_both_and_agree_at_once_when_it_heals(tmp_path: Path) -> None:
    """With a hold of an hour this would not end."""
    async with switched("ab", tmp_path) as nodes:
        split([nodes["a"]], [nodes["b"]])
        await nodes.see(a="a", b="b")
        heal(*nodes.nodes.values())
        await nodes.all_see("ab")


async def test_wall_clock_that_jumps_years_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libfaketime moves CLOCK_REALTIME alone, at the moment at which the file says so."""
    clock = tmp_path / "clock"
    clock.write_text("+0d")
    monkeypatch.setenv("LD_PRELOAD", _libfaketime())
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    async with switched("abc", tmp_path) as nodes:
        for days in (400, -4000):
            clock.write_text(f"{days:+}d")
            await nodes.stay_calm("a", heartbeats=20)
            nodes.order(hold_s=FOR_EVER_S, isolation_s=FOR_EVER_S)
            await nodes.until(lambda: {_days_ahead(tmp_path / name / f"{name}.log") for name in "abc"} == {days})  # noqa: B023 - awaited here
            await nodes.stay_calm("a", heartbeats=20)


def _libfaketime() -> str:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert found, "libfaketime is missing: apt-get install --no-install-recommends faketime"
    return str(found[0])


def _days_ahead(log: Path) -> int:
    """What the responder's clock says beyond ours in its last line."""
    said = json.loads(log.read_text().splitlines()[-1])["ts"]
    return round((datetime.fromisoformat(said) - datetime.now(UTC)) / timedelta(days=1))


async def test_nodes_whose_monotonic_clocks_differ_by_days_agree(tmp_path: Path) -> None:
    """No time of one node is compared with that of another."""
    with two_networks(*"abc") as (_, *members):
        addressed = {
            name: (namespace, (f"{CLIENT_NETWORK}.{number}",))
            for number, (name, namespace) in enumerate(zip("abc", members, strict=True), start=1)
        }
        async with fleet(addressed, tmp_path) as nodes:
            await _restart_in_other_time(nodes["a"], 1_000_000)
            await _restart_in_other_time(nodes["b"], 50_000_000)
            nodes.order(hold_s=FOR_EVER_S)
            try:
                await nodes.all_see("abc")
                await nodes.stay_calm("c", heartbeats=10)
                await killed(nodes["c"])
                await nodes.see(a="ab", b="ab")
            finally:
                for name in "ab":
                    await killed(nodes[name])


async def _restart_in_other_time(node: Watched, offset_s: int) -> None:
    """`unshare` hands no SIGTERM on: what runs below it must be killed."""
    await killed(node)
    offsets = (f"--monotonic={offset_s}", f"--boottime={offset_s}")
    node.node.restart("unshare", "--time", "--fork", "--kill-child", *offsets)


@contextlib.contextmanager
def routed() -> Iterator[Members]:
    """`a` in one subnet, `b` in another, `c` in a third, a router between them."""
    prefix = f"routed{os.getpid()}"
    created = [Namespace.create(f"{prefix}-router")]
    members: dict[str, tuple[Namespace, tuple[str, ...]]] = {}
    try:
        router = created[0]
        for number, name in enumerate("abc", start=1):
            member = Namespace.create(f"{prefix}-{name}")
            created.append(member)
            namespaces.connect(member, "eth0", router, f"to-{name}")
            namespaces.add_address(router, f"to-{name}", f"10.0.{number}.1/24")
            namespaces.add_address(member, "eth0", f"10.0.{number}.2/24")
            namespaces.add_route(member, "0.0.0.0/0", f"10.0.{number}.1")
            members[name] = (member, (f"10.0.{number}.2",))
        router.sysctl("net.ipv4.ip_forward", 1)
        yield members
    finally:
        for each in reversed(created):
            each.remove()


async def test_nodes_in_different_subnets_hear_each_other_through_the_router(tmp_path: Path) -> None:
    with routed() as members:
        async with fleet(members, tmp_path) as nodes:
            nodes.order(hold_s=FOR_EVER_S)
            await nodes.all_see("abc")
            await nodes.until(lambda: all(each.heartbeats["received"] > 5 for each in nodes.nodes.values()))
            await killed(nodes["c"])
            await nodes.see(a="ab", b="ab")


async def test_answer_that_comes_from_another_address_is_a_sign_of_life(tmp_path: Path) -> None:
    """`a` sends to b's first address, `b` to a's second: what counts is who signed, not where it came from."""
    with two_networks(*"ab") as (_, one, other):
        members = {"a": (one, (f"{CLUSTER_NETWORK}.1",)), "b": (other, (f"{CLIENT_NETWORK}.2",))}
        async with fleet(members, tmp_path) as nodes:
            nodes.order(hold_s=FOR_EVER_S)
            await nodes.all_see("ab")
            await nodes.until(lambda: all(each.heartbeats["received"] > 5 for each in nodes.nodes.values()))
