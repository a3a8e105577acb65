from itertools import permutations

import pytest

from orchestrator.errors import InvalidConfig
from orchestrator.net.bgp import (
    Asn,
    Community,
    LargeCommunity,
    LinkBandwidth,
    StandardCommunity,
    community_key,
    parse_community,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("65000:100", StandardCommunity(65000, 100)),
        ("0:0", StandardCommunity(0, 0)),
        ("65535:65535", StandardCommunity(65535, 65535)),
        ("large:4294967295:0:1", LargeCommunity(4294967295, 0, 1)),
        ("no-export", StandardCommunity(65535, 65281)),
        ("NO_EXPORT_SUBCONFED", StandardCommunity(65535, 65283)),
        ("local-AS", StandardCommunity(65535, 65283)),
        ("GRACEFUL_SHUTDOWN", StandardCommunity(65535, 0)),
        ("NOPEER", StandardCommunity(65535, 65284)),
        ("BLACKHOLE", StandardCommunity(65535, 666)),
    ],
)
def test_community_is_parsed(text: str, expected: object) -> None:
    assert parse_community(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("65536:1", "invalid community value"),
        ("1:-1", "invalid community value"),
        ("1:\u0661", "invalid community value"),
        ("1: 2", "invalid community value"),
        ("large:1:2:4294967296", "invalid community value"),
        ("small:1:2:3", "must start with"),
        ("1:2:3", "invalid community format"),
        ("no-imports", "invalid community format"),
        ("no-export ", "invalid community format"),
        ("", "invalid community format"),
    ],
)
def test_wrong_community_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidConfig, match=message):
        parse_community(text)


def test_text_form_of_a_large_community_is_frrs() -> None:
    assert str(LargeCommunity(1, 2, 3)) == "1:2:3"
    assert str(StandardCommunity(1, 2)) == "1:2"


def test_standard_communities_order_as_32_bit_numbers_among_large_ones() -> None:
    ordered: list[Community] = [
        StandardCommunity(0, 5),
        LargeCommunity(5, 0, 0),
        StandardCommunity(1, 0),
        LargeCommunity(65536, 0, 1),
    ]
    assert all(sorted(mixed, key=community_key) == ordered for mixed in permutations(ordered))


@pytest.mark.parametrize(
    ("asn", "weight", "octets"),
    [(65001, 1, "0004fde947f42400"), (65001, 3, "0004fde948b71b00"), (4200000000, 25600, "00045ba04f3ebc20")],
)
def test_link_bandwidth_is_transitive_with_bytes_per_second_as_a_float(asn: int, weight: int, octets: str) -> None:
    assert LinkBandwidth(Asn(asn), weight).octets.hex() == octets
