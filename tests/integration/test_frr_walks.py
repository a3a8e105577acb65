"""Real daemons walk from document to document, with sessions to routers that write down every UPDATE.

After each step: what runs is what a fresh daemon runs that is started with the new document; a session was interrupted
only if the difference had said so; and over every other session nothing went that neither document has.
"""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial

import pytest
from hypothesis import Phase, given, settings

from orchestrator.apply.frr import FrrAnnouncer
from orchestrator.config.model import Peer
from orchestrator.lab.namespaces import Namespace, add_address
from orchestrator.render.difference import difference
from orchestrator.render.document import FrrDocument
from orchestrator.render.session_impact import SessionKey, session_impacts
from tests.support.bgp_recorder import Recorder
from tests.support.bgp_wire import wire_faults, without_next_hops
from tests.support.frr import FRR_GID, PATIENCE_S, Daemons, daemons, node_and_router
from tests.support.frr_scenes import Scene, asn_of_router
from tests.support.frr_strategies import RENDERER, walks

NODE_ADDRESSES = ("10.99.0.1", "fd99::1")
ROUTER_ADDRESSES = ("10.99.0.201", "10.99.0.202", "fd99::201", "fd99::202")
PORTS = (179, 1790)
DAEMONS = ("bgpd", "bfdd")


class Walker:
    """The daemons that walk, those that start afresh beside them, and the routers; one event loop for all examples.

    `kept` are the names of peers whose session stayed up over a step.
    """

    def __init__(self, node: Daemons, router: Namespace, fresh: Daemons, runner: asyncio.Runner) -> None:
        self.node = node
        self.fresh = fresh
        self.runner = runner
        self.announcer = FrrAnnouncer(node.run, gid=FRR_GID, patience_s=PATIENCE_S)
        self.recorders = {each: Recorder(router, each, ports=PORTS) for each in ROUTER_ADDRESSES}
        self.document: FrrDocument | None = None
        self.kept: list[str] = []

    def start(self) -> None:
        for name in DAEMONS:
            self.node.run.daemon_conf(name).write_text("! empty\n")
            self.node.run.daemon_conf(name).chmod(0o644)
            self.node.start(name)
        for recorder in self.recorders.values():
            self.runner.run(recorder.start())

    def stop(self) -> None:
        self.announcer.close()
        for recorder in self.recorders.values():
            self.runner.run(recorder.stop())


@pytest.fixture(scope="module")
def walker() -> Iterator[Walker]:
    with node_and_router() as (node, router), daemons("f") as fresh, asyncio.Runner() as runner:
        for address in ROUTER_ADDRESSES:
            add_address(router.namespace, "eth0", f"{address}/{64 if ':' in address else 24}")
        made = Walker(node, router.namespace, fresh, runner)
        made.start()
        yield made
        made.stop()
        assert made.kept, "no session ever stayed up over a step: nothing was tested"


@settings(max_examples=2, deadline=None, database=None, phases=[Phase.generate])
@given(walks(steps=6))
def test_daemons_walk_from_document_to_document(walker: Walker, walk: Sequence[Scene]) -> None:
    walker.runner.run(_walk(walker, walk))


async def _walk(walker: Walker, walk: Sequence[Scene]) -> None:
    before: Scene | None = None
    for scene in walk:
        await _step(walker, before, scene)
        before = scene


async def _step(walker: Walker, before: Scene | None, after: Scene) -> None:
    document = RENDERER.render(after.input(walker.document))
    running = await walker.node.running()
    disturbed = {each.key for each in session_impacts(running, difference(running, document.lines("bgpd"), running))}
    steady = {
        peer.name: walker.recorders[peer.neighbor]
        for peer in (before.peers if before else ())
        if _comes_up(peer) and SessionKey(peer.vrf, peer.neighbor) not in disturbed
    }
    sessions = {name: recorder.sessions for name, recorder in steady.items()}
    for recorder in walker.recorders.values():
        recorder.forget()
    _tell_routers(walker, after)
    result = await walker.announcer.apply(document)
    assert not result.refusals
    walker.document = document
    await _converged(walker, after)
    assert {name: recorder.sessions for name, recorder in steady.items()} == sessions
    walker.kept.extend(steady)
    for name, recorder in steady.items():
        assert before is not None
        moved = after.moved_since(before)
        assert wire_faults(before.sent_to(name), after.sent_to(name), recorder.seen, moved=moved) == []
    await _runs_as_if_fresh(walker, document)


def _comes_up(peer: Peer) -> bool:
    """There are no VRFs here, and a source of the other family reaches nobody."""
    source = peer.source_address
    return (
        peer.neighbor in ROUTER_ADDRESSES
        and not peer.vrf
        and (source is None or peer.address is None or source.version == peer.address.version)
    )


def _tell_routers(walker: Walker, scene: Scene) -> None:
    for peer in filter(_comes_up, scene.peers):
        recorder = walker.recorders[peer.neighbor]
        recorder.asn = asn_of_router(peer)
        recorder.expect_password(peer.password.open() if peer.password else "", NODE_ADDRESSES)


async def _converged(walker: Walker, scene: Scene) -> None:
    """Return when every router has what the scene gives it; those of no peer have no session."""
    wanted = {peer.neighbor: scene.sent_to(peer.name) for peer in scene.peers if _comes_up(peer)}

    def has_all(recorder: Recorder) -> bool:
        if recorder.address not in wanted:
            return not recorder.is_up
        return recorder.is_up and without_next_hops(recorder.table) == wanted[recorder.address]

    for recorder in walker.recorders.values():
        try:
            await recorder.until(partial(has_all, recorder), PATIENCE_S)
        except TimeoutError:
            raise AssertionError(
                f"{recorder.address} has {recorder.table}, wanted {wanted.get(recorder.address)}"
            ) from None


async def _runs_as_if_fresh(walker: Walker, document: FrrDocument) -> None:
    for name in (each for each in DAEMONS if each in document.daemons):
        walker.fresh.run.daemon_conf(name).write_text(document.daemon_text(name))
        walker.fresh.run.daemon_conf(name).chmod(0o644)
        walker.fresh.start(name)
        assert await walker.node.running(name) == await walker.fresh.running(name)
        walker.fresh.kill(name)
