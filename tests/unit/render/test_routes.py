from orchestrator.render.canonical import Line
from orchestrator.render.document import FrrDocument
from tests.support.frr_documents import attributes, frr_input, peer, policy, renderer, route

PEERS = [peer("left", "10.99.0.201"), peer("right", "10.99.0.202")]
PREFIX, OTHER = "198.51.100.7/32", "198.51.100.8/32"


def texts(document: FrrDocument, start: str) -> list[str]:
    return sorted(line.text for line in document.lines("bgpd") if line.text.startswith(start))


def test_policy_goes_with_its_last_prefix() -> None:
    render = renderer()
    first, second = (route(prefix, policy(left=attributes("65001:1"))) for prefix in (PREFIX, OTHER))
    both = render.render(frr_input(PEERS, [first, second]))
    one = render.update(both, {first.prefix: None})
    assert len(texts(one, "route-map svc-")) == len(texts(both, "route-map svc-")) == 1
    none = render.update(one, {second.prefix: None})
    assert texts(none, "route-map svc-") == texts(none, "route-map out-") == []
    assert none.catalog.sequences == {}


def test_update_gives_the_blocks_of_a_whole_rendering() -> None:
    render = renderer()
    old, new = route(PREFIX, policy(left=attributes("65001:1"))), route(OTHER, policy(right=attributes("65001:2")))
    updated = render.update(render.render(frr_input(PEERS, [old])), {old.prefix: None, new.prefix: new})
    whole = render.render(frr_input(PEERS, [new], sequences=updated.catalog.sequences))
    assert updated.blocks == whole.blocks


def test_attributes_stand_in_the_policy_and_those_of_one_peer_in_its_clause() -> None:
    near, far = attributes("no-export", med=7, prepended=(65001,)), attributes(med=7, prepended=(65001, 65001))
    both = route(PREFIX, policy(left=near, right=far))
    made = renderer().render(frr_input(PEERS, [both], peer_lists=[["left"], ["right"]]))
    (svc,) = texts(made, "route-map svc-")
    lines = {
        line for line in made.lines("bgpd") if line.text.startswith("set ") and not line.text.startswith("set tag")
    }
    left, right = (f"route-map {made.reach.maps[name]} permit 1" for name in ("left", "right"))
    assert lines == {
        Line((svc,), "set metric 7"),
        Line((left,), "set community no-export additive"),
        Line((left,), "set as-path prepend 65001"),
        Line((right,), "set as-path prepend 65001 65001"),
    }


def test_clause_number_of_a_new_policy_is_not_an_old_ones() -> None:
    render = renderer()
    old, new = route(PREFIX, policy(left=attributes("65001:1"))), route(PREFIX, policy(left=attributes("65001:2")))
    before = render.render(frr_input(PEERS, [old]))
    after = render.update(before, {new.prefix: new})
    assert set(before.catalog.sequences.values()).isdisjoint(after.catalog.sequences.values())


def test_prefix_stands_in_the_instance_of_each_vrf_that_gets_it() -> None:
    peers = [peer("left", "10.99.0.201"), peer("blue", "10.98.0.1", vrf="blue")]
    both = route(PREFIX, policy(left=attributes(), blue=attributes()))
    contexts = {
        line.context[0]
        for line in renderer().render(frr_input(peers, [both])).lines("bgpd")
        if line.text.startswith("network ")
    }
    assert contexts == {"router bgp 65001", "router bgp 65001 vrf blue"}


def test_route_without_a_peer_here_is_not_announced() -> None:
    lost = route(PREFIX, policy(elsewhere=attributes()))
    assert texts(renderer().render(frr_input(PEERS, [lost])), "network") == []


def test_policy_that_frr_cannot_read_is_a_problem_of_its_advertisement() -> None:
    names = [f"large:{number}:4000000000:4000000000" for number in range(4_000_000_000, 4_000_000_200)]
    endless, plain = route(PREFIX, policy(left=attributes(*names)), "endless"), route(OTHER, policy(left=attributes()))
    document = renderer().render(frr_input(PEERS, [endless, plain]))
    assert [problem.ref.name for problem in document.problems] == ["endless"]
    assert len(texts(document, "network")) == 1
