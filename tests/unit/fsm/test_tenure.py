"""What follows from what, for one address; and what plan, table and people are told of it."""

from ipaddress import ip_address
from math import inf

import pytest

from orchestrator.decide.eligibility import Occupied
from orchestrator.decide.node_plan import Announced, GroupPlan, Layer2Address, Protocol
from orchestrator.fsm import tenure
from orchestrator.fsm.responder_api import Entry, Mode
from orchestrator.fsm.tenure import Past, Rival, Stage, Tenure, Verdict
from orchestrator.net.link import MacAddress
from orchestrator.resources.extensions import AddressConflict
from orchestrator.resources.meta import ObjectKey

MAC = "02:00:00:00:00:01"
ADDRESS = "192.0.2.7"
NOW = 100.0
STRANGER = Rival(mac=MAC, interface="eth0", last=NOW)
NODE_B = Rival(mac=MAC, interface="eth0", last=NOW, node="node-b")
NEW, OLD = Past(used=False), Past(used=True, node="node-b")


def at(stage: Stage, rival: Rival | None = None, previous: str = "", until: float = inf) -> Tenure:
    return Tenure(stage=stage, rival=rival, previous=previous, until=until)


HELD = at(Stage.HELD)
RELEASING = at(Stage.RELEASING, until=NOW + 2)
REFUSED = at(Stage.REFUSED, STRANGER)
YIELDED = at(Stage.YIELDED, NODE_B)


@pytest.mark.parametrize(("past", "after"), [(NEW, at(Stage.PROBING)), (OLD, at(Stage.HELD, previous="node-b"))])
def test_first_use_begins_with_a_probe(past: Past, after: Tenure) -> None:
    assert tenure.begun(None, past) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (at(Stage.PROBING), at(Stage.PROBING)),
        (HELD, HELD),
        (RELEASING, HELD),
        (REFUSED, REFUSED),
        (YIELDED, YIELDED),
    ],
)
def test_plan_gives_the_address_to_this_node(before: Tenure, after: Tenure) -> None:
    assert tenure.wanted(before, None) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, None),
        (at(Stage.PROBING), None),
        (HELD, RELEASING),
        (RELEASING, RELEASING),
        (REFUSED, None),
        (YIELDED, None),
    ],
)
def test_plan_gives_the_address_to_another_node(before: Tenure | None, after: Tenure | None) -> None:
    assert tenure.elsewhere(before, NOW) == after


def test_second_plan_does_not_prolong_a_release() -> None:
    assert tenure.elsewhere(RELEASING, NOW + 1) == RELEASING


def test_new_interfaces_are_taken_over() -> None:
    after = tenure.wanted(HELD, ("eth1",))
    assert tenure.entry(ADDRESS, after) == Entry(ADDRESS, ("eth1",))


@pytest.mark.parametrize(
    ("before", "verdict", "after"),
    [
        (HELD, Verdict.OURS, at(Stage.HELD, NODE_B)),
        (HELD, Verdict.THEIRS, YIELDED),
        (RELEASING, Verdict.THEIRS, RELEASING),
        (at(Stage.PROBING), Verdict.THEIRS, at(Stage.PROBING)),
        (REFUSED, Verdict.OURS, REFUSED),
    ],
)
def test_claim_is_judged_where_the_address_is_held(before: Tenure, verdict: Verdict, after: Tenure) -> None:
    assert tenure.claimed(before, NODE_B, verdict) == after


@pytest.mark.parametrize(
    ("before", "rival", "stage"),
    [
        (at(Stage.PROBING), None, Stage.HELD),
        (at(Stage.PROBING), STRANGER, Stage.REFUSED),
        (REFUSED, None, Stage.HELD),
        (REFUSED, STRANGER, Stage.REFUSED),
        (RELEASING, STRANGER, Stage.RELEASING),
        (HELD, STRANGER, Stage.HELD),
    ],
)
def test_outcome_of_a_probe(before: Tenure, rival: Rival | None, stage: Stage) -> None:
    assert tenure.probed(before, rival).stage is stage


