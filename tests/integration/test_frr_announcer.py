"""Documents applied to real daemons, seen from a real router: sessions, routes, attributes; and what survives what."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.apply.frr import ApplyResult, FrrAnnouncer
from orchestrator.apply.frr_sessions import FrrSessions
from orchestrator.fsm.bgp_sessions import BgpSession
from orchestrator.net.bgp import Asn
from orchestrator.render.canonical import Line
from orchestrator.render.commands import Impact
from orchestrator.render.document import DAEMONS, FrrDocument
from orchestrator.resources.secret_text import SecretText
from tests.support.frr import (
    FRR_GID,
    PATIENCE_S,
    Daemons,
    eventually,
    node_and_router,
    note_updates,
    start_router,
    updates_of,
)
from tests.support.frr_documents import attributes, frr_input, peer, policy, renderer, route
from tests.support.frr_versions import FrrVersion, on_both_versions

pytestmark = on_both_versions
PREFIX, OTHER = "198.51.100.7/32", "198.51.100.8/32"
PREFIX_V6 = "2001:db8:1::7/128"
INSTANCE = ("router bgp 65001",)


class Pair:
    """A node whose bgpd we drive, and the router that it peers with."""

    def __init__(self, node: Daemons, router: Daemons) -> None:
        self.node = node
        self.router = router
        self.announcer = FrrAnnouncer(node.run, gid=FRR_GID, patience_s=PATIENCE_S)

    async def apply(self, document: FrrDocument, daemons: Sequence[str] = ("bgpd",)) -> ApplyResult:
        """Apply, starting daemons as the supervisor does: one after the other, when their files are there."""
        if not self.node.run.daemon_conf("bgpd").exists():
            async with asyncio.TaskGroup() as group:
                applying = group.create_task(self.announcer.apply(document))
                await eventually(self._file_is_there, "bgpd.conf")
                for daemon in daemons:
                    self.node.start(daemon)
                    await self.node.ask(daemon, "show version")
            return applying.result()
        return await self.announcer.apply(document)

    async def _file_is_there(self) -> bool:
        return self.node.run.daemon_conf("bgpd").exists()

    async def paths(self, prefix: str) -> list[dict[str, Any]]:
        family = "ipv6" if ":" in prefix else "ipv4"
        found = await self.router.json(f"show bgp {family} unicast {prefix} json")
        return list(found.get("paths", ()))

    async def learned(self, prefix: str) -> dict[str, Any]:
        """The router's only path to the prefix, as soon as it has one."""
        await eventually(lambda: self.paths(prefix), f"{prefix} at the router")
        (path,) = await self.paths(prefix)
        return path

    async def withdrawn(self, prefix: str) -> None:
        async def gone() -> bool:
            return not await self.paths(prefix)

        await eventually(gone, f"{prefix} gone from the router")

    async def sessions(self) -> tuple[BgpSession, ...]:
        reading = FrrSessions(self.node.run)
        try:
            return (await reading.read(DAEMONS)).bgp
        finally:
            reading.close()

    async def flaps(self) -> int:
        """How often the router has seen the node's sessions come up."""
        neighbors = await self.router.json("show bgp neighbors json")
        return sum(each.get("connectionsEstablished", 0) for each in neighbors.values() if isinstance(each, dict))


@pytest.fixture
async def pair(version: FrrVersion) -> AsyncIterator[Pair]:
    with node_and_router(version) as (node, router):
        made = Pair(node, router)
        yield made
        made.announcer.close()


async def test_route_with_attributes_reaches_the_router(pair: Pair) -> None:
    start_router(pair.router)
    how = attributes("65001:100", "large:65001:1:2", local_pref=200)
    result = await pair.apply(renderer().render(frr_input([peer()], [route(PREFIX, policy(router=how))])))
    assert not result.refusals
    path = await pair.learned(PREFIX)
    assert path["community"]["string"] == "65001:100"
    assert path["largeCommunity"]["string"] == "65001:1:2"
    assert path["aspath"]["string"] == "65001"
    assert path["nexthops"][0]["ip"] == "10.99.0.1"
    (session,) = await pair.sessions()
    assert session.established
    assert (session.neighbor, session.vrf, session.remote_as, session.port) == ("10.99.0.254", "default", 65000, 179)
    assert session.prefixes_sent == 1
    assert session.messages.updates_sent >= 1
    assert await pair.announcer.not_ready() == ()


