from orchestrator.config.model import Config
from orchestrator.decide.announcement import plan_group
from orchestrator.decide.drain import GRACEFUL_SHUTDOWN, Drained, DrainStage, drains_in, marked, successors
from orchestrator.decide.eligibility import NodeView
from orchestrator.decide.node_plan import DeclineReason, GroupPlan, Protocol, RouteAttributes
from orchestrator.net.bgp import Asn, StandardCommunity
from orchestrator.resources.core import Service
from orchestrator.resources.extensions import DrainReport, SpeakerState, SpeakerStateSpec
from orchestrator.resources.meta import ObjectMeta
from tests.support.objects import bgp, config, endpoints, key, peer, pool, service

RED = StandardCommunity(65000, 1)
OUTER, INNER = peer("outer", "n1", "n2"), peer("inner", "n1", "n2", remote_as=Asn(64512))
SIX = peer("six", "n1", address="2001:db8:f::1")
WEB = service(held=["10.0.0.1"])
DRAINED = Drained(DrainStage.HANDED_OVER, "2026-11-22T00:00:00Z")


def known(*nodes: str) -> Config:
    advertisement = bgp("b", *nodes, communities=(RED,), local_pref=200)
    around = pool("p", "10.0.0.0/24", "2001:db8::/64", bgp_advertisements=(advertisement,))
    return config(nodes=("n1", "n2"), pools=[around], peers=[OUTER, INNER, SIX])


def plan(known: Config, stage: DrainStage, *services: Service, successors: tuple[str, ...] = ("n2",)) -> GroupPlan:
    view = NodeView(node="n1", drain=stage, successors=frozenset(successors))
    return plan_group(known, services, {each.metadata.key: endpoints("n1", "n2") for each in services}, view)


def reasons(result: GroupPlan) -> dict[str, DeclineReason]:
    return {each.service.name: each.reason for each in result.declined if each.protocol is Protocol.BGP}


def test_marked_route_keeps_what_it_has_and_is_the_last_choice_of_internal_peers() -> None:
    (route,) = plan(known("n1", "n2"), DrainStage.MARKED, WEB).routes
    assert dict(route.policy.per_peer) == {
        "outer": RouteAttributes(local_pref=200, communities=(RED, GRACEFUL_SHUTDOWN)),
        "inner": RouteAttributes(local_pref=1, communities=(RED, GRACEFUL_SHUTDOWN)),
    }
    assert marked(route, {"inner"}) == route


def test_service_that_another_node_announces_is_withdrawn_and_says_why() -> None:
    result = plan(known("n1", "n2"), DrainStage.HANDED_OVER, WEB)
    assert not result.routes
    assert reasons(result) == {"web": DeclineReason.NODE_DRAINED}


def test_service_that_no_other_node_announces_stays_marked() -> None:
    for result in (
        plan(known("n1"), DrainStage.HANDED_OVER, WEB),
        plan(known("n1", "n2"), DrainStage.HANDED_OVER, WEB, successors=()),
    ):
        (route,) = result.routes
        assert all(GRACEFUL_SHUTDOWN in sent.communities for _, sent in route.policy.per_peer)
        assert not reasons(result)


def test_service_of_which_others_carry_one_family_only_is_held_back_whole() -> None:
    both = service(held=["10.0.0.1", "2001:db8::1"])
    result = plan(known("n1", "n2"), DrainStage.HANDED_OVER, both)
    assert [str(route.prefix) for route in result.routes] == ["10.0.0.1/32", "2001:db8::1/128"]


def test_forced_drain_withdraws_the_last() -> None:
    assert not plan(known("n1"), DrainStage.OUT, WEB, successors=()).routes


def test_what_is_not_announced_anyway_keeps_its_reason() -> None:
    assert reasons(plan(known("n2"), DrainStage.OUT, WEB)) == {"web": DeclineReason.NOT_OWNER}


def test_services_that_share_an_address_are_judged_one_by_one() -> None:
    there = service("there", held=["10.0.0.1"], external_traffic_policy="Local", ports=(81,))
    view = NodeView(node="n1", drain=DrainStage.HANDED_OVER, successors=frozenset({"n2"}))
    slices = {WEB.metadata.key: endpoints("n1"), there.metadata.key: endpoints("n1")}
    result = plan_group(known("n1", "n2"), [WEB, there], slices, view)
    assert [each.service for each in result.announced] == [key("there")]
    assert reasons(result) == {"web": DeclineReason.NODE_DRAINED}


def test_later_drained_node_takes_the_place_of_an_earlier_one_and_not_the_other_way_round() -> None:
    drains = {
        "a": DRAINED,
        "b": Drained(DrainStage.MARKED, "2026-11-22T00:00:01Z"),
        "c": Drained(DrainStage.OUT, "2026-11-22T00:00:02Z"),
    }
    assert successors("a", ("a", "b", "c", "d"), drains) == {"b", "d"}
    assert successors("b", ("a", "b", "c", "d"), drains) == {"d"}
    assert successors("d", ("a", "d"), drains) == {"a"}


def test_drains_are_what_speakers_say() -> None:
    def state(name: str, **report: object) -> SpeakerState:
        drain = DrainReport(since="s", **report)  # type: ignore[arg-type]  # fields of the report
        return SpeakerState(metadata=ObjectMeta(name=name), spec=SpeakerStateSpec(node=name, drain=drain))

    states = [
        state("a"),
        state("b", stage="marked", forced=True),
        state("c", stage="withdrawn"),
        state("d", stage="withdrawn", forced=True),
    ]
    assert drains_in({each.metadata.name: each for each in states}) == {
        "b": Drained(DrainStage.MARKED, "s"),
        "c": Drained(DrainStage.HANDED_OVER, "s"),
        "d": Drained(DrainStage.OUT, "s"),
    }
