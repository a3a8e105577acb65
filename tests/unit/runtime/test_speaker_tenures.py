"""Tenures follow plans and the responder's words, and tell of changes once."""

from collections.abc import Iterable
from ipaddress import ip_address

import pytest
from prometheus_client import generate_latest

from orchestrator.decide.node_plan import Elsewhere, GroupPlan, Layer2Address
from orchestrator.fsm.responder_api import Claimed, Entry, Mode, Probed, Released, Silent
from orchestrator.fsm.tenure import Past, Verdict
from orchestrator.net.addresses import IpAddress
from orchestrator.observe.metrics import SPEAKER_METRICS, Metrics
from orchestrator.resources.extensions import AddressConflict
from orchestrator.runtime.speaker_tenures import Tenures

ADDRESS = ip_address("192.0.2.7")
TEXT = str(ADDRESS)
MAC = "02:00:00:00:00:01"
HERE = GroupPlan(layer2=(Layer2Address(address=ADDRESS),))
AT_B = GroupPlan(elsewhere=(Elsewhere(address=ADDRESS, node="b"),))
NOBODY = GroupPlan()
REFUSED = AddressConflict(address=TEXT, mac=MAC, interface="eth0", action="refused")


class Followed:
    """Tenures that are led through plans of one group; `past` is what is known of its address."""

    def __init__(self) -> None:
        self.metrics = Metrics(SPEAKER_METRICS)
        self.tenures = Tenures(self.metrics)
        self.plan = NOBODY
        self.past = Past(used=False)
        self.previously: list[str] = []

    def to(self, plan: GroupPlan, now: float = 0.0, withheld: Iterable[IpAddress] = ()) -> None:
        before, self.plan = self.plan, plan

        def past_of(_: IpAddress, previously: str) -> Past:
            self.previously.append(previously)
            return self.past

        planned = {entry.address: entry for entry in plan.layer2}
        self.tenures.follow([[(before, plan)]], planned, frozenset(withheld), past_of, now)

    def table(self) -> tuple[Entry, ...]:
        return self.tenures.entries

    def conflicts(self) -> tuple[AddressConflict, ...]:
        return self.tenures.conflicts

    def counted(self, sample: str) -> bool:
        """Whether the metrics have the sample after everything was told."""
        self.tenures.tell()
        return sample in generate_latest(self.metrics.registry).decode()


@pytest.fixture
def followed() -> Followed:
    return Followed()


def test_first_use_is_probed_and_then_answered(followed: Followed) -> None:
    followed.to(HERE)
    assert followed.table() == (Entry(TEXT, None, Mode.PROBE),)
    assert followed.tenures.off_air == {ADDRESS}
    followed.tenures.heard(Probed(address=TEXT), 1.0)
    assert followed.table() == (Entry(TEXT),)
    assert followed.tenures.off_air == frozenset()
    assert not followed.counted("ferrule_layer2_owner_changes_total{")


def test_takeover_names_the_previous_owner(followed: Followed) -> None:
    followed.to(AT_B)
    followed.past = Past(used=True, node="b")
    followed.to(HERE)
    assert followed.previously == ["b"]
    assert followed.table() == (Entry(TEXT, None, Mode.ANSWER, "b"),)
    assert followed.counted('ferrule_layer2_owner_changes_total{direction="gained"} 1.0')


def test_moved_address_is_released_until_its_word_or_the_limit(followed: Followed) -> None:
    followed.past = Past(used=True)
    followed.to(HERE)
    followed.to(AT_B, now=10.0)
    assert followed.table() == (Entry(TEXT, None, Mode.RELEASE),)
    assert followed.counted('ferrule_layer2_owner_changes_total{direction="lost"} 1.0')
    assert followed.tenures.deadline == 12.0
    followed.tenures.heard(Released(address=TEXT, owner_mac=MAC), 10.1)
    assert followed.table() == ()
    followed.to(HERE, now=20.0)
    followed.to(AT_B, now=21.0)
    followed.tenures.pass_time(23.0)
    assert followed.table() == ()


def test_released_address_is_released_further_when_its_group_joins_another(followed: Followed) -> None:
    followed.past = Past(used=True)
    followed.to(HERE)
    followed.to(AT_B)
    joined = [(NOBODY, AT_B), (AT_B, NOBODY)]
    followed.tenures.follow([joined], {}, frozenset(), lambda *_: followed.past, 1.0)
    assert followed.table() == (Entry(TEXT, None, Mode.RELEASE),)


