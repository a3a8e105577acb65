"""Raw FRR text: tried by the supervisor in a bgpd that nobody hears, or by the speaker in the running one."""

import hashlib
from collections.abc import AsyncIterator, Iterator

import pytest

from orchestrator.apply.frr import FrrAnnouncer
from orchestrator.fsm.supervisor_api import Tried, Try
from orchestrator.render.canonical import Line, parse
from orchestrator.render.extras import Trial, judge
from orchestrator.settings import RunFolder
from orchestrator.supervise.leftovers import read_children
from tests.support.frr import FRR_GID, PATIENCE_S, Daemons, eventually, start_router
from tests.support.frr import node_and_router as daemons_and_router
from tests.support.frr_documents import attributes, frr_input, peer, policy, renderer, route
from tests.support.frr_versions import FrrVersion, binaries, on_both_versions
from tests.support.supervise import (
    NODE_BGPD,
    Node,
    Router,
    Speaker,
    alive,
    node_and_router,
    speaking,
    until,
    wait_until,
)

pytestmark = pytest.mark.timeout(120)

TEXT = """\
ip prefix-list some permit 198.51.100.0/24 le 32
router bgp 65001
neighbor 10.0.0.253 remote-as 65009
neighbor 10.0.0.253 timers connect 1
address-family ipv4
neighbor 10.0.0.253 activate
neighbor 10.0.0.254 allowas-in
exit
exit
route-map some permit 10
match ip address prefix-list some
"""
GRACEFUL = NODE_BGPD.replace(" address-family", " neighbor 10.0.0.254 graceful-restart\n address-family", 1)


@pytest.fixture
def pair() -> Iterator[tuple[Node, Router]]:
    with node_and_router() as pair:
        yield pair


async def tried(speaker: Speaker, base: str, text: str) -> Tried:
    question = Try(key=hashlib.sha256(text.encode()).hexdigest(), base=base, text=text)
    speaker.client.try_out(question)
    await until(lambda: bool(speaker.tried) and speaker.tried[-1].key == question.key, "an answer")
    return speaker.tried[-1]


@on_both_versions
async def test_text_is_tried_beside_a_session_that_notices_nothing(
    pair: tuple[Node, Router], version: FrrVersion
) -> None:
    """With graceful restart agreed, a second connection from the node would end the session at the router."""
    node, router = pair
    node.write(bgpd=GRACEFUL)
    supervised = node.supervise("--frr-bin", str(binaries(version)))
    async with speaking(node, "bgpd") as speaker:
        await until(router.has_route, "route at the router")
        answer = await tried(speaker, GRACEFUL, TEXT)
        lines = judge(Trial(before=answer.before, after=answer.after))
        assert set(lines if isinstance(lines, tuple) else ()) == {
            Line((), "ip prefix-list some seq 5 permit 198.51.100.0/24 le 32"),
            Line(("router bgp 65001",), "neighbor 10.0.0.253 remote-as 65009"),
            Line(("router bgp 65001",), "neighbor 10.0.0.253 timers connect 1"),
            Line(("router bgp 65001", "address-family ipv4 unicast"), "neighbor 10.0.0.253 activate"),
            Line(("router bgp 65001", "address-family ipv4 unicast"), "neighbor 10.0.0.254 allowas-in"),
            Line((), "route-map some permit 10"),
            Line(("route-map some permit 10",), "match ip address prefix-list some"),
        }
        answer = await tried(speaker, GRACEFUL, TEXT.replace("allowas-in", "allow-us-in"))
        assert (answer.number, answer.line) == (7, "neighbor 10.0.0.254 allow-us-in")
        assert "Unknown command" in answer.words
        assert not node.run.trial.exists()
        assert '"connectionsEstablished":1,"connectionsDropped":0' in router.show(
            "show bgp neighbors 10.0.0.1 json"
        ).replace("\n", "").replace(" ", "")
        assert "10.0.0.1" not in "".join(line for line in router.log().splitlines() if "collision" in line.lower())
    assert supervised.end() == 0


async def test_supervisor_that_cannot_try_says_so_and_goes_on(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    node.supervise("--frr-bin", "/nowhere")
    async with speaking(node) as speaker:
        assert (await tried(speaker, "", "router bgp 65001\n")).trouble
        assert speaker.client.connected


async def test_trial_that_a_killed_supervisor_left_is_ended_by_the_next(pair: tuple[Node, Router]) -> None:
    node, _ = pair
    supervised = node.supervise()
    files = RunFolder(node.run.trial)
    async with speaking(node) as speaker:
        speaker.client.try_out(Try(key="k", base=NODE_BGPD, text=TEXT))
        await until(files.children.exists, "the trial")
        supervised.kill()
        (left,) = read_children(files.children)
    assert alive(left.pid)
    node.supervise()
    wait_until(lambda: not alive(left.pid) and not files.path.exists(), "the end of what was left")


class Live:
    """A running bgpd with one session, and nobody else to try a text out."""

    def __init__(self, node: Daemons, router: Daemons) -> None:
        self.node, self.router = node, router
        self.announcer = FrrAnnouncer(node.run, gid=FRR_GID, patience_s=PATIENCE_S)

    async def serve(self) -> None:
        start_router(self.router)
        document = renderer().render(frr_input([peer()], [route("198.51.100.7/32", policy(router=attributes()))]))
        path = self.node.run.daemon_conf("bgpd")
        path.write_text(document.daemon_text("bgpd"))
        path.chmod(0o644)
        self.node.start("bgpd")
        await self.announcer.apply(document)

        async def learned() -> bool:
            return "paths" in await self.router.json("show bgp ipv4 unicast 198.51.100.7/32 json")

        await eventually(learned, "the route at the router")

    async def established(self) -> int:
        neighbors = await self.router.json("show bgp neighbors json")
        return int(neighbors["10.99.0.1"]["connectionsEstablished"])


@pytest.fixture
async def live(version: FrrVersion) -> AsyncIterator[Live]:
    with daemons_and_router(version) as (node, router):
        made = Live(node, router)
        await made.serve()
        yield made
        made.announcer.close()


@on_both_versions
async def test_without_a_supervisor_the_running_bgpd_takes_the_text_or_takes_it_back(live: Live) -> None:
    before, sessions = await live.node.running(), await live.established()
    text = TEXT.replace("10.0.0.", "10.99.0.").replace("timers connect 1", "timers connect 1\n neighbor odd")
    trial = await live.announcer.try_extras(text)
    assert trial.refused is not None
    assert (trial.refused.number, trial.refused.line) == (5, "neighbor odd")
    assert await live.node.running() == before
    trial = await live.announcer.try_extras("router bgp 65001\n no neighbor 10.99.0.254 timers connect 1\n")
    assert parse(trial.before) != parse(trial.after)
    assert await live.node.running() == before, "a text that takes out what is ours is taken back"
    trial = await live.announcer.try_extras(text.replace(" neighbor odd\n", ""))
    assert trial.refused is None
    lines = judge(trial)
    assert isinstance(lines, tuple)
    assert await live.node.running() - before == set(lines)
    assert await live.established() == sessions
