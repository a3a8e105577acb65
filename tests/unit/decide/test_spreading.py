"""Even shares: small cases; the laws are in tests/property."""

from collections import Counter
from collections.abc import Mapping

from orchestrator.config.model import NodeName
from orchestrator.decide.matching import number_of
from orchestrator.decide.reach import Nodes
from orchestrator.decide.spreading import NO_STAKE, Balance, Moves, Stake, spread
from orchestrator.net.addresses import IpAddress
from tests.support.objects import ips

THREE: Nodes = frozenset({"n1", "n2", "n3"})


def among(count: int, home: Nodes, present: Nodes | None = None, first: int = 1) -> dict[IpAddress, Stake]:
    stake = Stake(home, home if present is None else present)
    return {ips(f"10.0.0.{number}")[0]: stake for number in range(first, first + count)}


def owners(stakes: Mapping[IpAddress, Stake]) -> Mapping[IpAddress, NodeName]:
    return spread(stakes).owners


def loads(found: Mapping[IpAddress, NodeName]) -> list[int]:
    return sorted(Counter(found.values()).values())


def test_nothing_is_shared_out_where_there_is_nothing() -> None:
    assert owners({}) == {}
    assert owners(among(2, frozenset())) == {}


def test_all_nodes_get_equally_many() -> None:
    assert loads(owners(among(9, THREE))) == [3, 3, 3]
    assert loads(owners(among(10, THREE))) == [3, 3, 4]


def test_death_moves_the_addresses_of_the_dead_only() -> None:
    before, after = owners(among(9, THREE)), owners(among(9, THREE, THREE - {"n2"}))
    assert {address for address in before if before[address] != after[address]} == {
        address for address, node in before.items() if node == "n2"
    }
    assert loads(after) == [4, 5]


def test_homes_do_not_depend_on_who_lives() -> None:
    one, other = spread(among(9, THREE)), spread(among(9, THREE, THREE - {"n2"}))
    assert one.homes == other.homes == one.owners


def test_address_that_nobody_may_have_now_has_no_owner() -> None:
    found = spread(among(3, THREE, frozenset()))
    assert found.owners == {}
    assert len(found.homes) == 3


def test_addresses_with_less_choice_are_made_room_for() -> None:
    stakes = among(3, frozenset({"n1"})) | among(6, THREE, first=10)
    assert loads(owners(stakes)) == [3, 3, 3]


def test_chain_relieves_a_node_that_cannot_give_to_the_lightest_itself() -> None:
    """n1 may give to n2 only, and n2 to n3: one of each has to move."""
    stakes = (
        among(4, frozenset({"n1"}))
        | among(4, frozenset({"n1", "n2"}), first=10)
        | among(4, frozenset({"n2", "n3"}), first=20)
    )
    assert loads(owners(stakes)) == [4, 4, 4]


def test_impossible_balance_is_not_forced() -> None:
    stakes = among(5, frozenset({"n1"})) | among(1, frozenset({"n2", "n3"}), first=10)
    assert loads(owners(stakes)) == [1, 5]


def test_what_was_there_before_changes_nothing() -> None:
    balance = Balance()
    for count, present in ((9, THREE), (40, THREE - {"n1"}), (3, THREE), (9, frozenset({"n3"}))):
        wanted = {number_of(address): stake for address, stake in among(count, THREE, present).items()}
        balance.change(dict.fromkeys(balance.homes, NO_STAKE) | wanted)
        assert balance.spreading() == spread(among(count, THREE, present))


def test_change_tells_what_moved() -> None:
    balance = Balance()
    wanted = {number_of(address): stake for address, stake in among(9, THREE).items()}
    assert balance.change(wanted).homes == wanted.keys()
    before = dict(balance.owners)
    assert balance.change(wanted) == Moves(frozenset(), frozenset())
    moves = balance.change(dict.fromkeys(wanted, Stake(THREE, THREE - {"n2"})))
    assert moves == Moves(frozenset(), frozenset(number for number, node in before.items() if node == "n2"))


def test_more_nodes_than_remembered_choices() -> None:
    many = frozenset(f"n{number:02}" for number in range(40))
    assert loads(owners(among(80, many))) == [2] * 40


def test_both_families_are_shared_out_together() -> None:
    stakes = {address: Stake(THREE, THREE) for address in ips("10.0.0.1", "2001:db8::1", "2001:db8:0:1::1")}
    assert loads(owners(stakes)) == [1, 1, 1]
