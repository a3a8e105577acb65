"""Documents applied to a real ExaBGP, seen from a real router: passwords, refusals, many routes, its death."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from jinja2 import FileSystemLoader

from orchestrator.errors import NotReady
from orchestrator.render.environment import build_environment
from orchestrator.render.exabgp import ExabgpDocument, ExabgpRenderer, update
from orchestrator.resources.secret_text import SecretText
from orchestrator.settings import template_folder
from orchestrator.supervise import exabgp
from tests.support.exabgp_documents import exabgp_input, exabgp_peer
from tests.support.exabgp_node import ExabgpNode
from tests.support.frr import PATIENCE_S, Daemons, eventually, node_and_router, note_updates, start_router, updates_of
from tests.support.frr_documents import attributes, policy, route

PREFIX, OTHER = "198.51.100.7/32", "198.51.100.8/32"
PLAIN = policy(router=attributes())


class Pair:
    """A node whose ExaBGP we drive, and the router that it peers with."""

    def __init__(self, node: Daemons, router: Daemons) -> None:
        self.node = node
        self.router = router
        self.exabgp = ExabgpNode(node)

    def document(self, peers: list[Any], routes: list[Any]) -> ExabgpDocument:
        environment = build_environment(FileSystemLoader(template_folder()))
        return ExabgpRenderer(environment, exabgp.helper_command(self.node.run)).render(exabgp_input(peers, routes))

    async def learned(self) -> dict[str, Any]:
        """The router's IPv4 paths by prefix."""
        found = await self.router.json("show bgp ipv4 unicast json")
        return dict(found["routes"])

    async def has(self, *prefixes: str) -> None:
        async def equal() -> bool:
            await self.exabgp.attend()
            return set(await self.learned()) == set(prefixes)

        await eventually(equal, f"exactly {len(prefixes)} prefixes at the router")

    async def flaps(self) -> int:
        neighbors = await self.router.json("show bgp neighbors json")
        return sum(each.get("connectionsEstablished", 0) for each in neighbors.values() if isinstance(each, dict))


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    with node_and_router() as (node, router):
        made = Pair(node, router)
        yield made
        made.exabgp.close()


async def test_changed_password_keys_the_session_anew_and_is_in_no_log(pair: Pair) -> None:
    start_router(pair.router, options=" neighbor 10.99.0.1 password geheim#';!\n")
    routes = [route(PREFIX, PLAIN)]
    await pair.exabgp.apply(pair.document([exabgp_peer(password=SecretText("wrong"))], routes))
    result = await pair.exabgp.apply(pair.document([exabgp_peer(password=SecretText("geheim#';!"))], routes))
    assert result.reloaded
    await pair.has(PREFIX)
    (session,) = await pair.exabgp.announcer.sessions()
    assert (session.neighbor, session.established, session.remote_as) == ("10.99.0.254", True, 65000)
    assert session.prefixes_sent == 1
    log = (pair.node.run.path / "exabgp.log").read_text()
    assert "geheim" not in log
    assert "wrong" not in log


async def test_peer_that_exabgp_refuses_is_left_out_and_the_others_run(pair: Pair) -> None:
    start_router(pair.router)
    odd = exabgp_peer("odd", "10.99.0.9", source_address=ip_address("fd99::1"))
    document = pair.document([exabgp_peer(), odd], [route(PREFIX, PLAIN)])
    result = await pair.exabgp.apply(document)
    (refusal,) = result.refusals
    assert refusal.origin == odd.origin
    assert "must be of the same family" in refusal.words
    await pair.has(PREFIX)
    again = await pair.exabgp.apply(update(document, {ip_network(OTHER): route(OTHER, PLAIN)}))
    assert (again.reloaded, again.refusals) == (False, (refusal,))
    await pair.has(PREFIX, OTHER)
    mended = await pair.exabgp.apply(
        pair.document([exabgp_peer(), exabgp_peer("odd", "10.99.0.9")], [route(PREFIX, PLAIN)])
    )
    assert (mended.reloaded, mended.refusals) == (True, ())
    await pair.has(PREFIX)
    assert await pair.flaps() == 1


async def test_dead_exabgp_is_noticed_and_its_successor_gets_every_route(pair: Pair) -> None:
    start_router(pair.router)
    many = [str(each) for each in ip_network("10.7.0.0/22").subnets(new_prefix=32)]
    document = pair.document([exabgp_peer()], [route(prefix, PLAIN) for prefix in many])
    await pair.exabgp.apply(document)
    await pair.has(*many)
    pair.exabgp.kill()
    await asyncio.wait_for(pair.exabgp.news.wait(), PATIENCE_S)
    with pytest.raises(NotReady):
        await pair.exabgp.announcer.audit(0.0)
    pair.exabgp.start()
    assert (await pair.exabgp.apply(document)).replayed
    await pair.has(*many)
    fewer = update(document, {ip_network(prefix): None for prefix in many[5:]})
    assert not (await pair.exabgp.apply(fewer)).replayed
    await pair.has(*many[:5])


async def test_prefix_that_others_replace_goes_after_them_and_a_lost_one_before(pair: Pair) -> None:
    start_router(pair.router)
    wide, narrow, lost = route("198.51.100.0/24", PLAIN), route(PREFIX, PLAIN), route("203.0.113.1/32", PLAIN)
    document = pair.document([exabgp_peer()], [narrow, lost])
    await pair.exabgp.apply(document)
    await pair.has(PREFIX, str(lost.prefix))
    await note_updates(pair.router)
    document = update(document, {narrow.prefix: None, lost.prefix: None, wide.prefix: wide})
    await pair.exabgp.apply(document)
    await pair.has(str(wide.prefix))
    await pair.exabgp.apply(update(document, {wide.prefix: None, narrow.prefix: narrow}))
    await pair.has(PREFIX)
    sent = updates_of(pair.router)
    assert sent == [f"-{lost.prefix}", str(wide.prefix), f"-{PREFIX}", PREFIX, f"-{wide.prefix}"]