async def test_ibgp_session_carries_local_preference(pair: Pair) -> None:
    start_router(pair.router, asn=65000)
    ours = peer(my_asn=Asn(65000))
    await pair.apply(renderer().render(frr_input([ours], [route(PREFIX, policy(router=attributes(local_pref=321)))])))
    path = await pair.learned(PREFIX)
    assert path["locPrf"] == 321
    assert path["aspath"]["string"] == "Local"


async def test_session_with_md5_password(pair: Pair) -> None:
    start_router(pair.router, options=" neighbor 10.99.0.1 password geheim#?!\n")
    wrong = peer(password=SecretText("wrong"))
    routes = [route(PREFIX, policy(router=attributes()))]
    render = renderer()
    await pair.apply(render.render(frr_input([wrong], routes)))
    result = await pair.apply(render.render(frr_input([peer(password=SecretText("geheim#?!"))], routes)))
    assert result.impact is Impact.SESSION
    await pair.learned(PREFIX)
    assert "geheim" not in repr(await pair.sessions())


async def test_ipv6_peer_carries_ipv6_prefixes(pair: Pair) -> None:
    start_router(pair.router)
    document = renderer().render(
        frr_input([peer(address="fd99::fe")], [route(PREFIX_V6, policy(router=attributes("65001:6")))])
    )
    await pair.apply(document)
    path = await pair.learned(PREFIX_V6)
    assert path["community"]["string"] == "65001:6"
    assert "fd99::1" in {hop["ip"] for hop in path["nexthops"]}


async def test_dual_stack_session_carries_both_families(pair: Pair) -> None:
    start_router(
        pair.router, options=" address-family ipv6 unicast\n  neighbor 10.99.0.1 activate\n exit-address-family\n"
    )
    both = peer(dual_stack_address_family=True)
    plain = policy(router=attributes())
    document = renderer().render(frr_input([both], [route(PREFIX, plain), route(PREFIX_V6, plain)]))
    await pair.apply(document, document.daemons)  # without zebra, FRR 10 refuses such a session
    await pair.learned(PREFIX)
    await pair.learned(PREFIX_V6)


async def test_two_peers_get_what_their_advertisements_say(pair: Pair) -> None:
    start_router(pair.router)
    carrying_v4 = {"dual_stack_address_family": True}
    peers = [peer("left"), peer("right", "fd99::fe", **carrying_v4)]
    routes = [
        route(PREFIX, policy(left=attributes("65001:1"))),
        route(OTHER, policy(left=attributes("65001:2"), right=attributes("65001:3"))),
        route(PREFIX_V6, policy(right=attributes("65001:4"))),
    ]
    await pair.apply(renderer().render(frr_input(peers, routes, peer_lists=[["left"], ["right"]])))
    assert (await pair.learned(PREFIX))["community"]["string"] == "65001:1"
    assert (await pair.learned(OTHER))["community"]["string"] == "65001:2"
    assert (await pair.learned(PREFIX_V6))["community"]["string"] == "65001:4"
    advertised = await pair.node.json("show bgp ipv4 unicast neighbors fd99::fe advertised-routes json")
    assert set(advertised["advertisedRoutes"]) <= {OTHER}


async def test_route_changes_do_not_flap_the_session(pair: Pair) -> None:
    start_router(pair.router)
    render = renderer()
    document = render.render(frr_input([peer()], [route(PREFIX, policy(router=attributes()))]))
    await pair.apply(document)
    await pair.learned(PREFIX)
    before = await pair.flaps()
    colored = route(OTHER, policy(router=attributes("65001:9")))
    document = render.update(document, {colored.prefix: colored})
    assert (await pair.apply(document)).impact is Impact.ROUTE
    await pair.learned(OTHER)
    recolored = route(OTHER, policy(router=attributes("65001:10")))
    document = render.update(document, {colored.prefix: recolored})
    assert (await pair.apply(document)).impact is Impact.ATTRIBUTE

    async def has_new_community() -> bool:
        return bool((await pair.learned(OTHER))["community"]["string"] == "65001:10")

    await eventually(has_new_community, "the new community")
    document = render.update(document, {colored.prefix: None})
    await pair.apply(document)
    await pair.withdrawn(OTHER)
    await pair.learned(PREFIX)
    assert await pair.flaps() == before


