import pytest

from orchestrator.config.attachment import shortest_prefix, without_echo_peers
from orchestrator.config.model import BfdProfile
from orchestrator.config.resolve import resolve
from orchestrator.net.addresses import parse_range
from orchestrator.resources.metallb import BGPAdvertisement, IPAddressPool
from orchestrator.resources.snapshot import ClusterSnapshot
from tests.support.objects import bgp, bgp_object, labeled, named, node_object, peer, pool, pool_object, ref

OLD, YOUNG = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def attached(
    pools: list[IPAddressPool], advertisements: list[BGPAdvertisement]
) -> tuple[dict[str, list[str]], list[str]]:
    """pool -> names of its BGPAdvertisements, and the texts of all problems"""
    snapshot = ClusterSnapshot(
        pools=named(*pools), bgp_advertisements=named(*advertisements), nodes=named(node_object("n1"))
    )
    resolved = resolve(snapshot, {})
    carried = {name: [one.name for one in found.bgp_advertisements] for name, found in resolved.config.pools.items()}
    return carried, [f"{problem.ref.name}: {problem.message}" for problem in resolved.problems]


P = pool_object("p", "10.0.0.0/24", labels={"tier": "1"})
SMALL = pool_object("small", "10.1.0.0/26")


@pytest.mark.parametrize(
    ("text", "length"), [("10.0.0.0/24", 24), ("10.0.0.1-10.0.0.254", 26), ("2001:db8::/64", 64), ("10.0.0.1/32", 32)]
)
def test_largest_prefix_of_a_range(text: str, length: int) -> None:
    assert shortest_prefix(parse_range(text)) == length


def test_advertisement_selected_twice_is_attached_once() -> None:
    both = bgp_object("b", ip_address_pools=("p",), ip_address_pool_selectors=(labeled(tier="1"),))
    assert attached([P], [both]) == ({"p": ["b"]}, [])


def test_aggregate_larger_than_a_pool_is_left_out_there_only() -> None:
    carried, problems = attached([P, SMALL], [bgp_object("wide", aggregation_length=24)])
    assert carried == {"p": ["wide"], "small": []}
    assert len(problems) == 1
    assert problems[0].startswith(
        "wide: invalid aggregation length 24: prefix 26 in this pool is more specific than the aggregation length for "
        "addresses 10.1.0.0/26"
    )


def test_conflicting_preference_is_left_out_on_the_common_pool_only() -> None:
    carried, problems = attached(
        [P, SMALL],
        [
            bgp_object("old", created=OLD, local_pref=100, ip_address_pools=("p",)),
            bgp_object("young", created=YOUNG, local_pref=200),
        ],
    )
    assert carried == {"p": ["old"], "small": ["young"]}
    assert problems[0].startswith("young: invalid local preference 200: local preferernce 100 was already set")


@pytest.mark.parametrize(
    ("field", "name", "values"), [("med", "med", (5, 0)), ("as_path_prepend", "asPathPrepend", (1, 2))]
)
def test_conflicting_med_or_path_is_left_out_on_the_common_pool_only(
    field: str, name: str, values: tuple[int, int]
) -> None:
    old = bgp_object("old", created=OLD, ip_address_pools=("p",), **{field: values[0]})
    carried, problems = attached([P, SMALL], [old, bgp_object("young", created=YOUNG, **{field: values[1]})])
    assert carried == {"p": ["old"], "small": ["young"]}
    assert problems[0].startswith(f"young: {name} {values[1]} and {values[0]} for the same BGP update")
    assert problems[0].endswith(f"give both one {name}, or separate them by peers, nodes or aggregationLength")


def test_preferences_of_selected_services_are_compared_later() -> None:
    carried, problems = attached(
        [P], [bgp_object("a", local_pref=1, service_selectors=(labeled(a="b"),)), bgp_object("b", local_pref=2)]
    )
    assert carried == {"p": ["a", "b"]}
    assert not problems


def test_peer_with_bfd_echo_gets_no_routes_of_a_pool_with_ipv6() -> None:
    profiles = {"echo": BfdProfile(name="echo", origin=ref("BFDProfile", "echo"), echo_mode=True)}
    peers = {"q": peer("q", "n1", bfd_profile="echo"), "r": peer("r", "n1")}
    dual = pool("p", "10.0.0.0/24", "2001:db8::/64", bgp_advertisements=(bgp("b", "n1"),))
    changed, problems = without_echo_peers(dual, peers, profiles)
    assert changed.bgp_advertisements[0].peers == frozenset({"r"})
    assert [problem.ref for problem in problems] == [ref("BGPPeer", "q")]
    assert problems[0].message.startswith(
        "pool p has bgpadvertisement b which references peer q which has bfd echo enabled, which is not possible"
    )
    only_v4 = pool("p", "10.0.0.0/24", bgp_advertisements=(bgp("b", "n1"),))
    assert without_echo_peers(only_v4, peers, profiles) == (only_v4, ())
