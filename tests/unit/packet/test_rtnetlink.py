import struct
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface

import pytest

from orchestrator.net.link import MacAddress
from orchestrator.packet import netlink, rtnetlink
from orchestrator.packet.netlink import Message, MessageError
from orchestrator.packet.rtnetlink import (
    AF_INET,
    AF_INET6,
    AddressFlag,
    AddressMessage,
    Change,
    Hop,
    Kind,
    LinkFlag,
    LinkMessage,
    NeighborMessage,
    NeighborState,
    RouteMessage,
)

MAC = MacAddress.parse("02:00:00:00:00:01")
AF_BRIDGE = 7
ETH0 = LinkMessage(
    change=Change.THERE,
    partial=False,
    index=4,
    flags=LinkFlag.UP | LinkFlag.BROADCAST,
    name="eth0",
    mac=MAC,
    master=None,
)


def link(attributes: dict[int, bytes], kind: Kind = Kind.NEW_LINK, family: int = 0) -> Message:
    return message(kind, struct.pack("=BxHiII", family, 1, 4, LinkFlag.UP | LinkFlag.BROADCAST, 0), attributes)


def address(attributes: dict[int, bytes], *, family: int = AF_INET, length: int = 24, flags: int = 0) -> Message:
    return message(Kind.NEW_ADDRESS, struct.pack("=BBBBI", family, length, flags, 0, 4), attributes)


def route(attributes: dict[int, bytes], *, family: int = AF_INET, length: int = 0) -> Message:
    return message(Kind.NEW_ROUTE, struct.pack("=BBBBBBBBI", family, length, 0, 0, 254, 0, 0, 1, 0), attributes)


def neighbor(attributes: dict[int, bytes], family: int = AF_INET) -> Message:
    return message(Kind.NEW_NEIGHBOR, struct.pack("=BxxxiHBB", family, 4, NeighborState.STALE, 0, 1), attributes)


def message(kind: Kind, fixed: bytes, attributes: dict[int, bytes]) -> Message:
    return Message(kind=kind, payload=fixed + netlink.encode_attributes(attributes))


def number(value: int) -> bytes:
    return struct.pack("=I", value)


def hop(interface: int, attributes: dict[int, bytes]) -> bytes:
    octets = netlink.encode_attributes(attributes)
    return struct.pack("=HBBi", 8 + len(octets), 0, 0, interface) + octets


# --- links ------------------------------------------------------------------------------------------------------------


def test_link_has_name_mac_flags() -> None:
    assert rtnetlink.decode(link({1: MAC.octets, 3: b"eth0\0"})) == ETH0


def test_enslaved_link_names_its_master() -> None:
    assert rtnetlink.decode(link({1: MAC.octets, 3: b"eth0\0", 10: number(9)})) == replace(ETH0, master=9)


def test_link_that_goes() -> None:
    told = rtnetlink.decode(link({1: MAC.octets, 3: b"eth0\0"}, Kind.DEL_LINK))
    assert told == replace(ETH0, change=Change.GONE)


@pytest.mark.parametrize("octets", [b"", b"\x7f\0\0\1", bytes(16)])
def test_hardware_address_of_another_length_is_no_mac(octets: bytes) -> None:
    assert rtnetlink.decode(link({1: octets, 3: b"eth0\0"})) == replace(ETH0, mac=None)


def test_events_of_bridges_and_of_wireless_drivers_tell_a_part_only() -> None:
    assert rtnetlink.decode(link({1: MAC.octets, 3: b"eth0\0"}, family=AF_BRIDGE)) == replace(ETH0, partial=True)
    assert rtnetlink.decode(link({1: MAC.octets, 3: b"eth0\0", 11: b"signal"})) == replace(ETH0, partial=True)


def test_name_that_is_no_text_can_be_shown() -> None:
    told = rtnetlink.decode(link({1: MAC.octets, 3: b"eth\xff\0"}))
    assert isinstance(told, LinkMessage)
    assert told.name == "eth\N{REPLACEMENT CHARACTER}"


# --- addresses --------------------------------------------------------------------------------------------------------


def test_local_end_of_a_point_to_point_address_is_ours() -> None:
    told = rtnetlink.decode(address({1: IPv4Address("192.0.2.2").packed, 2: IPv4Address("192.0.2.1").packed}))
    assert told == AddressMessage(change=Change.THERE, index=4, flags=0, address=ip_interface("192.0.2.1/24"))