def test_released_address_that_comes_back_is_answered(followed: Followed) -> None:
    followed.past = Past(used=True)
    followed.to(HERE)
    followed.to(AT_B)
    followed.to(HERE)
    assert followed.table() == (Entry(TEXT),)


def test_responder_that_starts_anew_releases_nothing(followed: Followed) -> None:
    followed.past = Past(used=True)
    followed.to(HERE)
    followed.to(AT_B)
    followed.tenures.responder_lost()
    assert followed.table() == ()


def test_withdrawn_address_is_dropped_at_once(followed: Followed) -> None:
    followed.past = Past(used=True)
    followed.to(HERE)
    followed.to(NOBODY)
    assert followed.table() == ()
    assert followed.tenures.used == {ADDRESS}
    followed.tenures.forget_use({TEXT})
    assert followed.tenures.used == {ADDRESS}
    followed.tenures.forget_use(frozenset())
    assert followed.tenures.used == frozenset()


def test_address_in_use_is_refused_and_asked_for_until_it_is_free(followed: Followed) -> None:
    followed.to(HERE)
    followed.tenures.heard(Probed(address=TEXT, interface="eth0", mac=MAC), 1.0)
    assert followed.tenures.occupied[ADDRESS].before_use
    assert followed.tenures.tell() == (REFUSED,)
    assert followed.counted('ferrule_layer2_conflicts_total{kind="duplicate"} 1.0')
    assert followed.counted('ferrule_layer2_conflicts_open{action="refused"} 1.0')
    followed.to(NOBODY, withheld={ADDRESS})
    assert followed.table() == (Entry(TEXT, None, Mode.PROBE),)
    assert followed.tenures.tell() == ()
    followed.tenures.heard(Probed(address=TEXT), 9.0)
    followed.to(HERE)
    assert followed.table() == (Entry(TEXT),)
    followed.tenures.tell()
    assert not followed.counted("ferrule_layer2_conflicts_open{")


def test_lost_claim_is_watched_until_the_rival_is_silent(followed: Followed) -> None:
    followed.past = Past(used=True)
    followed.to(HERE)
    followed.tenures.claimed(Claimed(address=TEXT, interface="eth0", mac=MAC, node="b"), Verdict.THEIRS, 1.0)
    assert followed.tenures.occupied[ADDRESS].node == "b"
    followed.tenures.tell()
    assert followed.counted('ferrule_layer2_conflicts_total{kind="node"} 1.0')
    followed.to(NOBODY, withheld={ADDRESS})
    assert followed.table() == (Entry(TEXT, None, Mode.WATCH),)
    followed.tenures.heard(Silent(address=TEXT), 5.0)
    followed.to(HERE)
    assert followed.table() == (Entry(TEXT, None, Mode.ANSWER, "b"),)
    assert followed.tenures.occupied == {}


def test_watched_address_that_moves_is_forgotten(followed: Followed) -> None:
    followed.past = Past(used=True)
    followed.to(HERE)
    followed.tenures.claimed(Claimed(address=TEXT, interface="eth0", mac=MAC, node="b"), Verdict.THEIRS, 1.0)
    followed.to(AT_B)
    assert followed.table() == ()
    assert followed.conflicts() == ()


def test_defended_address_stays_and_the_conflict_ends_with_silence(followed: Followed) -> None:
    followed.past = Past(used=True)
    followed.to(HERE)
    followed.tenures.claimed(Claimed(address=TEXT, interface="eth0", mac=MAC), Verdict.OURS, 1.0)
    assert [each.action for each in followed.conflicts()] == ["defended"]
    assert followed.table() == (Entry(TEXT),)
    followed.tenures.tell()
    followed.tenures.claimed(Claimed(address=TEXT, interface="eth0", mac=MAC), Verdict.OURS, 2.0)
    assert followed.tenures.tell() == ()
    followed.tenures.pass_time(followed.tenures.deadline)
    assert followed.conflicts() == ()


def test_conflict_from_before_the_restart_is_not_told_again(followed: Followed) -> None:
    followed.tenures.remember([REFUSED])
    followed.to(HERE)
    assert followed.conflicts() == (REFUSED,)
    assert followed.table() == (Entry(TEXT, None, Mode.PROBE),)
    assert followed.tenures.tell() == ()
