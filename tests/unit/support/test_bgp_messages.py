import struct
from ipaddress import ip_network

from tests.support.bgp_messages import (
    KEEPALIVE,
    UPDATE,
    PathAttributes,
    Update,
    message,
    messages,
    open_message,
    parse_update,
    updates,
)

ANNOUNCED, WITHDRAWN = ip_network("203.0.113.50/32"), ip_network("10.1.0.0/16")
ORIGIN = "40010100"


def body(withdrawn: str, attributes: str, announced: str) -> bytes:
    parts = [bytes.fromhex(part) for part in (withdrawn, attributes, announced)]
    return struct.pack("!H", len(parts[0])) + parts[0] + struct.pack("!H", len(parts[1])) + parts[1] + parts[2]


ANNOUNCE = message(UPDATE, body("", ORIGIN, "20cb007132"))
WITHDRAW = message(UPDATE, body("100a01", "", ""))


def test_announced_and_withdrawn_prefixes_are_found_among_other_messages() -> None:
    found = list(updates(message(KEEPALIVE) + ANNOUNCE + message(KEEPALIVE) + WITHDRAW))
    assert [each.announced for each in found] == [{ANNOUNCED}, frozenset()]
    assert [each.withdrawn for each in found] == [frozenset(), {WITHDRAWN}]


def test_a_message_that_is_not_whole_is_left_out() -> None:
    assert list(updates(ANNOUNCE + WITHDRAW[:-1])) == [Update(announced=frozenset({ANNOUNCED}))]


def test_attributes_are_read() -> None:
    path, hop = "40020a0202" + "00000fde" * 2, "4003040a630001"
    med, preference = "80040400000007", "40050400000064"
    communities, large, bandwidth = "c00804fde80001", "c0200c0000fde80000000100000002", "c010084004fde800000001"
    given = body("", ORIGIN + path + hop + med + preference + communities + large + bandwidth, "18c63364")
    found = parse_update(given)
    assert found.announced == {ip_network("198.51.100.0/24")}
    assert found.attributes == PathAttributes(
        next_hop="10.99.0.1",
        as_path=(4062, 4062),
        med=7,
        local_pref=100,
        communities=frozenset({"65000:1", "65000:1:2"}),
        extended=frozenset({"4004fde800000001"}),
    )


def test_ipv6_prefixes_are_announced_and_withdrawn_in_attributes() -> None:
    hop = "fd990000000000000000000000000001"
    reach = "800e2600020110" + hop + "00" + "8020010db8000000000000000000000007"
    unreach = "800f0c000201" + "4020010db800000000"
    found = parse_update(body("", reach + unreach, ""))
    assert found.announced == {ip_network("2001:db8::7/128")}
    assert found.withdrawn == {ip_network("2001:db8::/64")}
    assert found.attributes.next_hop == "fd99::1"


def test_open_names_four_octet_as_numbers() -> None:
    ((kind, octets),) = messages(open_message(4200000000, 90, "192.0.2.1"))
    assert (kind, octets[1:3]) == (1, (23456).to_bytes(2))
    assert (4200000000).to_bytes(4) in octets
