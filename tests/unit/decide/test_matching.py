"""Addresses and nodes choose each other; repaired is as new."""

from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest

from orchestrator.decide.matching import Matching, Number, Quota, Ranks, address_of, number_of
from orchestrator.decide.reach import Nodes
from orchestrator.net.addresses import address_key
from tests.support.objects import ips

NODES: Nodes = frozenset({"n1", "n2", "n3"})
RANKS = Ranks()


def matched(numbers: Iterable[Number], quota: Quota, nodes: Nodes = NODES) -> Matching:
    found = Matching(nodes, RANKS)
    for number in numbers:
        found.add(number)
    found.settle(quota)
    return found


def owners(matching: Matching, numbers: Iterable[Number]) -> dict[Number, str | None]:
    return {number: matching.owner(number) for number in numbers}


def test_number_stands_for_its_address_and_sorts_like_it() -> None:
    addresses = ips("10.0.0.1", "255.255.255.255", "::", "::a00:1", "ffff::")
    assert [address_of(number_of(address)) for address in addresses] == list(addresses)
    assert sorted(addresses, key=number_of) == sorted(addresses, key=address_key)


def test_with_room_everywhere_each_gets_its_first_choice() -> None:
    found = matched(range(30), Counter(dict.fromkeys(NODES, 30)))
    assert owners(found, range(30)) == {number: RANKS.ordered(number, NODES)[0] for number in range(30)}
    assert found.favored == Counter(owners(found, range(30)).values())


def test_no_pair_would_rather_have_each_other() -> None:
    found = matched(range(30), Counter(n1=20, n2=7, n3=3))
    held = owners(found, range(30))
    assert Counter(held.values()) == Counter(n1=20, n2=7, n3=3)
    for number, owner in held.items():
        for node in NODES - {owner}:
            wanted = RANKS.rank(number, node) < RANKS.rank(number, owner or "")
            worst = max(RANKS.rank(other, node) for other, there in held.items() if there == node)
            assert not (wanted and RANKS.rank(number, node) < worst)


@pytest.mark.parametrize("quota", [Counter(n1=12, n2=8, n3=10), Counter(n1=30), Counter(n2=15, n3=15)])
def test_other_quotas_give_what_matching_anew_gives(quota: Quota) -> None:
    found = matched(range(30), Counter(n1=20, n2=7, n3=3))
    before = owners(found, range(30))
    moved = found.settle(quota)
    after = owners(found, range(30))
    assert after == owners(matched(range(30), quota), range(30))
    assert moved == {number for number in before if before[number] != after[number]}


def test_members_that_come_and_go_leave_no_trace() -> None:
    found = matched(range(30), Counter(n1=10, n2=10, n3=10))
    for number in range(0, 30, 3):
        found.remove(number)
    for number in range(30, 34):
        found.add(number)
    quota = Counter(n1=8, n2=8, n3=8)
    moved = found.settle(quota)
    left = [number for number in range(34) if number % 3 or number >= 30]
    assert owners(found, left) == owners(matched(left, quota), left)
    assert len(found) == len(left)
    assert moved >= {*range(0, 30, 3), *range(30, 34)}
    assert found.favored == matched(left, quota).favored


def test_many_changes_at_once_are_repaired_to_what_matching_anew_gives() -> None:
    chance = Random(4)
    found, members = matched([], Counter()), set[Number]()
    for _ in range(300):
        wanted = set(chance.sample(range(16), chance.randrange(1, 16)))
        for number in members - wanted:
            found.remove(number)
        for number in wanted - members:
            found.add(number)
        members, quota = wanted, Counter(chance.choices(sorted(NODES), k=len(wanted)))
        found.settle(quota)
        assert owners(found, members) == owners(matched(members, quota), members)


def test_choices_beyond_the_remembered_ones_are_asked_for() -> None:
    many = frozenset(f"n{number:02}" for number in range(40))
    quota: Quota = Counter(dict.fromkeys(many, 1))
    found = matched(range(40), quota, many)
    assert set(owners(found, range(40)).values()) == many
    found.remove(7)
    found.add(99)
    found.settle(quota)
    assert set(owners(found, [*range(7), *range(8, 40), 99]).values()) == many