def test_silence_of_a_rival_gives_the_address_back() -> None:
    assert tenure.silent(YIELDED) == at(Stage.HELD, previous="node-b")
    assert tenure.silent(HELD) == HELD


def test_release_ends_with_its_word_or_after_the_limit() -> None:
    assert tenure.released(RELEASING) is None
    assert tenure.released(HELD) == HELD
    assert tenure.pass_time(RELEASING, NOW + 1.9) == RELEASING
    assert tenure.pass_time(RELEASING, NOW + 2) is None


def test_rival_that_gave_up_is_forgotten() -> None:
    fought = at(Stage.HELD, STRANGER)
    assert tenure.next_change(fought) == NOW + 30
    assert tenure.pass_time(fought, NOW + 29) == fought
    assert tenure.pass_time(fought, NOW + 30) == HELD
    assert tenure.pass_time(YIELDED, NOW + 1000) == YIELDED


@pytest.mark.parametrize(
    ("held", "mode"),
    [
        (at(Stage.PROBING), Mode.PROBE),
        (HELD, Mode.ANSWER),
        (RELEASING, Mode.RELEASE),
        (REFUSED, Mode.PROBE),
        (YIELDED, Mode.WATCH),
    ],
)
def test_mode_in_the_table(held: Tenure, mode: Mode) -> None:
    assert tenure.entry(ADDRESS, held).mode is mode


def test_plan_does_without_what_others_have() -> None:
    mac = MacAddress.parse(MAC)
    assert tenure.occupied(REFUSED) == Occupied(mac=mac, interface="eth0", before_use=True)
    assert tenure.occupied(YIELDED) == Occupied(mac=mac, interface="eth0", node="node-b")
    assert tenure.occupied(at(Stage.HELD, STRANGER)) is None


@pytest.mark.parametrize(
    ("held", "action"),
    [
        (REFUSED, "refused"),
        (YIELDED, "yielded"),
        (at(Stage.HELD, STRANGER), "defended"),
        (at(Stage.HELD, NODE_B), None),
        (HELD, None),
    ],
)
def test_conflict_that_people_are_told_of(held: Tenure, action: str | None) -> None:
    told = tenure.conflict(ADDRESS, held)
    assert (told and told.action) == action


def test_second_claim_of_a_node_is_a_conflict() -> None:
    once = tenure.claimed(HELD, NODE_B, Verdict.OURS)
    twice = tenure.claimed(once, NODE_B, Verdict.OURS)
    assert tenure.conflict(ADDRESS, twice) == AddressConflict(
        address=ADDRESS, mac=MAC, interface="eth0", node="node-b", action="defended"
    )


@pytest.mark.parametrize("held", [REFUSED, YIELDED, at(Stage.HELD, STRANGER)])
def test_conflict_outlives_a_restart_of_the_speaker(held: Tenure) -> None:
    told = tenure.conflict(ADDRESS, held)
    assert told is not None
    again = tenure.restored(told, None, NOW)
    assert tenure.conflict(ADDRESS, again) == told
    assert tenure.entry(ADDRESS, again) == tenure.entry(ADDRESS, held)


def test_address_that_is_asked_for_is_not_told_of() -> None:
    first, second = ip_address("192.0.2.7"), ip_address("2001:db8::7")
    service = ObjectKey("shop", "web")
    bgp = Announced(service=service, protocol=Protocol.BGP, addresses=(first,))
    both = Announced(service=service, protocol=Protocol.LAYER2, addresses=(first, second))
    plan = GroupPlan(announced=(bgp, both), layer2=(Layer2Address(address=first), Layer2Address(address=second)))
    only_second = Announced(service=service, protocol=Protocol.LAYER2, addresses=(second,))
    assert tenure.on_air(plan, {first}).announced == (bgp, only_second)
    assert tenure.on_air(plan, {first, second}).announced == (bgp,)
    assert tenure.on_air(plan, frozenset()) is plan
