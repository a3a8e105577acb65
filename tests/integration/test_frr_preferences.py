"""MED, AS path and well-known communities as a real router sees them; a change of them re-sends and withdraws nothing."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest

from orchestrator.apply.frr import FrrAnnouncer
from orchestrator.lab.namespaces import add_address
from orchestrator.net.bgp import WELL_KNOWN, Asn
from orchestrator.render.commands import Impact
from orchestrator.render.document import FrrDocument
from orchestrator.render.policies import standard
from tests.support.frr import FRR_GID, PATIENCE_S, Daemons, eventually, node_and_router, start_router
from tests.support.frr_documents import attributes, frr_input, peer, policy, renderer, route
from tests.support.frr_versions import FrrVersion, on_both_versions

pytestmark = on_both_versions
PREFIX, OTHER = "198.51.100.7/32", "198.51.100.8/32"


class Session:
    """A node's announcer over one bgpd, and the router's view of what it sends."""

    def __init__(self, node: Daemons, router: Daemons) -> None:
        self._node = node
        self._router = router
        self.announcer = FrrAnnouncer(node.run, gid=FRR_GID, patience_s=PATIENCE_S)

    async def start(self, document: FrrDocument) -> None:
        """Apply the first document and start bgpd with it, as the supervisor does."""

        async def is_written() -> bool:
            return self._node.run.daemon_conf("bgpd").exists()

        async with asyncio.TaskGroup() as group:
            applying = group.create_task(self.announcer.apply(document))
            await eventually(is_written, "bgpd.conf")
            self._node.start("bgpd")
        assert not applying.result().refusals

    async def seen(self, prefix: str = PREFIX) -> dict[str, tuple[int, str]]:
        """MED and AS path of each path that the router has, by the session it came from."""
        found = await self._router.json(f"show bgp ipv4 unicast {prefix} json")
        return {
            path["peer"]["peerId"]: (path.get("metric", path.get("med")), path["aspath"]["string"])
            for path in found.get("paths", ())
        }

    async def sees(self, expected: dict[str, tuple[int, str]], prefix: str = PREFIX) -> None:
        async def is_so() -> bool:
            return await self.seen(prefix) == expected

        await eventually(is_so, f"{prefix} with {expected}")

    async def weighs(self, weight: int, prefix: str = PREFIX) -> None:
        """Wait until the router has that link bandwidth, in bytes per second; none for 0."""

        async def is_so() -> bool:
            paths = (await self._router.json(f"show bgp ipv4 unicast {prefix} json")).get("paths", ())
            words = [path.get("extendedCommunity", {}).get("string", "none").split()[0] for path in paths]
            return words == [f"LB:65001:{weight * 125000}" if weight else "none"]

        await eventually(is_so, f"{prefix} with weight {weight}")

    async def communities(self, prefix: str = PREFIX) -> frozenset[str]:
        found = await self._router.json(f"show bgp ipv4 unicast {prefix} json")
        words = (word for path in found.get("paths", ()) for word in path["community"]["string"].split())
        return frozenset("0:0" if word == "internet" else word for word in words)  # 8.4 calls it so

    async def flaps(self) -> list[int]:
        neighbors = await self._router.json("show bgp neighbors json")
        return [each["connectionsEstablished"] for each in neighbors.values() if "connectionsEstablished" in each]

    async def listen(self) -> None:
        """Have the router log every update from here on."""
        await self._router.ask("bgpd", "debug bgp updates in", "configure terminal", "log stdout debugging")

    def heard(self) -> str:
        return self._router.log("bgpd").read_text()


SECOND_SESSION = """\
 neighbor 10.99.0.2 remote-as 65099
 neighbor 10.99.0.2 timers connect 1
 address-family ipv4 unicast
  neighbor 10.99.0.2 activate
 exit-address-family
