"""What is said on a Service about its layer-2 addresses, and when."""

import msgspec
import pytest

from orchestrator.config.model import NodeFacts
from orchestrator.decide.conditions import ADDRESS_CONFLICT, IN_POOL, ON_LINK, Subject, conditions_of, merged, observe
from orchestrator.resources.extensions import AddressConflict, SpeakerInterface, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import Condition
from tests.support.objects import ips, l2, metadata

VIP, VIP6 = "192.0.2.10", "2001:db8:1::10"
MAC = "02:00:00:00:00:99"
ALL = ("a", "b", "c")
FACTS = {name: NodeFacts(name=name, labels={}) for name in (*ALL, *(f"n{number:02}" for number in range(12)))}
LEAVE_OUT = "set requireOnLink on L2Advertisement lan, or leave these nodes out with its nodeSelectors"


def state(
    node: str, *prefixes: str, interface: str = "eth0", conflicts: tuple[AddressConflict, ...] = ()
) -> SpeakerState:
    interfaces = (SpeakerInterface(name=interface, prefixes=prefixes),)
    spec = SpeakerStateSpec(node=node, interfaces=interfaces, conflicts=conflicts)
    return SpeakerState(metadata=metadata(node), spec=spec)


def found(subject: Subject, *states: SpeakerState) -> list[tuple[str, str, str]]:
    return [(each.status, each.reason, each.message) for each in conditions_of(subject, observe(states), FACTS)]


def subject(*addresses: str, owners: tuple[str, ...] = (), **advertisement: object) -> Subject:
    return Subject(
        addresses=ips(*(addresses or (VIP,))),
        advertisements=(l2("lan", *ALL, **advertisement),),
        owners=frozenset(owners),
    )


ON = [state(node, "192.0.2.11/24", "fe80::1/64") for node in ALL]
OFF_C = [*ON[:2], state("c", "198.51.100.3/24")]


def test_nothing_is_said_while_every_node_is_on_link() -> None:
    assert found(subject(owners=("a",)), *ON) == []


def test_node_off_link_is_named_beside_those_on_link() -> None:
    text = f"{VIP}: nodes with an address in its subnet: a (eth0), b (eth0); without: c; {LEAVE_OUT}"
    assert found(subject(owners=("a",)), *OFF_C) == [("False", "SomeNodesOffLink", text)]


def test_owner_off_link_is_worse() -> None:
    text = f"{VIP}: c answers for it and has no address in its subnet; with one: a (eth0), b (eth0); without: c; {LEAVE_OUT}"
    assert found(subject(owners=("c",)), *OFF_C) == [("False", "OwnerOffLink", text)]


def test_nobody_on_link_is_worst() -> None:
    (said,) = found(subject("203.0.113.1", owners=("c",)), *ON)
    remedy = "select other nodes with nodeSelectors of L2Advertisement lan, or use an address of a subnet of theirs"
    text = f"203.0.113.1: no node has an address in its subnet; without: a, b, c; {remedy}"
    assert said == ("False", "NoNodeOnLink", text)


def test_link_local_addresses_are_no_leg() -> None:
    assert [reason for _, reason, _ in found(subject("fe80::10"), *ON)] == ["NoNodeOnLink"]


def test_nodes_that_have_said_nothing_count_for_nothing() -> None:
    assert found(subject(), *ON[:1]) == []
    assert found(subject()) == []


def test_addresses_without_a_pool_are_a_condition_of_their_own() -> None:
    stray = Subject(addresses=ips("203.0.113.1"), advertisements=(), pool_removed="pool p is gone")
    (said,) = conditions_of(stray, observe(ON), FACTS)
    assert (said.type, said.status, said.reason, said.message) == (IN_POOL, "False", "NotInPool", "pool p is gone")


def test_excluded_and_unknown_nodes_count_for_nothing() -> None:
    labeled = {**FACTS, "c": excluded(FACTS["c"])}
    assert conditions_of(subject(), observe(OFF_C), labeled) == ()
    assert conditions_of(subject(), observe(OFF_C), {name: FACTS[name] for name in ("a", "b")}) == ()


def excluded(facts: NodeFacts) -> NodeFacts:
    return NodeFacts(name=facts.name, labels={}, excluded_from_balancers=True)


def test_required_link_needs_no_warning_unless_nobody_has_one() -> None:
    assert found(subject(require_on_link=True), *OFF_C) == []
    assert found(subject("203.0.113.1", require_on_link=True), *ON)[0][1] == "NoNodeOnLink"


