"""What happens to the routes when the speaker is not there: stale, kept for a successor, or from the last documents."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.supervise import NODE_BGPD, PREFIX, Node, Router, node_and_router, speaking, until, wait_until

pytestmark = pytest.mark.timeout(180)
WITHDRAWN = f"UPDATE about {PREFIX} IPv4 unicast -- withdrawn"


@pytest.fixture
def pair() -> Iterator[tuple[Node, Router]]:
    with node_and_router() as pair:
        yield pair


async def test_routes_are_depreferred_when_the_speaker_stays_away(pair: tuple[Node, Router]) -> None:
    node, router = pair
    node.write(bgpd=NODE_BGPD)
    supervised = node.supervise("--stale-after", "0.2")
    async with speaking(node, "bgpd"):
        await until(router.has_route, "route at the router")
        assert "graceful-shutdown" not in router.log()
    await until(lambda: "graceful-shutdown" in router.log(), "GSHUT at the router")
    assert router.has_route()
    killed = node.recorded()["bgpd"]
    node.kill("bgpd")
    await until(lambda: node.recorded().get("bgpd", killed) != killed, "bgpd again")
    await until(lambda: "graceful-shutdown" in router.show(f"show bgp ipv4 unicast {PREFIX} json"), "GSHUT again")
    assert len(supervised.logged("speaker stays away", level="error")) == 1
    assert WITHDRAWN not in router.log()


async def test_stale_routes_are_withdrawn_only_if_told_so(pair: tuple[Node, Router]) -> None:
    node, router = pair
    node.write(bgpd=NODE_BGPD)
    node.supervise("--stale-after", "0.2", "--stale-routes-action", "withdraw")
    async with speaking(node, "bgpd"):
        await until(router.has_route, "route at the router")
    await until(lambda: WITHDRAWN in router.log(), "withdrawal at the router")
    assert "graceful-shutdown" not in router.log()


@pytest.mark.parametrize("graceful_restart", [True, False])
async def test_routes_are_kept_for_a_successor_with_graceful_restart(
    pair: tuple[Node, Router], graceful_restart: bool
) -> None:
    node, router = pair
    line = " neighbor 10.0.0.254 graceful-restart\n" if graceful_restart else ""
    node.write(bgpd=NODE_BGPD.replace(" address-family", line + " address-family", 1))
    supervised = node.supervise()
    async with speaking(node, "bgpd") as speaker:
        await until(router.has_route, "route at the router")
        speaker.client.restarting()
    assert supervised.end() == 0
    assert (WITHDRAWN not in router.log()) is graceful_restart
    assert router.has_route() is graceful_restart


async def test_last_documents_are_used_when_no_speaker_comes(pair: tuple[Node, Router]) -> None:
    node, router = pair
    node.write(bgpd=NODE_BGPD)
    supervised = node.supervise("--stale-after", "31")
    wait_until(
        lambda: bool(supervised.logged("no demand of a speaker, the last documents are used")),
        "documents used",
        deadline_s=45,
    )
    await until(router.has_route, "route at the router")
    await until(lambda: "graceful-shutdown" in router.log(), "GSHUT, as nobody confirms the routes")


async def test_speaker_that_wants_documents_makes_them_young(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    node.write(bgpd=NODE_BGPD)
    document = node.run.daemon_conf("bgpd")
    os.utime(document, (0, 0))
    node.supervise()
    async with speaking(node, "bgpd"):
        await until(lambda: time.time() - document.stat().st_mtime < 60, "document confirmed")


async def test_pages_show_the_children(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    supervised = node.supervise("--http-port", "9000")
    assert node.namespace.inside(lambda: _get("/healthz")) == (200, "ok\n")
    async with speaking(node, "bgpd") as speaker:
        await until(lambda: bool(supervised.logged("daemon cannot be started")), "complaint")
        await until(lambda: speaker.ready("responder"), "responder ready")
        status, page = node.namespace.inside(lambda: _get("/readyz"))
        assert (status, json.loads(page)) == (503, {"bgpd": "idle"})
        node.write(bgpd=NODE_BGPD)
        await until(lambda: speaker.ready("bgpd"), "bgpd ready")
        assert node.namespace.inside(lambda: _get("/readyz"))[0] == 200
        assert 'ferrule_child_ready{child="bgpd"} 1.0' in node.namespace.inside(lambda: _get("/metrics"))[1]


def _get(path: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:9000{path}", headers={"Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
