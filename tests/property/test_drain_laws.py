"""Whatever is asked of a node in whatever order, and however many nodes are drained at once."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.drains import Wish
from orchestrator.decide.announcement import plan_group
from orchestrator.decide.drain import Drained, DrainStage, successors
from orchestrator.decide.eligibility import NodeView
from orchestrator.fsm.drain import Drain
from tests.support.objects import bgp, config, endpoints, peer, pool, service

WAIT_S = 5.0
NODES = ("a", "b", "c", "d")
STAGES = (DrainStage.MARKED, DrainStage.HANDED_OVER, DrainStage.OUT)
WEB = service(held=["10.0.0.1"])

events = st.lists(st.tuples(st.sampled_from(Wish), st.floats(0, 10)), min_size=1, max_size=20)
drains = st.dictionaries(
    st.sampled_from(NODES), st.builds(Drained, st.sampled_from(STAGES), st.sampled_from(("1", "2", "3")))
)
some_nodes = st.sets(st.sampled_from(NODES))


@given(events)
def test_no_route_goes_before_it_was_marked_for_the_whole_wait(given: list[tuple[Wish, float]]) -> None:
    now, state, stages = 0.0, Drain(), [(0.0, DrainStage.SERVING)]
    for wish, pause_s in given:
        now += pause_s
        stages.append((now, state.stage(now, WAIT_S)))  # time alone
        state = state.wished(wish, now)
        stages.append((now, state.stage(now, WAIT_S)))
        assert now < state.deadline(now, WAIT_S)
    marked_since: float | None = None
    for (_, before), (at, stage) in pairwise(stages):
        if stage is DrainStage.MARKED and before is not DrainStage.MARKED:
            assert before is DrainStage.SERVING
            marked_since = at
        if stage in {DrainStage.HANDED_OVER, DrainStage.OUT}:
            assert marked_since is not None
            assert at - marked_since >= WAIT_S
        if stage is DrainStage.SERVING:
            marked_since = None


@given(drains, some_nodes, some_nodes)
def test_unforced_drains_never_take_the_last_route(
    drained: dict[str, Drained], advertised: set[str], hosts: set[str]
) -> None:
    """For both policies: whoever could announce the Service, one that is not forced out does."""
    advertisement = bgp("b", *advertised)
    known = config(
        nodes=NODES, pools=[pool("p", "10.0.0.0/24", bgp_advertisements=(advertisement,))], peers=[peer("r", *NODES)]
    )
    for policy in ("Cluster", "Local"):
        web = service(held=["10.0.0.1"], external_traffic_policy=policy)
        able = advertised & (hosts if policy == "Local" else set(NODES) if hosts else set())
        announcing = set()
        for node in NODES:
            stage = drained[node].stage if node in drained else DrainStage.SERVING
            view = NodeView(node=node, drain=stage, successors=successors(node, NODES, drained))
            if plan_group(known, [web], {web.metadata.key: endpoints(*sorted(hosts))}, view).routes:
                announcing.add(node)
        free = {node for node in able if node not in drained}
        staying = {node for node in able if node not in drained or drained[node].stage is not DrainStage.OUT}
        assert free <= announcing <= staying
        assert bool(announcing) == bool(staying)
        if free:
            through = {node for node in able - free if drained[node].stage is DrainStage.HANDED_OVER}
            assert not announcing & through
