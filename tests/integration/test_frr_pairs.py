"""Changes that people make (tests/support/frr_pairs.py), with every UPDATE written down by the routers meanwhile.

All pairs run at once, each with a bgpd of its own: what FRR puts off (5 s for changed route-maps, unless told otherwise)
is waited for once.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest

from orchestrator.apply.frr import FrrAnnouncer
from orchestrator.config.model import Peer
from orchestrator.lab.namespaces import Namespace, add_address, connect
from orchestrator.render.commands import Impact
from orchestrator.render.difference import difference
from orchestrator.render.session_impact import session_impacts
from tests.support.bgp_recorder import Recorder, Seen
from tests.support.bgp_wire import leaks, uncovered, wire_faults, without_next_hops
from tests.support.frr import FRR_GID, PATIENCE_S, Daemons, namespace, run_folder
from tests.support.frr_documents import renderer
from tests.support.frr_pairs import PAIRS, Pair
from tests.support.frr_scenes import Scene, asn_of_router

NODE = "10.99.0.1"
NAMES = ("left", "right")
PUT_OFF_S = 5.5
"""Longer than bgpd's own delay for changed route-maps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`seen` by peer; `interrupted` are the peers that had a session before and not that one afterwards; `foretold` the
    peers for which `session_impacts` said anything.
    """

    impact: Impact
    seen: Mapping[str, Sequence[Seen]]
    interrupted: frozenset[str]
    foretold: frozenset[str]


class Play:
    """One pair with its bgpd and routers; `number` tells its addresses from those of the others."""

    def __init__(self, pair: Pair, number: int, router: Namespace, folder: Daemons) -> None:
        self.pair = pair
        self.daemons = folder
        self._before, self._after = (_moved(each, number) for each in (pair.before, pair.after))
        self._recorders = {name: Recorder(router, f"10.99.{number}.{201 + at}") for at, name in enumerate(NAMES)}
        self._announcer = FrrAnnouncer(folder.run, gid=FRR_GID, patience_s=PATIENCE_S)

    async def run(self) -> Outcome:
        for recorder in self._recorders.values():
            await recorder.start()
        try:
            return await self._change()
        finally:
            self._announcer.close()
            for recorder in self._recorders.values():
                await recorder.stop()

    async def _change(self) -> Outcome:
        render = renderer()
        old = render.render(self._before.input(None))
        self._tell_routers(self._before)
        await self._announcer.apply(old)
        await self._converged(self._before)
        new = render.render(self._after.input(old))
        running = await self.daemons.running()
        foretold = session_impacts(running, difference(running, new.lines("bgpd"), running))
        sessions = {name: recorder.sessions for name, recorder in self._recorders.items() if recorder.is_up}
        for recorder in self._recorders.values():
            recorder.forget()
        self._tell_routers(self._after)
        result = await self._announcer.apply(new)
        assert not result.refusals
        await self._converged(self._after)
        await asyncio.sleep(PUT_OFF_S)
        await self._converged(self._after)
        return Outcome(
            impact=result.impact,
            seen={name: tuple(recorder.seen) for name, recorder in self._recorders.items()},
            interrupted=frozenset(name for name in sessions if not self._kept(name, sessions[name])),
            foretold=frozenset(
                name for name, each in self._recorders.items() if each.address in {one.key.neighbor for one in foretold}
            ),
        )

    def _kept(self, name: str, sessions: int) -> bool:
        return self._recorders[name].is_up and self._recorders[name].sessions == sessions

    def _tell_routers(self, scene: Scene) -> None:
        for peer in scene.peers:
            recorder = self._recorders[peer.name]
            recorder.asn = asn_of_router(peer)
            recorder.expect_password(peer.password.open() if peer.password else "", [NODE])

    async def _converged(self, scene: Scene) -> None:
        for name, recorder in self._recorders.items():
            wanted = scene.sent_to(name) if scene.peer(name) else None

            def has_all(recorder: Recorder = recorder, wanted: object = wanted) -> bool:
                return (without_next_hops(recorder.table) if recorder.is_up else None) == wanted

            try:
                await recorder.until(has_all, PATIENCE_S)
            except TimeoutError:
                raise AssertionError(f"{self.pair.name}: {name} has {recorder.table}, wanted {wanted}") from None


def _moved(scene: Scene, number: int) -> Scene:
    """The scene with the peers' addresses in a network of its own."""
    return replace(scene, peers=tuple(_moved_peer(each, number) for each in scene.peers))


def _moved_peer(peer: Peer, number: int) -> Peer:
    last = str(peer.address).rpartition(".")[2]
    return replace(peer, address=ip_address(f"10.99.{number}.{last}"))


@pytest.fixture(scope="module")
def outcomes() -> Iterator[Mapping[str, Outcome]]:
    with ExitStack() as stack:
        node, router = stack.enter_context(namespace("p")), stack.enter_context(namespace("q"))
        connect(node, "eth0", router, "eth0")
        add_address(node, "eth0", f"{NODE}/16")
        plays = []
        for number, pair in enumerate(PAIRS, start=1):
            for at in range(len(NAMES)):
                add_address(router, "eth0", f"10.99.{number}.{201 + at}/16")
            made = Daemons(node, stack.enter_context(run_folder()))
            for daemon in ("bgpd", "bfdd") if any(each.bfd_profile for each in pair.after.peers) else ("bgpd",):
                made.run.daemon_conf(daemon).write_text("! empty\n")
                made.run.daemon_conf(daemon).chmod(0o644)
                made.start(daemon)
            plays.append(Play(pair, number, router, made))
        yield asyncio.run(_together(plays))


async def _together(plays: Sequence[Play]) -> Mapping[str, Outcome]:
    found = await asyncio.gather(*(play.run() for play in plays))
    return {play.pair.name: outcome for play, outcome in zip(plays, found, strict=True)}


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_wire_shows_what_one_of_both_has(outcomes: Mapping[str, Outcome], pair: Pair) -> None:
    outcome = outcomes[pair.name]
    moved = pair.after.moved_since(pair.before)
    for name in NAMES:
        before, after, seen = pair.before.sent_to(name), pair.after.sent_to(name), outcome.seen[name]
        if name in pair.interrupted:
            assert list(leaks(before, after, seen)) == [], name
        else:
            assert wire_faults(before, after, seen, moved=moved) == [], name


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_sessions_are_interrupted_where_it_was_said(outcomes: Mapping[str, Outcome], pair: Pair) -> None:
    outcome = outcomes[pair.name]
    assert outcome.interrupted == pair.interrupted
    assert pair.interrupted <= outcome.foretold
    assert outcome.impact <= pair.impact
    assert bool(outcome.foretold) is (outcome.impact is Impact.SESSION)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.widened], ids=lambda pair: pair.name)
def test_prefixes_stay_until_what_covers_them_is_there(outcomes: Mapping[str, Outcome], pair: Pair) -> None:
    for name in NAMES:
        after = pair.after.sent_to(name)
        gone = {
            each: [wide for wide in after if each.network_address in wide]
            for each in pair.before.sent_to(name).keys() - after.keys()
        }
        assert gone
        assert uncovered(gone, outcomes[pair.name].seen[name]) == []
