"""BFD with real daemons on both sides: profiles, the session that is made before bgpd asks, and its end."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from orchestrator.apply.frr import FrrAnnouncer
from orchestrator.apply.frr_sessions import FrrSessions
from orchestrator.config.model import BfdProfile
from orchestrator.render.document import DAEMONS, FrrDocument
from tests.support.frr import FRR_GID, PATIENCE_S, Daemons, eventually, node_and_router, start_router
from tests.support.frr_documents import LEG, attributes, frr_input, peer, policy, ref, renderer, route
from tests.support.frr_versions import FrrVersion, on_both_versions

pytestmark = on_both_versions
PREFIX = "198.51.100.7/32"
FAST = BfdProfile(
    name="fast",
    origin=ref("BFDProfile", "fast"),
    receive_interval_ms=100,
    transmit_interval_ms=100,
    detect_multiplier=3,
)


def rendered() -> FrrDocument:
    routes = [route(PREFIX, policy(router=attributes()))]
    return renderer().render(frr_input([peer(bfd_profile="fast")], routes, profiles=[FAST], legs=(LEG,)))


@pytest.fixture
async def node(version: FrrVersion) -> AsyncIterator[tuple[Daemons, Daemons]]:
    with node_and_router(version) as (node, router):
        for daemon in ("zebra", "bfdd"):
            router.run.daemon_conf(daemon).write_text("! empty\n")
            router.run.daemon_conf(daemon).chmod(0o644)
            router.start(daemon)
        await router.ask("zebra", "show version")
        start_router(router, options=" neighbor 10.99.0.1 bfd\n")
        yield node, router


async def bfd_peers(node: Daemons) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((await node.ask("bfdd", "show bfd peers json"))[0])
    return found


async def test_session_made_before_is_the_one_that_bgpd_uses(node: tuple[Daemons, Daemons]) -> None:
    here, _ = node
    announcer = FrrAnnouncer(here.run, gid=FRR_GID, patience_s=PATIENCE_S)
    document = rendered()
    async with asyncio.TaskGroup() as group:
        applying = group.create_task(announcer.apply(document))

        async def written() -> bool:
            return here.run.daemon_conf("bgpd").exists()

        await eventually(written, "the files")
        for daemon in DAEMONS:
            here.start(daemon)
            await here.ask(daemon, "show version")
    assert not applying.result().refusals

    async def up() -> bool:
        return [each["status"] for each in await bfd_peers(here)] == ["up"]

    await eventually(up, "one BFD session, up")
    (session,) = await bfd_peers(here)
    assert (session["receive-interval"], session["transmit-interval"]) == (100, 100)
    assert session["interface"] == "eth0"

    sessions = FrrSessions(here.run)

    async def established() -> bool:
        readings = await sessions.read(DAEMONS)
        return [each.established for each in readings.bgp] == [True] and [each.up for each in readings.bfd] == [True]

    await eventually(established, "the BGP session")
    assert len(await bfd_peers(here)) == 1
    assert await announcer.not_ready() == ()
    assert (await announcer.audit(0.0)).restored == ()
    announcer.close()
    sessions.close()
