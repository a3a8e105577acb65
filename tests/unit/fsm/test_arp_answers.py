from ipaddress import IPv4Address

import pytest

from orchestrator.fsm.arp_answers import arp_answers
from orchestrator.fsm.responder import Claim, DropReason, Scope
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
WATCHED = IPv4Address("192.0.2.13")
UNKNOWN = IPv4Address("192.0.2.99")

ANSWERS = arp_answers(
    Scope(
        here=frozenset({EVERYWHERE.packed, HERE.packed}),
        elsewhere=frozenset({ELSEWHERE.packed}),
        heard=frozenset({EVERYWHERE.packed, HERE.packed, WATCHED.packed}),
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
    assert ANSWERS.answer(packet(target, destination=destination) + padding) == arp.frame(reply, ASKER)


def test_reply_goes_to_the_sender_in_the_packet_not_in_the_frame() -> None:
    frame = packet(EVERYWHERE)
    reply = ANSWERS.answer(frame[:6] + OTHER_MAC.octets + frame[12:])
    assert isinstance(reply, bytes)
    assert reply[arp.DESTINATION] == ASKER.octets


@pytest.mark.parametrize("sender_address", [IPv4Address("0.0.0.0"), EVERYWHERE])
def test_probes_and_foreign_announcements_are_answered(sender_address: IPv4Address) -> None:
    assert isinstance(ANSWERS.answer(packet(EVERYWHERE, sender_address=sender_address)), bytes)


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
    assert ANSWERS.answer(frame) is reason


@pytest.mark.parametrize(
    "frame",
    [arp.announcement_request(OTHER_MAC, EVERYWHERE), arp.announcement_reply(OTHER_MAC, EVERYWHERE)],
    ids=["request", "reply"],
)
def test_foreign_announcement_is_a_claim(frame: bytes) -> None:
    assert ANSWERS.claim(frame, {OUR_MAC.octets}) == Claim(EVERYWHERE.packed, OTHER_MAC, "eth0")


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
    assert ANSWERS.claim(frame, {OUR_MAC.octets}) is None


def test_watched_address_is_not_answered_but_claims_to_it_are_told() -> None:
    assert ANSWERS.answer(packet(WATCHED)) is DropReason.ADDRESS_NOT_ANNOUNCED
    claimed = ANSWERS.claim(arp.announcement_request(OTHER_MAC, WATCHED), {OUR_MAC.octets})
    assert claimed == Claim(WATCHED.packed, OTHER_MAC, "eth0")


def test_subject_is_what_was_asked_for() -> None:
    assert ANSWERS.subject(packet(HERE)) == HERE.packed
