"""Who takes part in a group's election, and who wins it."""

from ipaddress import ip_network
from typing import Any

import pytest

from orchestrator.config.model import L2Advertisement, Spread
from orchestrator.decide.candidates import Candidate
from orchestrator.decide.contest import Contest, Entrant, contest_between, enter
from orchestrator.decide.eligibility import NodeLink, NodeView, Placement, Serving
from orchestrator.decide.node_plan import Decline, DeclineReason
from orchestrator.decide.reach import Reach
from tests.support.objects import config, ips, l2, labeled, pool, service

NODES = ("node-a", "node-b", "node-c")
ADDRESS = ips("10.0.0.1")[0]  # the order of its nodes is b, a, c


def candidate(*held: str, name: str = "web", on: tuple[str, ...] = NODES, **fields: Any) -> Candidate:
    advertisements = fields.pop("advertisements", (l2("l", *NODES),))
    return Candidate(
        service=service(name, held=held, **fields),
        addresses=ips(*held),
        pool=pool("p", "10.0.0.0/16", l2_advertisements=advertisements),
        serving=Serving(anywhere=bool(on), nodes=frozenset(on)),
    )


def contest(*candidates: Candidate, **fields: Any) -> Contest | None:
    view = NodeView(node="node-a", **fields)
    entered = [enter(each, Reach(config(nodes=NODES), view)) for each in candidates]
    return contest_between(candidates, [one for one in entered if isinstance(one, Entrant)], view)


def winner(*candidates: Candidate, **fields: Any) -> str | None:
    held = contest(*candidates, **fields)
    return None if held is None else held.winner(held.candidates(fields.get("alive")), {})


def test_nobody_enters_without_an_endpoint_that_serves() -> None:
    refused = enter(candidate("10.0.0.1", on=()), Reach(config(nodes=NODES), NodeView(node="node-a")))
    assert isinstance(refused, Decline)
    assert refused.reason is DeclineReason.NOT_OWNER


def test_shared_address_does_not_enter_under_service_selectors() -> None:
    sharing = candidate(
        "10.0.0.1",
        annotations={"metallb.universe.tf/allow-shared-ip": ""},
        labels={"app": "web"},
        advertisements=(l2("l", *NODES, service_selectors=(labeled(app="web"),)),),
    )
    refused = enter(sharing, Reach(config(nodes=NODES), NodeView(node="node-a")))
    assert isinstance(refused, Decline)
    assert refused.reason is DeclineReason.SHARED_IP_WITH_SERVICE_SELECTOR


def test_there_is_no_contest_without_an_advertisement() -> None:
    assert contest(candidate("10.0.0.1", advertisements=())) is None


def test_key_is_the_first_address_of_the_lowest_service() -> None:
    held = contest(candidate("10.0.0.9", "10.0.0.1", name="b"), candidate("10.0.0.3", "10.0.0.1", name="a"))
    assert held is not None
    assert str(held.address) == "10.0.0.3"


def test_only_the_living_win() -> None:
    assert winner(candidate("10.0.0.1"), alive=frozenset({"node-a", "node-c"})) == "node-a"
    assert winner(candidate("10.0.0.1"), alive=frozenset()) is None


def test_reserve_wins_only_what_none_of_the_living_may_have() -> None:
    reserve = frozenset({"node-b"})
    held = contest(candidate("10.0.0.1"))
    assert held is not None
    assert held.candidates(frozenset({"node-c"}), reserve) == {"node-c"}
    local = contest(candidate("10.0.0.1", on=("node-b",), external_traffic_policy="Local"))
    assert local is not None
    assert local.candidates(frozenset({"node-c"}), reserve) == reserve
    assert local.candidates(frozenset({"node-b", "node-c"})) == {"node-b"}


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        (Placement(to="node-c"), "node-c"),
        (Placement(to="node-x"), "node-b"),
        (Placement(to="node-x", avoid=frozenset({"node-b"})), "node-a"),
        (Placement(avoid=frozenset({"node-b"})), "node-a"),
        (Placement(avoid=frozenset(NODES)), "node-b"),
        (Placement(to="node-b", avoid=frozenset({"node-b"})), "node-b"),
    ],
)
def test_placement_goes_before_everything(placement: Placement, expected: str) -> None:
    assert winner(candidate("10.0.0.1"), placements={ADDRESS: placement}) == expected


def test_placement_goes_before_the_preference_and_the_preference_counts_among_the_rest() -> None:
    preferring = (l2("l", *NODES, preference={"node-c": 5, "node-a": 1}),)
    web = candidate("10.0.0.1", advertisements=preferring)
    assert winner(web) == "node-c"
    assert winner(web, placements={ADDRESS: Placement(to="node-b")}) == "node-b"
    assert winner(web, placements={ADDRESS: Placement(avoid=frozenset({"node-c"}))}) == "node-a"


def test_placement_of_any_address_moves_the_group_and_the_lowest_wins() -> None:
    web = candidate("10.0.0.1", "10.0.0.2")
    both = {ips("10.0.0.2")[0]: Placement(to="node-c"), ADDRESS: Placement(to="node-a")}
    assert winner(web, placements={ips("10.0.0.2")[0]: Placement(to="node-c")}) == "node-c"
    assert winner(web, placements=both) == "node-a"


def test_node_without_carrier_is_no_candidate_unless_nobody_else_is() -> None:
    dark = (NodeLink(interface="eth0", carrier=False),)
    assert winner(candidate("10.0.0.1"), links={"node-b": dark}) == "node-a"
    assert winner(candidate("10.0.0.1"), links=dict.fromkeys(NODES, dark)) == "node-b"


def test_carrier_counts_after_liveness() -> None:
    dark = (NodeLink(interface="eth0", carrier=False),)
    assert winner(candidate("10.0.0.1"), links={"node-c": dark}, alive=frozenset({"node-c"})) == "node-c"


def strict(*nodes: str) -> L2Advertisement:
    return l2("l", *nodes, require_on_link=True)


def test_nodes_that_only_lack_the_subnet_are_named() -> None:
    leg = (NodeLink(interface="eth0", carrier=True, networks=(ip_network("10.0.0.0/24"),)),)
    held = contest(candidate("10.0.0.1", advertisements=(strict(*NODES),)), links={"node-c": leg})
    assert held is not None
    assert held.everyone == held.able == {"node-c"}
    assert held.off_link == {"node-a", "node-b"}


def test_domain_names_the_advertisements_that_spread() -> None:
    even = l2("even", *NODES, spread=Spread.EVEN)
    held = contest(candidate("10.0.0.1", advertisements=(l2("hash", *NODES), even)))
    assert held is not None
    assert held.domain == ("even",)


def test_share_wins_among_the_contenders_and_the_hash_where_there_is_none() -> None:
    even = candidate("10.0.0.1", advertisements=(l2("l", *NODES, spread=Spread.EVEN, preference={"node-a": 1}),))
    held = contest(even)
    assert held is not None
    assert held.contenders(held.able) == {"node-a"}
    assert held.winner(held.able, {ADDRESS: "node-c"}) == "node-a"
    level = contest(candidate("10.0.0.1", advertisements=(l2("l", *NODES, spread=Spread.EVEN),)))
    assert level is not None
    assert level.winner(level.able, {ADDRESS: "node-c"}) == "node-c"
    assert level.winner(level.able, {}) == "node-b"


def test_share_means_nothing_without_a_domain() -> None:
    held = contest(candidate("10.0.0.1"))
    assert held is not None
    assert held.winner(held.able, {ADDRESS: "node-c"}) == "node-b"
