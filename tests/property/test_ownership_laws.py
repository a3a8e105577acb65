"""Laws of ownership: with one view there is one owner, everybody knows it, and few addresses move.

Clusters of 3 to 200 nodes. The views of the nodes differ only in whose they are.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.model import Config, Spread
from orchestrator.decide.announcement import plan_group
from orchestrator.decide.eligibility import NodeLink, NodeView, Placement
from orchestrator.decide.matching import number_of
from orchestrator.decide.node_plan import GroupPlan
from orchestrator.decide.reach import Nodes
from orchestrator.decide.spreading import NO_STAKE, Balance, Stake, spread
from orchestrator.net.addresses import IpAddress
from orchestrator.resources.core import EndpointSlice, Service
from orchestrator.resources.meta import ObjectKey
from tests.property import strategies_decide as some
from tests.support.objects import config, endpoints, l2, pool, service

briefly = settings(some.patiently, max_examples=25)
"""A cluster of 200 nodes is planned 200 times."""

ADDRESSES = [IPv4Address(f"10.0.0.{number}") for number in range(1, 5)]
Group = dict[ObjectKey, tuple[Service, tuple[EndpointSlice, ...]]]
Situation = tuple[tuple[str, ...], Config, NodeView, Group]
SUBNETS = [ip_network("10.0.0.0/24"), ip_network("192.0.2.0/24")]


def cluster(size: int) -> tuple[str, ...]:
    return tuple(f"node-{number}" for number in range(size))


def subsets(nodes: tuple[str, ...]) -> st.SearchStrategy[Nodes]:
    """Few, most or all of the nodes: to draw a large set member by member takes long."""
    few = st.frozensets(st.sampled_from(nodes), max_size=4)
    return few | few.map(lambda without: frozenset(nodes) - without) | st.just(frozenset(nodes))


@st.composite
def configurations(draw: st.DrawFn, nodes: tuple[str, ...]) -> Config:
    advertisements = [
        l2(
            f"l{number}",
            *draw(subsets(nodes)),
            interfaces=draw(st.sampled_from([(), ("eth0",), ("eth1",)])),
            require_on_link=draw(st.booleans()),
            spread=draw(st.sampled_from(Spread)),
            preference=draw(st.dictionaries(st.sampled_from(nodes), st.integers(1, 2), max_size=2)),
        )
        for number in range(draw(st.integers(1, 2)))
    ]
    return config(nodes=nodes, pools=[pool("p", "10.0.0.0/24", l2_advertisements=tuple(advertisements))])


@st.composite
def views(draw: st.DrawFn, nodes: tuple[str, ...]) -> NodeView:
    link = st.builds(
        NodeLink,
        interface=st.sampled_from(["eth0", "eth1"]),
        carrier=st.booleans(),
        networks=st.sampled_from([(), (SUBNETS[0],), tuple(SUBNETS)]),
    )
    placement = st.builds(Placement, to=st.sampled_from(("", *nodes)), avoid=subsets(nodes))
    known = draw(st.lists(link, max_size=2).map(tuple))
    return NodeView(
        node=nodes[0],
        alive=draw(st.none() | subsets(nodes)),
        links=dict.fromkeys(draw(subsets(nodes)), known),
        placements=draw(st.dictionaries(st.sampled_from(ADDRESSES), placement, max_size=2)),
        shares=draw(st.dictionaries(st.sampled_from(ADDRESSES), st.sampled_from(nodes), max_size=2)),
    )


@st.composite
def groups(draw: st.DrawFn, nodes: tuple[str, ...]) -> Group:
    """Services that share one address and have others of their own; some are Local."""
    found: Group = {}
    for name in draw(st.lists(st.sampled_from("abc"), unique=True, min_size=1)):
        own = draw(st.lists(st.sampled_from(ADDRESSES[1:]), unique=True, max_size=1))
        one = service(
            name,
            held=[str(address) for address in draw(st.permutations([ADDRESSES[0], *own]))],
            external_traffic_policy=draw(st.sampled_from(["Cluster", "Local"])),
        )
        found[one.metadata.key] = (one, endpoints(*draw(subsets(nodes))))
    return found


@st.composite
def situations(
    draw: st.DrawFn,
) -> Situation:
    nodes = cluster(draw(st.integers(3, 12) | st.sampled_from([50, 200])))
    return nodes, draw(configurations(nodes)), draw(views(nodes)), draw(groups(nodes))


def plans(
    nodes: tuple[str, ...],
    known: Config,
    view: NodeView,
    group: Group,
) -> dict[str, GroupPlan]:
    services = [one for one, _ in group.values()]
    slices = {key: parts for key, (_, parts) in group.items()}
    return {node: plan_group(known, services, slices, replace(view, node=node)) for node in nodes}


@briefly
@given(situations())
def test_nodes_with_one_view_agree_on_one_owner(
    situation: Situation,
) -> None:
    found = plans(*situation)
    answering = {node for node, plan in found.items() if plan.layer2}
    named = {entry.node for plan in found.values() for entry in plan.elsewhere}
    assert len(answering | named) <= 1
    for node, plan in found.items():
        if named and node not in named:
            assert plan.elsewhere
    alive = situation[2].alive
    assert alive is None or (answering | named) <= alive


@briefly
@given(situations(), st.randoms(use_true_random=False))
def test_order_of_services_does_not_matter(
    situation: Situation,
    chance: Random,
) -> None:
    nodes, known, view, group = situation
    items = list(group.items())
    chance.shuffle(items)
    assert plans(nodes[:2], known, view, group) == plans(nodes[:2], known, view, dict(items))


# spread: even -------------------------------------------------------------------------------------------------------


def stakes_of(count: int, home: Nodes, present: Nodes | None = None) -> dict[IpAddress, Stake]:
    stake = Stake(home, home if present is None else present)
    return {IPv4Address("10.0.0.1") + number: stake for number in range(count)}


def loads(owners: Mapping[IpAddress, str], nodes: Nodes) -> list[int]:
    counted = Counter(owners.values())
    return sorted(counted[node] for node in nodes)


def moved(before: Mapping[IpAddress, str], after: Mapping[IpAddress, str]) -> int:
    return sum(address in after and after[address] != node for address, node in before.items())


crowds = (st.integers(3, 12) | st.sampled_from([50, 200])).map(lambda size: frozenset(cluster(size)))
counts = st.integers(10, 400) | st.just(1000)


@briefly
@given(crowds, counts)
def test_equal_choice_gives_equal_shares(nodes: Nodes, count: int) -> None:
    owners = spread(stakes_of(count, nodes)).owners
    assert loads(owners, nodes)[-1] - loads(owners, nodes)[0] <= 1
    assert len(owners) == count


@briefly
@given(crowds, counts, st.data())
def test_deaths_move_the_addresses_of_the_dead_and_keep_the_balance(
    nodes: Nodes, count: int, data: st.DataObject
) -> None:
    alive = nodes - data.draw(st.frozensets(st.sampled_from(sorted(nodes)), max_size=len(nodes) - 1))
    before = spread(stakes_of(count, nodes)).owners
    after = spread(stakes_of(count, nodes, alive)).owners
    assert moved(before, after) == sum(node not in alive for node in before.values())
    assert loads(after, alive)[-1] - loads(after, alive)[0] <= 1


@briefly
@given(crowds, counts)
def test_new_node_moves_few_addresses(nodes: Nodes, count: int) -> None:
    """Its own share, and what the others exchange to stay even: the natural unevenness of the hash, at most."""
    before = spread(stakes_of(count, nodes)).owners
    after = spread(stakes_of(count, nodes | {"newcomer"})).owners
    ideal = count / (len(nodes) + 1)
    unevenness = (count * len(nodes)) ** 0.5
    assert moved(before, after) <= ideal + unevenness + 2


@briefly
@given(crowds, counts)
def test_new_address_moves_few_others(nodes: Nodes, count: int) -> None:
    before, after = (spread(stakes_of(number, nodes)).owners for number in (count, count + 1))
    assert moved(before, after) <= 2 * len(nodes) ** 0.5 + len(nodes) / 4


@briefly
@given(crowds, counts, st.randoms(use_true_random=False))
def test_order_of_addresses_does_not_matter(nodes: Nodes, count: int, chance: Random) -> None:
    stakes = stakes_of(count, nodes)
    shuffled = list(stakes.items())
    chance.shuffle(shuffled)
    assert spread(stakes) == spread(dict(shuffled))


@st.composite
def histories(draw: st.DrawFn) -> list[dict[IpAddress, Stake]]:
    """Changes of some addresses, one after the other. Those of both families have the same ranks."""
    nodes = cluster(draw(st.integers(2, 6) | st.just(14)))
    either = st.just(frozenset(nodes)) | st.frozensets(st.sampled_from(nodes), max_size=3)
    stakes = st.builds(Stake, either, either) | st.just(NO_STAKE)
    numbers = st.integers(1, 60)
    addresses = numbers.map(lambda number: IPv4Address("10.0.0.0") + number) | numbers.map(
        lambda number: IPv6Address(0x0A000000 + number)
    )
    return draw(st.lists(st.dictionaries(addresses, stakes, max_size=40), min_size=1, max_size=6))


@some.patiently
@given(histories())
def test_shares_depend_on_no_history(history: list[dict[IpAddress, Stake]]) -> None:
    balance, stakes = Balance(), dict[IpAddress, Stake]()
    for changes in history:
        before = dict(balance.owners)
        moves = balance.change({number_of(address): stake for address, stake in changes.items()})
        stakes |= changes
        assert balance.spreading() == spread(stakes)
        numbers = before.keys() | balance.owners.keys()
        assert moves.owners == {number for number in numbers if before.get(number) != balance.owners.get(number)}


@st.composite
def unequal(draw: st.DrawFn) -> dict[IpAddress, Stake]:
    nodes = cluster(draw(st.integers(3, 8)))
    sets = draw(st.lists(st.frozensets(st.sampled_from(nodes), min_size=1, max_size=3), min_size=1, max_size=40))
    return {IPv4Address("10.0.0.1") + number: Stake(each, each) for number, each in enumerate(sets)}


@some.patiently
@given(unequal())
def test_no_chain_of_moves_could_relieve_a_node(stakes: dict[IpAddress, Stake]) -> None:
    owners = spread(stakes).owners
    counted = Counter(owners.values())
    for start in counted:
        reached, queue = {start}, [start]
        while queue:
            giver = queue.pop()
            takers = {node for address, node in owners.items() if node == giver for node in stakes[address].present}
            queue += takers - reached
            reached |= takers
        assert min(counted[node] for node in reached) >= counted[start] - 1
    assert all(node in stakes[address].present for address, node in owners.items())
    assert owners.keys() == stakes.keys()
