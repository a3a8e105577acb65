"""What is told of sessions: at once when one comes or goes, another cause only when it was seen twice."""

from collections.abc import Mapping
from typing import Any

from orchestrator.config.model import Config
from orchestrator.decide.node_plan import NodePlan
from orchestrator.fsm.bgp_sessions import Attempt, BfdSession, BgpSession, Readings
from orchestrator.net.addresses import parse_address
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.runtime.session_watch import SessionsChanged, SessionWatch
from tests.support.frr_documents import NODE, attributes, peer, policy, route

UP = BgpSession(neighbor="eth7", vrf="blue", state="Established", prefixes_sent=2)
BARE = peer("bare", "", interface="eth7", vrf="blue")
"""Unnumbered and in a VRF."""


class Watched:
    """A watch whose daemons say what `readings` is."""

    def __init__(self, *peers: Any, plan: NodePlan | None = None) -> None:
        self.readings = Readings()
        self.metrics = Metrics(SPEAKER_METRICS)
        self.told: list[SessionsChanged] = []
        self.watch = SessionWatch(NODE, self._read, self.metrics, self.told.append)
        self.watch.configured(Config(peers={each.name: each for each in peers}), plan or NodePlan(), ())

    async def _read(self) -> Readings:
        return self.readings

    async def reasons(self, *readings: Readings) -> list[str]:
        """What is told of the only peer after each reading."""
        said = []
        for self.readings in readings:
            await self.watch.look()
            said.append(self.told[-1].sessions[0].reason)
        return said

    def value(self, name: str, labels: Mapping[str, str]) -> float | None:
        return self.metrics.registry.get_sample_value(name, dict(labels))


def of(session: BgpSession) -> Readings:
    return Readings(bgp=(session,))


async def test_unnumbered_peer_in_a_vrf_has_every_series() -> None:
    one, other = (route(prefix, policy(bare=attributes())) for prefix in ("198.51.100.7/32", "2001:db8::7/128"))
    watched = Watched(BARE, plan=NodePlan(routes={one.prefix: one, other.prefix: other}))
    bfd = BfdSession(peer="fe80::1", vrf="blue", up=True, control_input=7)
    await watched.reasons(Readings(bgp=(UP,), bfd=(bfd,)))
    labels = {"peer": "eth7", "vrf": "blue"}
    assert watched.value("metallb_bgp_session_up", labels) == 1
    assert watched.value("metallb_bgp_announced_prefixes_total", labels) == 2
    assert watched.value("metallb_bgp_pending_prefixes_total", labels) == 2
    assert watched.value("metallb_bfd_session_up", {"peer": "fe80::1", "vrf": "blue"}) == 1
    assert watched.value("metallb_bfd_control_packet_input", {"peer": "fe80::1", "vrf": "blue"}) == 7


async def test_pending_prefixes_are_those_of_families_that_the_peer_carries() -> None:
    one, other = (route(prefix, policy(router=attributes())) for prefix in ("198.51.100.7/32", "2001:db8::7/128"))
    watched = Watched(peer(), plan=NodePlan(routes={one.prefix: one, other.prefix: other}))
    await watched.reasons(Readings())
    assert watched.value("metallb_bgp_pending_prefixes_total", {"peer": "10.99.0.254", "vrf": "default"}) == 1


async def test_peer_whose_daemon_is_away_is_down_in_the_metrics() -> None:
    watched = Watched(BARE)
    assert await watched.reasons(of(UP), Readings(away="bgpd does not answer")) == ["Established", "DaemonAway"]
    assert watched.value("metallb_bgp_session_up", {"peer": "eth7", "vrf": "blue"}) == 0


async def test_loss_is_told_at_once_and_another_cause_when_it_is_seen_twice() -> None:
    watched = Watched(BARE)
    lost = of(BgpSession(neighbor="eth7", vrf="blue", last_reset="Interface down"))
    refused = of(BgpSession(neighbor="eth7", vrf="blue", attempt=Attempt.FAILED))
    told = await watched.reasons(of(UP), lost, refused, lost, refused, refused, of(UP))
    assert told == [
        *("Established", "InterfaceDown", "InterfaceDown", "InterfaceDown", "InterfaceDown"),
        *("Refused", "Established"),
    ]
    assert len(watched.told) == 4


async def test_restarted_speaker_keeps_since_when_a_session_is_as_it_is() -> None:
    before, after = Watched(BARE), Watched(BARE)
    await before.reasons(of(UP))
    (told,) = before.told[-1].sessions
    after.watch.resume([told])
    after.readings = of(UP)
    await after.watch.look()
    assert after.told == []


async def test_peer_with_another_address_begins_anew() -> None:
    watched = Watched(peer())
    await watched.reasons(of(BgpSession(neighbor="10.99.0.254", state="Established")))
    moved = peer(address="10.99.0.253", source_address=parse_address("10.99.0.1"))
    watched.watch.configured(Config(peers={"router": moved}), NodePlan(), ())
    assert await watched.reasons(Readings()) == ["NotConfigured"]
    assert watched.told[-1].sessions[0].neighbor == "10.99.0.253"
