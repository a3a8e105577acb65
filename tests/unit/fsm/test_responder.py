from ipaddress import IPv4Address, ip_address

import pytest

from orchestrator.decide.node_plan import Layer2Address
from orchestrator.fsm.responder import Claim, DropReason, WireOrders, answer, claim, interface_table
from orchestrator.net.link import BROADCAST, MacAddress
from orchestrator.packet import arp
from orchestrator.packet.arp import ArpPacket, Operation

ASKER = MacAddress.parse("02:00:00:00:00:01")
OUR_MAC = MacAddress.parse("02:00:00:00:00:02")
OTHER_MAC = MacAddress.parse("02:00:00:00:00:03")
ASKER_ADDRESS = IPv4Address("192.0.2.1")
EVERYWHERE = IPv4Address("192.0.2.10")
HERE = IPv4Address("192.0.2.11")
ELSEWHERE = IPv4Address("192.0.2.12")
UNKNOWN = IPv4Address("192.0.2.99")

TABLE = interface_table(
    WireOrders(
        answered=(
            Layer2Address(address=EVERYWHERE),
            Layer2Address(address=HERE, interfaces=("eth0", "eth1")),
            Layer2Address(address=ELSEWHERE, interfaces=("eth1",)),
            Layer2Address(address=ip_address("2001:db8::10")),
        )
    ),
    "eth0",
    OUR_MAC,
)


def packet(
    target: IPv4Address,
    *,
    operation: Operation = Operation.REQUEST,
    sender_mac: MacAddress = ASKER,
    sender_address: IPv4Address = ASKER_ADDRESS,
    destination: MacAddress = BROADCAST,
) -> bytes:
    return arp.frame(
        ArpPacket(
            operation=operation,
            sender_mac=sender_mac,
            sender_address=sender_address,
            target_mac=arp.NO_MAC,
            target_address=target,
        ),
        destination,
    )


@pytest.mark.parametrize("target", [EVERYWHERE, HERE])
@pytest.mark.parametrize("destination", [BROADCAST, OUR_MAC])
@pytest.mark.parametrize("padding", [b"", bytes(18)])
def test_request_is_answered_to_its_sender(target: IPv4Address, destination: MacAddress, padding: bytes) -> None:
    reply = ArpPacket(
        operation=Operation.REPLY,
        sender_mac=OUR_MAC,
        sender_address=target,
        target_mac=ASKER,
        target_address=ASKER_ADDRESS,
    )
    assert answer(packet(target, destination=destination) + padding, TABLE) == arp.frame(reply, ASKER)


def test_reply_goes_to_the_sender_in_the_packet_not_in_the_frame() -> None:
    frame = packet(EVERYWHERE)
    reply = answer(frame[:6] + OTHER_MAC.octets + frame[12:], TABLE)
    assert isinstance(reply, bytes)
    assert reply[arp.DESTINATION] == ASKER.octets


@pytest.mark.parametrize("sender_address", [IPv4Address("0.0.0.0"), EVERYWHERE])
def test_probes_and_foreign_announcements_are_answered(sender_address: IPv4Address) -> None:
    assert isinstance(answer(packet(EVERYWHERE, sender_address=sender_address), TABLE), bytes)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", DropReason.MALFORMED),
        (packet(EVERYWHERE)[:41], DropReason.MALFORMED),
        (packet(EVERYWHERE)[:12] + b"\x08\x00" + packet(EVERYWHERE)[14:], DropReason.MALFORMED),
        (packet(EVERYWHERE, sender_mac=BROADCAST), DropReason.MALFORMED),
        (packet(EVERYWHERE, sender_mac=MacAddress.parse("01:00:5e:00:00:01")), DropReason.MALFORMED),
        (packet(UNKNOWN, operation=Operation.REPLY, destination=OTHER_MAC), DropReason.ARP_REPLY),
        (packet(UNKNOWN, destination=OTHER_MAC), DropReason.ETHERNET_DESTINATION),
        (packet(UNKNOWN), DropReason.ADDRESS_NOT_ANNOUNCED),
        (packet(ELSEWHERE), DropReason.INTERFACE_NOT_MATCHING),
    ],
)
def test_first_reason_to_drop_is_given(frame: bytes, reason: DropReason) -> None:
    assert answer(frame, TABLE) is reason


def test_address_that_was_taken_out_is_unknown() -> None:
    table = TABLE.without(frozenset({EVERYWHERE.packed, ELSEWHERE.packed}))
    assert answer(packet(EVERYWHERE), table) is DropReason.ADDRESS_NOT_ANNOUNCED
    assert answer(packet(ELSEWHERE), table) is DropReason.ADDRESS_NOT_ANNOUNCED
    assert isinstance(answer(packet(HERE), table), bytes)


@pytest.mark.parametrize(
    "frame",
    [arp.announcement_request(OTHER_MAC, EVERYWHERE), arp.announcement_reply(OTHER_MAC, EVERYWHERE)],
    ids=["request", "reply"],
)
def test_foreign_announcement_is_a_claim(frame: bytes) -> None:
    assert claim(frame, TABLE, {OUR_MAC.octets}) == Claim(EVERYWHERE.packed, OTHER_MAC, "eth0")


@pytest.mark.parametrize(
    "frame",
    [
        packet(EVERYWHERE),
        arp.announcement_request(OUR_MAC, EVERYWHERE),
        arp.announcement_request(OTHER_MAC, UNKNOWN),
        arp.announcement_request(OTHER_MAC, EVERYWHERE)[:41],
        b"",
    ],
)
def test_these_claim_nothing(frame: bytes) -> None:
    assert claim(frame, TABLE, {OUR_MAC.octets}) is None
