import pytest

from orchestrator.config.model import RemoteAs
from orchestrator.net.bgp import WELL_KNOWN, Asn, LargeCommunity, StandardCommunity
from orchestrator.render import policies
from orchestrator.render.canonical import Line
from orchestrator.render.policies import Catalog, Policy
from tests.support.frr_documents import NODE, attributes, frr_input, peer, policy


def test_what_is_equal_for_all_is_set_once() -> None:
    chosen = Policy(
        (("out-a", attributes("65001:1", "65001:5", local_pref=100)), ("out-b", attributes("65001:5", local_pref=200)))
    )
    assert chosen.common == attributes("65001:5")
    assert chosen.rest(chosen.per_map[0][1]) == attributes("65001:1", local_pref=100)
    assert chosen.rest(chosen.per_map[1][1]) == attributes(local_pref=200)


def test_single_map_has_nothing_left_to_add() -> None:
    how = attributes("65001:1", "large:1:2:3", local_pref=100)
    chosen = Policy((("out-all", how),))
    assert chosen.common == how
    assert chosen.rest(how) == attributes()


def test_med_and_path_are_set_once_where_they_are_equal() -> None:
    near, far = attributes(med=5, prepended=(65001,)), attributes(med=5, prepended=(65001, 65001))
    chosen = Policy((("out-a", near), ("out-b", far)))
    assert chosen.common == attributes(med=5)
    assert chosen.rest(near) == attributes(prepended=(65001,))
    assert chosen.rest(far) == attributes(prepended=(65001, 65001))
    alone = Policy((("out-a", far),))
    assert (alone.common, alone.rest(far)) == (far, attributes())


def test_weight_is_set_once_where_it_is_equal() -> None:
    heavy, light = attributes(weight=3), attributes(weight=2)
    both = Policy((("out-a", heavy), ("out-b", heavy)))
    assert (both.common, both.rest(heavy)) == (heavy, attributes())
    apart = Policy((("out-a", heavy), ("out-b", light)))
    assert (apart.common, apart.rest(heavy), apart.rest(light)) == (attributes(), heavy, light)


def test_communities_that_bgpd_would_obey_are_set_on_the_way_out_only() -> None:
    how = attributes("65001:1", "no-export", "no-advertise", "local-AS", "blackhole")
    chosen = Policy((("out-all", how),))
    assert chosen.common == attributes("65001:1", "blackhole")
    assert chosen.rest(how) == attributes("no-export", "no-advertise", "local-AS")


def test_med_path_or_weight_makes_another_policy() -> None:
    found = [attributes(), attributes(med=1), attributes(prepended=(1,)), attributes(prepended=(1, 1))]
    found += [attributes(weight=1), attributes(weight=2)]
    tags = {policies.choose_tag(Policy((("out-all", how),)), ()) for how in found}
    assert len(tags) == len(found)


@pytest.mark.parametrize(("version", "limit"), [(0, 100), (8, 100), (9, 100), (10, 300), (11, 300)])
def test_newer_frr_bears_more_policies(version: int, limit: int) -> None:
    assert policies.limit_of(version) == limit


def test_peers_in_one_map_become_one_entry_and_unknown_peers_none() -> None:
    maps = {"a": "out-all", "b": "out-all"}
    found = policies.policy_of(policy(a=attributes(), b=attributes(), gone=attributes("1:1")), maps)
    assert found == Policy((("out-all", attributes()),))


def test_out_map_depends_on_the_lists_that_name_the_peer() -> None:
    peers = [peer("a"), peer("b", "10.99.0.2"), peer("c", "10.99.0.3")]
    config = frr_input(peers, peer_lists=[["b", "c"], ["c"], ["elsewhere"]]).config
    maps = policies.out_maps(config, NODE, peers)
    assert maps["a"] == "out-all"
    assert len(set(maps.values())) == 3
    assert policies.out_maps(config, "other-node", peers) == dict.fromkeys(maps, "out-all")


def test_out_map_depends_on_the_as_number_that_the_peer_sees() -> None:
    peers = [
        peer("a"),
        peer("b", "10.99.0.2"),
        peer("masked", "10.99.0.3", local_asn=Asn(65009)),
        peer("blue", "10.99.0.4", vrf="blue"),
        peer("inside", "10.99.0.5", remote_as=Asn(65001)),
        peer("inside-blue", "10.99.0.6", remote_as=RemoteAs.INTERNAL, vrf="blue"),
    ]
    maps = policies.out_maps(frr_input(peers).config, NODE, peers)
    assert maps["a"] == maps["b"] == "out-all"
    assert maps["inside"] == maps["inside-blue"]
    assert len(set(maps.values())) == 4


def test_policies_differ_in_tag_and_equal_ones_share_it() -> None:
    one, other = Policy((("out-all", attributes("1:1")),)), Policy((("out-all", attributes("1:2")),))
    assert policies.choose_tag(one, ()) == policies.choose_tag(one, ())
    assert policies.choose_tag(one, ()) != policies.choose_tag(other, ())
    assert 0 < policies.choose_tag(one, ()) < 2**31


def test_colliding_tag_gives_way() -> None:
    chosen = Policy((("out-all", attributes()),))
    tag = policies.choose_tag(chosen, ())
    assert policies.choose_tag(chosen, {tag}) not in {tag, 0}


@pytest.mark.parametrize(
    ("kept", "used", "expected"),
    [({7: 3}, (), 3), ({}, (), 1), ({}, (1, 2), 3), ({8: 1, 9: 2}, (), 3), ({8: 1}, (2,), 3)],
)
def test_clause_keeps_its_number_and_takes_nobody_elses(
    kept: dict[int, int], used: tuple[int, ...], expected: int
) -> None:
    assert policies.choose_sequence(7, kept, used) == expected


def test_numbers_are_read_back_from_out_maps_only() -> None:
    lines = [
        Line(("route-map out-all permit 12",), "match tag 77"),
        Line(("route-map theirs permit 5",), "match tag 78"),
        Line(("route-map svc-0000004d permit 10",), "set tag 77"),
    ]
    assert policies.sequences_in(lines) == {77: 12}


def test_catalog_numbers_a_new_policy_beside_the_others() -> None:
    first = Catalog().number(Policy((("out-all", attributes()),)), ())
    second = Catalog().number(Policy((("out-all", attributes("1:1")),)), (first,))
    assert (first.sequence, second.sequence) == (1, 2)
    assert first.name == f"svc-{first.tag:08x}"


def test_communities_are_printed_as_frr_prints_them() -> None:
    mixed = (
        StandardCommunity(65535, 65281),
        LargeCommunity(2, 1, 1),
        StandardCommunity(65001, 1),
        LargeCommunity(1, 9, 9),
    )
    assert policies.standard(mixed) == ("65001:1", "no-export")
    assert policies.large(mixed) == ("1:9:9", "2:1:1")
    assert policies.standard((StandardCommunity(0, 0),)) == ("0:0",)


def test_every_well_known_name_is_one_that_frr_prints() -> None:
    printed = {name: policies.standard((community,)) for name, community in WELL_KNOWN.items()}
    synonyms = {"local-as": "local-AS", "no-export-subconfed": "local-AS", "nopeer": "no-peer"}
    assert printed == {name: (synonyms.get(name, name),) for name in WELL_KNOWN}