def test_flags_beyond_eight_bits_stand_in_an_attribute() -> None:
    octets = {1: IPv6Address("fe80::1").packed, 8: number(0x200 | AddressFlag.TENTATIVE)}
    told = rtnetlink.decode(address(octets, family=AF_INET6, length=64, flags=0x80))
    assert told == AddressMessage(
        change=Change.THERE, index=4, flags=0x200 | AddressFlag.TENTATIVE, address=ip_interface("fe80::1/64")
    )


# --- routes and neighbors ---------------------------------------------------------------------------------------------


def test_default_route_over_a_gateway() -> None:
    told = rtnetlink.decode(route({4: number(4), 5: IPv4Address("192.0.2.254").packed}))
    assert told == RouteMessage(hops=(Hop(4, ip_address("192.0.2.254")),))


def test_route_to_what_is_on_link_has_no_gateway() -> None:
    assert rtnetlink.decode(route({4: number(4)}, length=24)) == RouteMessage(hops=(Hop(4, None),))


def test_gateway_of_the_other_family_is_none() -> None:
    via = struct.pack("=H", AF_INET6) + IPv6Address("fe80::1").packed
    assert rtnetlink.decode(route({4: number(4), 18: via})) == RouteMessage(hops=(Hop(4, None),))


def test_multipath_route_has_a_hop_per_path() -> None:
    paths = hop(4, {5: IPv6Address("fe80::1").packed}) + hop(5, {5: IPv6Address("fe80::2").packed})
    told = rtnetlink.decode(route({9: paths}, family=AF_INET6))
    assert told == RouteMessage(hops=(Hop(4, ip_address("fe80::1")), Hop(5, ip_address("fe80::2"))))


def test_paths_that_are_cut_off_are_left_out() -> None:
    paths = hop(4, {5: IPv4Address("192.0.2.1").packed}) + hop(5, {5: IPv4Address("192.0.2.2").packed})[:-1]
    assert rtnetlink.decode(route({9: paths})) == RouteMessage(hops=(Hop(4, ip_address("192.0.2.1")),))


def test_neighbor_with_its_mac() -> None:
    told = rtnetlink.decode(neighbor({1: IPv4Address("192.0.2.254").packed, 2: MAC.octets}))
    assert told == NeighborMessage(index=4, state=NeighborState.STALE, address=ip_address("192.0.2.254"), mac=MAC)


# --- what cannot be used ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (link({1: MAC.octets}), MessageError.MISSING_ATTRIBUTE),
        (address({}), MessageError.MISSING_ATTRIBUTE),
        (neighbor({}), MessageError.MISSING_ATTRIBUTE),
        (address({2: bytes(16)}), MessageError.BAD_VALUE),
        (address({2: bytes(4)}, length=33), MessageError.BAD_VALUE),
        (neighbor({1: bytes(4)}, family=AF_BRIDGE), MessageError.BAD_VALUE),
        (Message(kind=Kind.NEW_LINK, payload=bytes(15)), MessageError.TRUNCATED),
        (Message(kind=Kind.NEW_ADDRESS, payload=bytes(7)), MessageError.TRUNCATED),
        (Message(kind=Kind.NEW_ROUTE, payload=bytes(11)), MessageError.TRUNCATED),
        (Message(kind=Kind.NEW_NEIGHBOR, payload=bytes(11)), MessageError.TRUNCATED),
        (Message(kind=Kind.NEW_LINK, payload=bytes(16) + b"\xff" * 4), MessageError.TRUNCATED),
        (Message(kind=Kind.GET_LINK), MessageError.OTHER_KIND),
    ],
)
def test_what_cannot_be_used_is_said(told: Message, error: MessageError) -> None:
    assert rtnetlink.decode(told) is error


def test_route_tells_who_made_it() -> None:
    fixed = struct.pack("=BBBBBBBBI", AF_INET, 24, 0, 0, 254, 186, 0, 1, 0)
    decoded = rtnetlink.decode(message(Kind.NEW_ROUTE, fixed, {}))
    assert decoded == RouteMessage(hops=(), protocol=186)


def test_all_routes_of_both_families_are_asked_for() -> None:
    asked = rtnetlink.dump_routes()
    assert (asked.kind, asked.flags, asked.payload) == (
        Kind.GET_ROUTE,
        netlink.Flag.REQUEST | netlink.Flag.DUMP,
        bytes(12),
    )