def test_leg_on_an_interface_that_does_not_answer_is_none() -> None:
    elsewhere = [*ON[:2], state("c", "192.0.2.13/24", interface="eth1")]
    assert found(subject(), *elsewhere) == []
    (said,) = found(subject(interfaces=("eth0",)), *elsewhere)
    assert said[1:] == (
        "SomeNodesOffLink",
        f"{VIP}: nodes with an address in its subnet: a (eth0), b (eth0); without: c; {LEAVE_OUT}",
    )


def test_each_address_of_a_service_has_its_line() -> None:
    (said,) = found(subject(VIP, VIP6), *OFF_C)
    lines = said[2].splitlines()
    assert said[1] == "NoNodeOnLink"
    assert [line.partition(": ")[0] for line in lines] == [VIP, VIP6]


def test_service_without_advertisement_has_no_condition_about_links() -> None:
    assert found(Subject(addresses=ips("203.0.113.1"), advertisements=(), owners=frozenset("a")), *ON) == []


def test_long_lists_are_cut() -> None:
    names = tuple(f"n{number:02}" for number in range(12))
    wide = Subject(addresses=ips("203.0.113.1"), advertisements=(l2("lan", *names),))
    (said,) = found(wide, *(state(name, "192.0.2.1/24") for name in names))
    assert "n08, n09 and 2 more" in said[2]


@pytest.mark.parametrize(
    ("action", "node", "reason", "words"),
    [
        (
            "refused",
            "",
            "DuplicateAddress",
            "(a machine that is no node of ours) has it on eth0, not answered for by a",
        ),
        ("defended", "b", "TwoOwners", "(node b) has it on eth0, defended by a"),
        ("yielded", "b", "TwoOwners", "(node b) has it on eth0, left to it by a"),
        ("defended", "", "ForeignOwner", "(a machine that is no node of ours) has it on eth0, defended by a"),
    ],
)
def test_conflict_names_mac_node_interface_and_what_is_done(action: str, node: str, reason: str, words: str) -> None:
    conflict = msgspec.convert(
        {"address": VIP, "mac": MAC, "interface": "eth0", "node": node, "action": action}, AddressConflict
    )
    (said,) = found(subject(), state("a", "192.0.2.11/24", conflicts=(conflict,)))
    assert said[:2] == ("True", reason)
    assert said[2].startswith(f"{VIP}: {MAC} {words}; ")


def test_nodes_that_see_the_same_are_named_together() -> None:
    conflict = AddressConflict(address=VIP, mac=MAC, interface="eth0")
    (said,) = found(subject(), *(state(node, "192.0.2.11/24", conflicts=(conflict,)) for node in ("b", "a")))
    assert "defended by a, b; take it" in said[2]


def test_conflict_about_another_address_is_not_said() -> None:
    conflict = AddressConflict(address="192.0.2.77", mac=MAC)
    broken = AddressConflict(address="nonsense", mac=MAC)
    assert found(subject(), state("a", "192.0.2.11/24", "no prefix", conflicts=(conflict, broken))) == []


FOREIGN = Condition(type="example.com/Ready", status="True", reason="Fine")
OURS = Condition(type=ON_LINK, status="False", reason="SomeNodesOffLink", message="x")


def test_conditions_of_other_writers_stay() -> None:
    held = (FOREIGN,)
    after = merged(held, (OURS,), "t1")
    assert after == (FOREIGN, msgspec.structs.replace(OURS, last_transition_time="t1"))
    assert merged(after, (), "t2") == held


def test_transition_time_changes_with_the_status_only() -> None:
    held = merged((), (OURS,), "t1")
    (after,) = merged(held, (msgspec.structs.replace(OURS, reason="OwnerOffLink"),), "t2")
    assert (after.reason, after.last_transition_time) == ("OwnerOffLink", "t1")
    (turned,) = merged(held, (msgspec.structs.replace(OURS, status="True"),), "t2")
    assert turned.last_transition_time == "t2"


def test_order_of_conditions_alone_is_no_change() -> None:
    conflict = Condition(type=ADDRESS_CONFLICT, status="True", reason="TwoOwners")
    held = (*merged((), (conflict, OURS), "t1"), FOREIGN)
    assert merged(held, (OURS, conflict), "t2") == held