async def test_killed_bgpd_comes_back_with_everything(pair: Pair) -> None:
    start_router(pair.router)
    render = renderer()
    document = render.render(frr_input([peer()], [route(PREFIX, policy(router=attributes("65001:1")))]))
    await pair.apply(document)
    await pair.learned(PREFIX)
    pair.node.kill("bgpd")
    await pair.withdrawn(PREFIX)
    pair.node.start("bgpd")
    changed = route(OTHER, policy(router=attributes("65001:2")))
    document = render.update(document, {changed.prefix: changed})

    async def applied() -> bool:
        return (await pair.announcer.apply(document)).refusals == ()

    await eventually(applied, "the document in the new bgpd")
    await pair.learned(PREFIX)
    await pair.learned(OTHER)
    assert await pair.announcer.not_ready() == ()


async def test_new_process_takes_over_without_a_command(pair: Pair) -> None:
    start_router(pair.router)
    routes = [route(PREFIX, policy(router=attributes("65001:1"))), route(OTHER, policy(router=attributes("65001:2")))]
    document = renderer().render(frr_input([peer()], routes))
    await pair.apply(document)
    await pair.learned(OTHER)
    before = await pair.flaps()
    pair.announcer.close()
    pair.announcer = FrrAnnouncer(pair.node.run, gid=FRR_GID, patience_s=PATIENCE_S)
    fewer = frr_input([peer()], routes[1:], sequences=pair.announcer.kept_sequences)
    assert pair.announcer.kept_router_id == fewer.router_id
    result = await pair.apply(renderer().render(fewer))
    assert result.impact is Impact.ROUTE
    await pair.withdrawn(PREFIX)
    assert await pair.flaps() == before


async def test_foreign_line_survives_and_missing_line_is_put_back(pair: Pair) -> None:
    start_router(pair.router)
    document = renderer().render(frr_input([peer()], [route(PREFIX, policy(router=attributes()))]))
    await pair.apply(document)
    await pair.node.ask(
        "bgpd",
        "configure terminal", "ip prefix-list theirs seq 5 permit any", "router bgp 65001",
        "neighbor 10.99.0.254 maximum-prefix 100", "address-family ipv4 unicast", f"no network {PREFIX}",
    )  # fmt: skip
    found = await pair.announcer.audit(time.monotonic())
    assert [line.text.split()[:2] for line in found.restored] == [["network", PREFIX]]
    assert Line((), "ip prefix-list theirs seq 5 permit any") in found.foreign
    again = await pair.announcer.audit(time.monotonic())
    assert again.restored == again.foreign == ()
    running = await pair.node.running()
    assert document.lines("bgpd") <= running
    assert Line((), "ip prefix-list theirs seq 5 permit any") in running
    await pair.learned(PREFIX)


async def test_line_that_goes_for_the_third_time_is_left_to_people(pair: Pair) -> None:
    document = renderer().render(frr_input([peer()], [route(PREFIX, policy(router=attributes()))]))
    await pair.apply(document)
    for round_number in range(3):
        await pair.node.ask(
            "bgpd", "configure terminal", "router bgp 65001", "address-family ipv4 unicast", f"no network {PREFIX}"
        )
        found = await pair.announcer.audit(float(round_number))
    assert len(found.failing) == 1
    assert found.restored == ()
    assert "1 lines are missing" in (await pair.announcer.not_ready())[0]


