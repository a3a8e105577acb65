"""Shares kept up to date: what changes, and whom it concerns."""

from collections import Counter

from orchestrator.decide.contest import Contest
from orchestrator.decide.eligibility import Placement
from orchestrator.decide.groups import GroupId
from orchestrator.decide.shares import Shares
from tests.support.objects import ips, key

NODES = frozenset({"n1", "n2", "n3"})


def contest(number: int, domain: tuple[str, ...] = ("even",)) -> Contest:
    return Contest(address=ips(f"10.0.0.{number}")[0], everyone=NODES, able=NODES, preference={}, domain=domain)


def many(*numbers: int) -> dict[GroupId, Contest | None]:
    return {key(f"s{number}"): contest(number) for number in numbers}


def test_first_contests_give_every_group_a_share() -> None:
    shares = Shares()
    assert shares.update(many(1, 2, 3), None) == {key("s1"), key("s2"), key("s3")} == shares.groups
    assert set(Counter(shares.shares.values()).values()) == {1}


def test_reserve_has_a_share_of_what_none_of_the_living_may_have() -> None:
    shares = Shares()
    shares.update(many(1, 2), frozenset())
    assert not shares.shares
    assert shares.update({}, frozenset(), frozenset({"n2"})) == {key("s1"), key("s2")}
    assert set(shares.shares.values()) == {"n2"}
    shares.update({}, frozenset({"n1"}), frozenset({"n2"}))
    assert set(shares.shares.values()) == {"n1"}


def test_unchanged_contest_concerns_nobody() -> None:
    shares = Shares()
    shares.update(many(1, 2, 3), None)
    assert shares.update(many(2), None) == frozenset()


def test_death_concerns_the_groups_of_the_dead_node() -> None:
    shares = Shares()
    shares.update(many(*range(1, 10)), None)
    dead = {address for address, node in shares.shares.items() if node == "n1"}
    moved = shares.update({}, NODES - {"n1"})
    assert moved == {key(f"s{int(address) & 255}") for address in dead}
    assert "n1" not in shares.shares.values()
    assert "n1" in shares.homes.values()


def test_group_without_a_domain_takes_no_part() -> None:
    shares = Shares()
    assert shares.update({key("s1"): contest(1, domain=()), key("s2"): None}, None) == frozenset()
    assert not shares.groups


def test_group_that_goes_makes_room() -> None:
    shares = Shares()
    shares.update(many(1, 2, 3, 4), None)
    shares.update({key("s4"): None}, None)
    assert len(shares.shares) == len(shares.homes) == 3
    shares.update({key(f"s{number}"): None for number in (1, 2, 3)}, None)
    assert not shares.shares
    assert not shares.groups


def test_domains_are_balanced_by_themselves() -> None:
    shares = Shares()
    shares.update({key(f"s{number}"): contest(number, domain=(f"l{number % 2}",)) for number in range(1, 7)}, None)
    for parity in (0, 1):
        loads = Counter(node for address, node in shares.shares.items() if int(address) % 2 == parity)
        assert loads == Counter(dict.fromkeys(NODES, 1))


def test_group_moves_from_one_domain_to_the_other() -> None:
    shares = Shares()
    shares.update(many(1, 2), None)
    shares.update({key("s1"): contest(1, domain=("other",))}, None)
    assert set(shares.shares) == {*ips("10.0.0.1", "10.0.0.2")}


def test_address_that_another_group_takes_over_stays_shared() -> None:
    shares = Shares()
    shares.update(many(1, 2), None)
    shares.update({key("s0"): contest(1), key("s1"): None}, None)
    assert set(shares.shares) == {*ips("10.0.0.1", "10.0.0.2")}
    assert shares.groups == {key("s0"), key("s2")}


def test_placed_address_counts_as_a_share_of_its_node() -> None:
    shares = Shares()
    fixed = Contest(
        address=ips("10.0.0.1")[0],
        everyone=NODES,
        able=NODES,
        preference={},
        placement=Placement(to="n2"),
        domain=("even",),
    )
    shares.update({**many(2, 3), key("s1"): fixed}, None)
    assert shares.shares[ips("10.0.0.1")[0]] == "n2"
    assert Counter(shares.shares.values()) == Counter(dict.fromkeys(NODES, 1))


def test_return_brings_back_what_the_node_had() -> None:
    shares = Shares()
    shares.update(many(*range(1, 10)), NODES)
    before = dict(shares.shares)
    moved = shares.update({}, NODES - {"n1"})
    assert shares.update({}, NODES) == moved
    assert shares.shares == before


def test_address_may_go_to_a_group_of_another_domain_at_once() -> None:
    for names in (("s1", "s0"), ("s0", "s1")):
        shares = Shares()
        shares.update(many(1, 2), None)
        both: dict[GroupId, Contest | None] = {key("s1"): None, key("s0"): contest(1, domain=("other",))}
        shares.update({key(name): both[key(name)] for name in names}, None)
        assert set(shares.shares) == set(shares.homes) == {*ips("10.0.0.1", "10.0.0.2")}
