from ipaddress import ip_network
from typing import Any

import pytest

from orchestrator.config.model import BgpAdvertisement, Pool
from orchestrator.net.addresses import IpFamily, parse_range
from orchestrator.render.router_permits import Permit, permits, reaches
from tests.support.frr_documents import NODE, peer, ref


def advertisement(length: int = 32, **fields: Any) -> BgpAdvertisement:
    given: dict[str, Any] = {"nodes": frozenset({NODE}), "aggregation_length": length, **fields}
    return BgpAdvertisement(name="ad", origin=ref("BGPAdvertisement", "ad"), **given)


def pool(*addresses: str, by: tuple[BgpAdvertisement, ...]) -> Pool:
    ranges = tuple(map(parse_range, addresses))
    return Pool(name="pool", origin=ref("IPAddressPool", "pool"), ranges=ranges, bgp_advertisements=by)


def permitted(*pools: Pool, family: IpFamily = IpFamily.IPV4) -> list[str]:
    return [permit.pattern for permit in permits(peer(), pools, family)]


@pytest.mark.parametrize(
    ("addresses", "length", "expected"),
    [
        ("203.0.113.0/24", 32, ["203.0.113.0/24{32,32}"]),
        ("203.0.113.0/24", 24, ["203.0.113.0/24{24,32}"]),
        ("203.0.113.0/24", 28, ["203.0.113.0/24{28,32}"]),
        ("203.0.113.7/32", 32, ["203.0.113.7/32{32,32}"]),
        (
            "203.0.113.240-203.0.113.250",
            29,
            [
                "203.0.113.240/29{29,32}",
                "203.0.113.248/29{29,29}",
                "203.0.113.248/31{31,32}",
                "203.0.113.250/32{32,32}",
            ],
        ),
    ],
)
def test_pool_may_come_from_its_aggregation_length_to_single_addresses(
    addresses: str, length: int, expected: list[str]
) -> None:
    assert permitted(pool(addresses, by=(advertisement(length),))) == expected


def test_least_of_several_lengths_counts() -> None:
    assert permitted(pool("203.0.113.0/24", by=(advertisement(), advertisement(26)))) == ["203.0.113.0/24{26,32}"]


def test_families_are_apart() -> None:
    both = pool("203.0.113.0/24", "2001:db8::/64", by=(advertisement(aggregation_length_v6=96),))
    assert permitted(both) == ["203.0.113.0/24{32,32}"]
    assert permitted(both, family=IpFamily.IPV6) == ["2001:db8::/64{96,128}"]


def test_pool_that_nobody_announces_to_the_peer_is_left_out() -> None:
    others = advertisement(peers=frozenset({"another"}))
    elsewhere = advertisement(nodes=frozenset({"another-node"}))
    named = advertisement(peers=frozenset({"router"}))
    assert [reaches(each, peer()) for each in (others, elsewhere, named)] == [False, False, True]
    assert permitted(pool("203.0.113.0/24", by=(others, elsewhere)), pool("10.0.0.0/8", by=())) == []


@pytest.mark.parametrize(
    ("prefix", "shortest", "longest", "words"),
    [
        ("10.0.0.0/24", 24, 24, (None, None)),
        ("10.0.0.0/24", 24, 32, (None, 32)),
        ("10.0.0.0/24", 28, 32, (28, None)),
        ("10.0.0.0/32", 32, 32, (None, None)),
        ("fd00::/64", 128, 128, (128, None)),
    ],
)
def test_frr_is_told_bounds_only_where_they_say_something(
    prefix: str, shortest: int, longest: int, words: tuple[int | None, int | None]
) -> None:
    permit = Permit(prefix=ip_network(prefix), shortest=shortest, longest=longest)
    assert (permit.ge, permit.le) == words
