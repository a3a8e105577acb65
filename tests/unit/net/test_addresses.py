import pytest

from orchestrator.errors import InvalidConfig
from orchestrator.net.addresses import (
    AddressRange,
    IpFamily,
    address_key,
    covering_prefix,
    family_of,
    parse_address,
    parse_address_or_range,
    parse_range,
    prefix_key,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.0-192.0.2.255"),
        ("192.0.2.77/24", "192.0.2.0-192.0.2.255"),
        ("192.0.2.5/32", "192.0.2.5-192.0.2.5"),
        ("192.0.2.1-192.0.2.9", "192.0.2.1-192.0.2.9"),
        ("192.0.2.1 -  192.0.2.9", "192.0.2.1-192.0.2.9"),
        ("2001:db8::/126", "2001:db8::-2001:db8::3"),
        ("2001:db8::1-2001:db8::ff", "2001:db8::1-2001:db8::ff"),
    ],
)
def test_pool_entry_becomes_a_range(text: str, expected: str) -> None:
    assert str(parse_range(text)) == expected


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("192.0.2.1", 'write "192.0.2.1/32"'),
        ("2001:db8::1", 'write "2001:db8::1/128"'),
        ("192.0.2.9-192.0.2.1", "swap the ends"),
        ("192.0.2.1-2001:db8::1", "one family"),
        ("192.0.2.0/33", "not a CIDR"),
        ("fe80::1%eth0-fe80::2", "zone id"),
        ("a-b", '"a" is not an IP address'),
        ("", "neither a CIDR nor a range"),
    ],
)
def test_wrong_pool_entry_is_refused_with_a_remedy(text: str, remedy: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        parse_range(text)
    assert remedy in str(caught.value)


@pytest.mark.parametrize("text", ["192.0.2.256", "::g", "192.0.2.1/32", " 192.0.2.1", "192.0.2.01"])
def test_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig):
        parse_address(text)


def test_range_knows_its_size_family_and_members() -> None:
    part = parse_range("2001:db8::/64")
    assert part.size == 2**64
    assert part.family is IpFamily.IPV6
    assert parse_address("2001:db8::ffff") in part
    assert parse_address("2001:db8:0:1::") not in part
    assert parse_address("192.0.2.1") not in part


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("192.0.2.0/24", "192.0.2.255-192.0.3.1", True),
        ("192.0.2.0/24", "192.0.2.7/32", True),
        ("192.0.2.0/25", "192.0.2.128/25", False),
        ("0.0.0.0/0", "::/0", False),
    ],
)
def test_ranges_overlap_if_they_share_an_address(first: str, second: str, expected: bool) -> None:
    assert parse_range(first).overlaps(parse_range(second)) is expected
    assert parse_range(second).overlaps(parse_range(first)) is expected


def test_range_is_covered_by_the_fewest_prefixes() -> None:
    assert [str(prefix) for prefix in parse_range("192.0.2.1-192.0.2.4").prefixes()] == [
        "192.0.2.1/32",
        "192.0.2.2/31",
        "192.0.2.4/32",
    ]
    assert [str(prefix) for prefix in parse_range("2001:db8::/33").prefixes()] == ["2001:db8::/33"]


def test_order_is_ipv4_first_then_by_number() -> None:
    texts = ["::1", "192.0.2.2", "2001:db8::", "9.0.0.1"]
    assert sorted(map(parse_address, texts), key=address_key) == [
        parse_address(text) for text in ("9.0.0.1", "192.0.2.2", "::1", "2001:db8::")
    ]
    ranges = [parse_range(f"{text}-{text}") for text in texts]
    assert [str(part.first) for part in sorted(ranges)] == ["9.0.0.1", "192.0.2.2", "::1", "2001:db8::"]


def test_shorter_prefix_sorts_before_a_longer_one_at_the_same_address() -> None:
    prefixes = [covering_prefix(parse_address("10.0.0.0"), length) for length in (24, 8, 16)]
    assert [prefix.prefixlen for prefix in sorted(prefixes, key=prefix_key)] == [8, 16, 24]


def test_covering_prefix_masks_the_host_bits() -> None:
    prefix = covering_prefix(parse_address("192.0.2.77"), 24)
    assert str(prefix) == "192.0.2.0/24"
    assert family_of(prefix) is IpFamily.IPV4
    assert (IpFamily.IPV4.bits, IpFamily.IPV6.bits) == (32, 128)


def test_equal_ranges_are_one_in_a_set() -> None:
    assert len({parse_range("192.0.2.0/31"), AddressRange(parse_address("192.0.2.0"), parse_address("192.0.2.1"))}) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.7", "192.0.2.7-192.0.2.7"),
        ("2001:db8::7", "2001:db8::7-2001:db8::7"),
        ("192.0.2.7/30", "192.0.2.4-192.0.2.7"),
        ("192.0.2.7 - 192.0.2.9", "192.0.2.7-192.0.2.9"),
    ],
)
def test_one_address_is_a_range_where_that_is_allowed(text: str, expected: str) -> None:
    assert str(parse_address_or_range(text)) == expected


@pytest.mark.parametrize("text", ["", "web", "192.0.2.300", "192.0.2.0/33", "fe80::1%eth0"])
def test_what_is_neither_address_nor_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig):
        parse_address_or_range(text)