"""
MASKED = peer("masked", "10.99.0.253", source_address=ip_address("10.99.0.2"), local_asn=Asn(65099))
PEERS = [peer("plain"), MASKED]
"""Two sessions with one router, which knows us by another AS number in the second."""


@pytest.fixture
async def session(version: FrrVersion) -> AsyncIterator[Session]:
    with node_and_router(version) as (node, router):
        add_address(node.namespace, "eth0", "10.99.0.2/24")
        add_address(router.namespace, "eth0", "10.99.0.253/24")
        start_router(router, options=SECOND_SESSION)
        made = Session(node, router)
        yield made
        made.announcer.close()


async def test_router_sees_med_and_path_of_each_session(session: Session) -> None:
    far, near = attributes(med=4294967295, prepended=(65001, 65001)), attributes(med=7, prepended=(65099,))
    routes = [route(PREFIX, policy(plain=far, masked=near)), route(OTHER, policy(plain=attributes()))]
    await session.start(renderer().render(frr_input(PEERS, routes)))
    await session.sees({"10.99.0.1": (4294967295, "65001 65001 65001"), "10.99.0.2": (7, "65099 65099")})
    await session.sees({"10.99.0.1": (0, "65001")}, OTHER)


async def test_change_of_med_or_path_sends_again_and_withdraws_nothing(session: Session) -> None:
    render = renderer()
    steady = route(OTHER, policy(plain=attributes(), masked=attributes()))
    first = policy(plain=attributes(med=7), masked=attributes(med=7))
    document = render.render(frr_input(PEERS, [route(PREFIX, first), steady]))
    await session.start(document)
    await session.sees({"10.99.0.1": (7, "65001"), "10.99.0.2": (7, "65099")})
    await session.sees({"10.99.0.1": (0, "65001"), "10.99.0.2": (0, "65099")}, OTHER)
    before = await session.flaps()
    await session.listen()
    for med, times in ((8, 0), (8, 3), (0, 1), (7, 0)):
        plain, masked = (attributes(med=med, prepended=(asn,) * times) for asn in (65001, 65099))
        changed = route(PREFIX, policy(plain=plain, masked=masked))
        document = render.update(document, {changed.prefix: changed})
        assert (await session.announcer.apply(document)).impact is Impact.ATTRIBUTE
        path = (med, " ".join(["65001"] * (times + 1)))
        await session.sees({"10.99.0.1": path, "10.99.0.2": (med, path[1].replace("65001", "65099"))})
    heard = session.heard()
    assert heard.count(f"rcvd {PREFIX} ") == 8, heard
    assert "withdrawn" not in heard
    assert OTHER not in heard
    assert await session.flaps() == before
    await session.announcer.apply(render.update(document, {changed.prefix: None}))
    await session.sees({})
    assert "withdrawn" in session.heard()


async def test_change_of_weight_sends_again_and_withdraws_nothing(version: FrrVersion) -> None:
    with node_and_router(version) as (node, router):
        start_router(router)
        session = Session(node, router)
        render = renderer()
        steady = route(OTHER, policy(plain=attributes(weight=1)))
        document = render.render(frr_input(PEERS[:1], [steady, route(PREFIX, policy(plain=attributes(weight=3)))]))
        await session.start(document)
        await session.weighs(3)
        assert session.announcer.version == (8 if version is FrrVersion.MACHINE else 10)
        before = await session.flaps()
        await session.listen()
        for weight in (4, 25600, 0, 1):
            changed = route(PREFIX, policy(plain=attributes(weight=weight)))
            document = render.update(document, {changed.prefix: changed})
            assert (await session.announcer.apply(document)).impact is Impact.ATTRIBUTE
            await session.weighs(weight)
        heard = session.heard()
        assert heard.count(f"rcvd {PREFIX} ") == 4, heard
        assert "withdrawn" not in heard
        assert OTHER not in heard
        assert await session.flaps() == before
        session.announcer.close()


async def test_every_well_known_community_reaches_the_router(session: Session) -> None:
    everything = attributes("0:0", "65001:1", *sorted({str(each) for each in WELL_KNOWN.values()}))
    await session.start(renderer().render(frr_input(PEERS, [route(PREFIX, policy(plain=everything))])))
    await session.sees({"10.99.0.1": (0, "65001")})
    assert await session.communities() == frozenset(standard(everything.communities))
