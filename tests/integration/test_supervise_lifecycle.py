"""The supervisor with real daemons, and a router that sees what it does."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from orchestrator.fsm.supervision import Phase
from orchestrator.supervise import leftovers
from orchestrator.supervise.process import Identity, start_time
from tests.support.frr_versions import FrrVersion, on_both_versions
from tests.support.supervise import (
    BFDD,
    FOREIGN_ROUTES,
    NODE_BGPD,
    PREFIX,
    ZEBRA,
    Node,
    Router,
    alive,
    node_and_router,
    speaking,
    until,
    wait_until,
)

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def version() -> FrrVersion:
    """Tests that need two versions say so."""
    return FrrVersion.MACHINE


@pytest.fixture
def pair(version: FrrVersion) -> Iterator[tuple[Node, Router]]:
    with node_and_router(version) as pair:
        yield pair


@on_both_versions
async def test_wanted_daemons_become_ready_and_routes_reach_the_router(pair: tuple[Node, Router]) -> None:
    node, router = pair
    node.write(bgpd=NODE_BGPD, zebra=ZEBRA, bfdd=BFDD)
    node.supervise()
    async with speaking(node, "bgpd", "zebra", "bfdd") as speaker:
        await until(lambda: speaker.ready("bgpd", "zebra", "bfdd", "responder"), "everything ready")
        await until(router.has_route, "route at the router")
        since = {name: child.ready_since or 0.0 for name, child in speaker.children.items()}
        assert since["zebra"] < min(since["bgpd"], since["bfdd"])
        assert dict(node.recorded()) == {name: speaker.pid(name) for name in speaker.children}


async def test_daemon_without_document_is_not_started_until_it_comes(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    supervised = node.supervise()
    async with speaking(node, "bgpd") as speaker:
        await until(lambda: bool(supervised.logged("daemon cannot be started", daemon="bgpd")), "complaint")
        assert speaker.children["bgpd"].state is Phase.IDLE
        node.write(bgpd=NODE_BGPD)
        await until(lambda: speaker.ready("bgpd"), "bgpd ready")


async def test_daemon_that_is_no_longer_wanted_is_ended(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    node.write(bgpd=NODE_BGPD, bfdd=BFDD)
    node.supervise()
    async with speaking(node, "bgpd", "bfdd") as speaker:
        await until(lambda: speaker.ready("bgpd", "bfdd"), "both ready")
        bgpd, bfdd = speaker.pid("bgpd"), speaker.pid("bfdd")
        speaker.client.want(("bgpd",), "n1")
        await until(lambda: speaker.children["bfdd"].state is Phase.IDLE, "bfdd ended")
        assert (alive(bfdd), speaker.pid("bgpd")) == (False, bgpd)


async def test_killed_bgpd_is_back_with_its_routes(pair: tuple[Node, Router]) -> None:
    node, router = pair
    node.write(bgpd=NODE_BGPD)
    node.supervise()
    async with speaking(node, "bgpd") as speaker:
        await until(lambda: speaker.ready("bgpd") and router.has_route(), "route at the router")
        killed = speaker.pid("bgpd")
        os.kill(killed, signal.SIGKILL)
        await until(lambda: speaker.replaced("bgpd", killed), "bgpd again")
        assert speaker.children["bgpd"].restarts == 1
        await until(lambda: "Established" in router.show("show bgp neighbors") and router.has_route(), "route again")
        assert not Path(f"/var/tmp/frr/bgpd.{killed}").exists()


@on_both_versions
async def test_killed_zebra_takes_bgpd_with_it(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    node.write(bgpd=NODE_BGPD, zebra=ZEBRA)
    node.supervise()
    async with speaking(node, "bgpd", "zebra") as speaker:
        await until(lambda: speaker.ready("bgpd", "zebra"), "both ready")
        bgpd, zebra = speaker.pid("bgpd"), speaker.pid("zebra")
        os.kill(zebra, signal.SIGKILL)
        await until(lambda: speaker.replaced("zebra", zebra) and speaker.replaced("bgpd", bgpd), "both new")


async def test_crash_loop_is_visible_and_does_not_stop_the_others(pair: tuple[Node, Router], tmp_path: Path) -> None:
    node, _ = pair
    tmp_path.chmod(0o755)
    broken = tmp_path / "bgpd"
    broken.write_text("#!/bin/sh\necho '2026/11/21 10:00:00 BGP: [EC 33554451] cannot work'\nexit 1\n")
    broken.chmod(0o755)
    (tmp_path / "bfdd").symlink_to("/usr/lib/frr/bfdd")
    node.write(bgpd=NODE_BGPD, bfdd=BFDD)
    supervised = node.supervise("--frr-bin", str(tmp_path))
    async with speaking(node, "bgpd", "bfdd") as speaker:
        await until(
            lambda: "bgpd" in speaker.children and speaker.children["bgpd"].state is Phase.CRASH_LOOP, "crash loop"
        )
        assert speaker.children["bgpd"].restarts == 4
        await until(lambda: speaker.ready("bfdd"), "bfdd ready")
        assert supervised.logged("process dies again and again", daemon="bgpd", level="error")
        assert supervised.logged("cannot work", daemon="bgpd", level="warn")
        assert supervised.end() == 0


async def test_missing_binary_is_a_crash_loop(pair: tuple[Node, Router], tmp_path: Path) -> None:
    node, _ = pair
    node.write(bgpd=NODE_BGPD)
    supervised = node.supervise("--frr-bin", str(tmp_path))
    async with speaking(node, "bgpd") as speaker:
        await until(
            lambda: "bgpd" in speaker.children and speaker.children["bgpd"].state is Phase.CRASH_LOOP, "crash loop"
        )
    assert supervised.logged("process cannot be started", daemon="bgpd")


async def test_output_of_the_daemons_becomes_json_lines(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    node.write(bgpd=NODE_BGPD)
    supervised = node.supervise()
    async with speaking(node, "bgpd") as speaker:
        await until(lambda: speaker.ready("bgpd"), "bgpd ready")
    line = supervised.logged("starting: vty@0", daemon="bgpd")[0]
    assert (line["level"], str(line["event"]).startswith("bgpd 8")) == ("info", True)
    assert supervised.end() == 0
    assert supervised.lines()


@on_both_versions
async def test_next_supervisor_reaps_what_a_killed_one_left(pair: tuple[Node, Router]) -> None:
    node, router = pair
    node.write(bgpd=NODE_BGPD, zebra=ZEBRA)
    first = node.supervise()
    async with speaking(node, "bgpd", "zebra") as speaker:
        await until(lambda: speaker.ready("bgpd", "zebra", "responder"), "everything ready")
        old = dict(node.recorded())
        first.kill()
        assert all(alive(pid) for pid in old.values())
        second = node.supervise()
        for name, pid in old.items():
            await until(partial(speaker.replaced, name, pid), f"{name} again")
        assert not any(alive(pid) for pid in old.values())
        assert len(second.logged("process of an earlier supervisor ended")) == len(old)
        assert set(node.recorded().values()).isdisjoint(old.values())
        await until(router.has_route, "route at the router")


async def test_recycled_pid_is_not_killed(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    bystander = node.namespace.popen(["sleep", "1000"])
    wait_until(lambda: start_time(bystander.pid) is not None, "bystander")
    recorded = Identity(name="bgpd", pid=bystander.pid, start_time=(start_time(bystander.pid) or 0) - 1)
    leftovers.write_children(node.run.children, [recorded])
    supervised = node.supervise()
    wait_until(lambda: "responder" in node.recorded(), "list of children replaced")
    assert supervised.end() == 0
    assert alive(bystander.pid)
    assert not supervised.logged("process of an earlier supervisor ended")


async def test_second_supervisor_names_the_first_and_goes(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    first = node.supervise()
    second = node.supervise()
    assert second.process.wait(timeout=30) == 4
    assert f"pid {first.process.pid}" in second.output.read_text()
    assert first.end() == 0


@on_both_versions
async def test_routes_are_withdrawn_before_the_daemons_end(pair: tuple[Node, Router]) -> None:
    node, router = pair
    node.write(bgpd=NODE_BGPD, zebra=ZEBRA)
    supervised = node.supervise()
    async with speaking(node, "bgpd", "zebra"):
        await until(router.has_route, "route at the router")
        pids = dict(node.recorded())
    assert supervised.end() == 0
    assert not any(alive(pid) for pid in pids.values())
    assert [path for path in node.run.path.iterdir() if not path.is_file()] == []
    log = router.log()
    events = [log.index(text) for text in ("graceful-shutdown", f"UPDATE about {PREFIX} IPv4 unicast -- withdrawn")]
    assert events == sorted(events), log


async def test_end_waits_for_the_speaker_to_leave(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    node.write(bgpd=NODE_BGPD)
    supervised = node.supervise()
    async with speaking(node, "bgpd") as speaker:
        await until(lambda: speaker.ready("bgpd"), "bgpd ready")
        supervised.process.send_signal(signal.SIGTERM)
        await until(lambda: bool(supervised.logged("end wanted")), "signal taken")
        assert speaker.ready("bgpd")
    assert supervised.process.wait(timeout=30) == 0
    ended = [str(line["event"]) for line in supervised.lines()]
    assert ended.index("speaker disconnected") < ended.index("process ended")


async def test_routes_of_another_routing_daemon_stay_as_they_are(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    node.add_foreign_routes()
    before = node.foreign_routes()
    node.write(bgpd=NODE_BGPD, zebra=ZEBRA, bfdd=BFDD)
    supervised = node.supervise()
    async with speaking(node, "bgpd", "zebra", "bfdd") as speaker:
        await until(lambda: speaker.ready("bgpd", "zebra", "bfdd"), "everything ready")
        assert node.foreign_routes() == before
        for name in ("bgpd", "bfdd", "zebra"):
            killed, bgpd = speaker.pid(name), speaker.pid("bgpd")
            os.kill(killed, signal.SIGKILL)
            await until(partial(speaker.replaced, name, killed), f"{name} again")
            if name == "zebra":
                await until(partial(speaker.replaced, "bgpd", bgpd), "bgpd with the new zebra")
            assert node.foreign_routes() == before, f"after the kill of {name}"
    assert supervised.end() == 0
    assert node.foreign_routes() == before


@pytest.mark.parametrize("version", [FrrVersion.DEBIAN_13])
async def test_zebra_of_frr_10_is_not_started_beside_another_routing_daemon(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    node.add_foreign_routes()
    before = node.foreign_routes()
    node.write(bgpd=NODE_BGPD, zebra=ZEBRA)
    supervised = node.supervise()
    async with speaking(node, "bgpd", "zebra") as speaker:
        await until(lambda: bool(supervised.logged("process cannot be started", daemon="zebra")), "complaint")
        assert node.foreign_routes() == before
        for route in FOREIGN_ROUTES:
            node.namespace.run(["ip", "route", "del", route])
        await until(lambda: speaker.ready("bgpd", "zebra"), "both ready without them")
