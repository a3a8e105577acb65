"""Why a session is not established, as a real router and both engines make us find out."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping

import pytest

from orchestrator.apply.exabgp import ExabgpAnnouncer
from orchestrator.apply.frr import FrrAnnouncer
from orchestrator.apply.frr_sessions import FrrSessions
from orchestrator.config.model import Config, Peer
from orchestrator.decide.node_plan import NodePlan
from orchestrator.decide.sessions import SessionReason
from orchestrator.errors import DaemonError, NotReady
from orchestrator.fsm.bgp_sessions import Readings
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.render.document import Daemon
from orchestrator.runtime.session_watch import SessionsChanged, SessionWatch
from orchestrator.supervise import exabgp
from tests.support.exabgp_documents import exabgp_document
from tests.support.frr import FRR_GID, PATIENCE_S, Daemons, eventually, node_and_router
from tests.support.frr_documents import LEG, NODE, frr_input, renderer
from tests.support.frr_versions import FrrVersion, on_both_versions
from tests.support.troubled_router import EXPECTED, PASSWORD, TROUBLES, peers, prepare

BGPD: tuple[Daemon, ...] = ("bgpd",)
on_this_machines_version = pytest.mark.parametrize("version", [FrrVersion.MACHINE])


class Watched:
    """What the watch tells of the node's peers, read every 0.2 s."""

    def __init__(self, read: Callable[[], Coroutine[None, None, Readings]], ours: tuple[Peer, ...]) -> None:
        self._told: dict[str, SessionReason] = {}
        self.messages: dict[str, str] = {}
        self._watch = SessionWatch(NODE, read, Metrics(SPEAKER_METRICS), self._take)
        self._watch.configured(Config(peers={each.name: each for each in ours}), NodePlan(), (LEG,))

    def _take(self, changed: SessionsChanged) -> None:
        self._told = {each.peer: SessionReason(each.reason) for each in changed.sessions}
        self.messages = {each.peer: each.message for each in changed.sessions}

    async def tells(self, expected: Mapping[str, SessionReason]) -> None:
        async def told() -> bool:
            await asyncio.sleep(0.2)
            await self._watch.look()
            return all(self._told.get(name) is reason for name, reason in expected.items())

        try:
            await eventually(told, "these reasons")
        except AssertionError as error:
            wrong = {name: (self._told.get(name), self.messages.get(name)) for name in expected}
            error.add_note("\n".join(f"{name}: {found}, not {expected[name]}" for name, found in wrong.items()))
            raise


@pytest.fixture
def both(version: FrrVersion) -> Iterator[tuple[Daemons, Daemons]]:
    with node_and_router(version) as (node, router):
        prepare(node, router)
        router.start("bgpd")
        yield node, router


Scenario = Callable[[Daemons, Daemons, Watched], Coroutine[None, None, None]]


async def with_frr(node: Daemons, router: Daemons, scenario: Scenario) -> None:
    ours = peers()
    await router.ask("bgpd", "show version")
    announcer = FrrAnnouncer(node.run, gid=FRR_GID, patience_s=PATIENCE_S, on_written=lambda _: node.start("bgpd"))
    await announcer.apply(renderer().render(frr_input(ours)))
    sessions = FrrSessions(node.run)
    await scenario(node, router, Watched(lambda: sessions.read(BGPD), ours))
    announcer.close()
    sessions.close()


async def from_the_start(_node: Daemons, _router: Daemons, watched: Watched) -> None:
    await watched.tells(EXPECTED)
    assert PASSWORD not in str(watched.messages)


async def through_its_life(node: Daemons, router: Daemons, watched: Watched) -> None:
    neighbor = f"neighbor {TROUBLES['good'].here} shutdown"
    await watched.tells({"good": SessionReason.ESTABLISHED})
    await router.ask("bgpd", "configure terminal", "router bgp 65000", neighbor)
    await watched.tells({"good": SessionReason.CEASED_BY_PEER})
    await router.ask("bgpd", "configure terminal", "router bgp 65000", f"no {neighbor}")
    await watched.tells({"good": SessionReason.ESTABLISHED})
    with _stopped(router, "bgpd"):
        await watched.tells({"good": SessionReason.HOLD_TIME_EXPIRED})
    await node.ask("bgpd", "configure terminal", "router bgp 65001", f"neighbor {TROUBLES['good'].there} shutdown")
    await watched.tells({"good": SessionReason.HELD_BY_OPERATOR})
    node.kill("bgpd")
    await watched.tells(dict.fromkeys(EXPECTED, SessionReason.DAEMON_AWAY))


@on_both_versions
def test_frr_and_kernel_tell_why_a_session_does_not_come_up(both: tuple[Daemons, Daemons]) -> None:
    node, router = both
    node.namespace.inside(lambda: asyncio.run(with_frr(node, router, from_the_start)))


@on_this_machines_version
def test_frr_tells_why_a_session_ended(both: tuple[Daemons, Daemons]) -> None:
    node, router = both
    node.namespace.inside(lambda: asyncio.run(with_frr(node, router, through_its_life)))


class _stopped:  # noqa: N801 - reads as a verb
    """The daemon does not run, and its kernel still takes connections."""

    def __init__(self, daemons: Daemons, name: str) -> None:
        self._pid = daemons.pid(name)

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


EXABGPS_WORDS = {"stranger": SessionReason.REFUSED}
"""It cannot tell a connection that is refused from one that is closed."""


@on_this_machines_version
def test_exabgp_and_kernel_tell_why_a_session_is_not_established(both: tuple[Daemons, Daemons]) -> None:
    node, router = both
    node.namespace.inside(lambda: asyncio.run(_with_exabgp(node, router)))


async def _with_exabgp(node: Daemons, router: Daemons) -> None:
    ours = peers(connect_time=None)
    await router.ask("bgpd", "show version")
    announcer = ExabgpAnnouncer(
        node.run,
        gid=node.run.path.stat().st_gid,
        validator=exabgp.command(("validate",)),
        on_written=lambda _: node.start_exabgp(),
        patience_s=PATIENCE_S,
    )
    await announcer.apply(exabgp_document(ours, helper=exabgp.helper_command(node.run)))

    async def read() -> Readings:
        try:
            return Readings(bgp=await announcer.sessions())
        except (NotReady, DaemonError) as error:
            return Readings(away=str(error))

    watched = Watched(read, ours)
    await watched.tells({**EXPECTED, **EXABGPS_WORDS})
    assert PASSWORD not in str(watched.messages)
    with _stopped(router, "bgpd"):
        await watched.tells({"good": SessionReason.HOLD_TIME_EXPIRED})
    announcer.close()