async def test_shutdown_by_a_person_is_respected(pair: Pair) -> None:
    start_router(pair.router)
    render = renderer()
    document = render.render(frr_input([peer()], [route(PREFIX, policy(router=attributes()))]))
    await pair.apply(document)
    await pair.learned(PREFIX)
    await pair.node.ask("bgpd", "configure terminal", "router bgp 65001", "neighbor 10.99.0.254 shutdown")
    held = Line(INSTANCE, "neighbor 10.99.0.254 shutdown")
    assert (await pair.announcer.audit(time.monotonic())).held == (held,)
    other_peer = peer(remote_as=Asn(65010))
    await pair.apply(render.render(frr_input([other_peer], [route(PREFIX, policy(router=attributes()))])))
    assert held in await pair.node.running()


async def test_refused_line_takes_out_its_object_alone(pair: Pair) -> None:
    start_router(pair.router)
    long = peer("long", "10.99.0.253", password=SecretText("x" * 100))
    routes = [route(PREFIX, policy(router=attributes(), long=attributes()))]
    result = await pair.apply(renderer().render(frr_input([peer(), long], routes)))
    (refusal,) = result.refusals
    assert list(map(str, refusal.origins)) == ["BGPPeer metallb-system/long"]
    assert refusal.line == "neighbor 10.99.0.253 password ***"
    await pair.learned(PREFIX)
    assert "10.99.0.253" not in pair.node.run.daemon_conf("bgpd").read_text()
    assert not any("10.99.0.253" in line.text for line in await pair.node.running())
    assert await pair.announcer.not_ready() == ()


async def test_graceful_shutdown_left_by_the_supervisor_is_taken_back(pair: Pair) -> None:
    document = renderer().render(frr_input([peer()]))
    await pair.apply(document)
    await pair.node.ask("bgpd", "configure terminal", "router bgp 65001", "bgp graceful-shutdown")
    await pair.announcer.audit(time.monotonic())
    assert Line(INSTANCE, "bgp graceful-shutdown") not in await pair.node.running()


async def test_files_are_readable_by_the_daemons_group_alone(pair: Pair) -> None:
    await pair.apply(renderer().render(frr_input([peer(password=SecretText("geheim"))])))
    for path in (pair.node.run.frr_conf, pair.node.run.daemon_conf("bgpd")):
        assert _mode_and_group(path) == (0o640, FRR_GID)
        assert "password geheim" in path.read_text()


def _mode_and_group(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mode & 0o777, status.st_gid


async def test_graceful_restart_keeps_the_routes_over_a_kill(pair: Pair) -> None:
    start_router(pair.router, options=" bgp graceful-restart restart-time 60\n")
    document = renderer().render(frr_input([peer(graceful_restart=True)], [route(PREFIX, policy(router=attributes()))]))
    assert not (await pair.apply(document)).refusals
    await pair.learned(PREFIX)
    before = await pair.flaps()
    pair.node.kill("bgpd")

    async def is_stale() -> bool:
        return any(path.get("stale") for path in await pair.paths(PREFIX))

    await eventually(is_stale, "the stale path")
    pair.node.start("bgpd")

    async def is_fresh() -> bool:
        return await pair.flaps() > before and not await is_stale()

    await eventually(is_fresh, "the fresh path")
    assert await pair.paths(PREFIX)


async def test_prefix_that_others_replace_goes_after_them_and_a_lost_one_before(pair: Pair) -> None:
    start_router(pair.router)
    plain = policy(router=attributes())
    wide, narrow, lost = route("198.51.100.0/24", plain), route(PREFIX, plain), route("203.0.113.1/32", plain)
    render = renderer()
    document = render.render(frr_input([peer()], [narrow, lost]))
    await pair.apply(document)
    await pair.learned(PREFIX)
    await pair.learned(str(lost.prefix))
    await note_updates(pair.router)
    document = render.update(document, {narrow.prefix: None, lost.prefix: None, wide.prefix: wide})
    await pair.apply(document)
    await pair.withdrawn(PREFIX)
    await pair.apply(render.update(document, {wide.prefix: None, narrow.prefix: narrow}))
    await pair.withdrawn(str(wide.prefix))
    sent = updates_of(pair.router)
    assert sent == [f"-{lost.prefix}", str(wide.prefix), f"-{PREFIX}", PREFIX, f"-{wide.prefix}"]
