from ipaddress import IPv6Address

import pytest

from orchestrator.fsm.ndp_answers import ndp_answers
from orchestrator.fsm.responder import Claim, DropReason, Scope
from orchestrator.net.link import MacAddress
from orchestrator.packet import ndp
from orchestrator.packet.ndp import Advertisement, Flag, Solicitation

ASKER = MacAddress.parse("02:00:00:00:00:01")
OUR_MAC = MacAddress.parse("02:00:00:00:00:02")
OTHER_MAC = MacAddress.parse("02:00:00:00:00:03")
ASKER_ADDRESS = IPv6Address("fe80::1")
HERE, ELSEWHERE = IPv6Address("2001:db8::10"), IPv6Address("2001:db8::11")
WATCHED, UNKNOWN = IPv6Address("2001:db8::12"), IPv6Address("2001:db8::99")

ANSWERS = ndp_answers(
    Scope(
        here=frozenset({HERE.packed}),
        elsewhere=frozenset({ELSEWHERE.packed}),
        heard=frozenset({HERE.packed, WATCHED.packed}),
    ),
    "eth0",
    OUR_MAC,
)


def asked(
    target: IPv6Address,
    *,
    option: MacAddress | None = ASKER,
    destination: MacAddress | None = None,
    sender: MacAddress = ASKER,
) -> bytes:
    """By group, or to one MAC."""
    group = ndp.solicited_node(target.packed)
    message = Solicitation(
        source=ASKER_ADDRESS,
        destination=IPv6Address(group) if destination is None else target,
        target=target,
        source_mac=option,
    )
    return ndp.frame(message, sender, ndp.group_mac(group) if destination is None else destination)


def told(target: IPv6Address, option: MacAddress | None, sender: MacAddress) -> bytes:
    message = Advertisement(
        source=target, destination=ndp.ALL_NODES, target=target, flags=Flag.OVERRIDE, target_mac=option
    )
    return ndp.frame(message, sender, ndp.ALL_NODES_MAC)


@pytest.mark.parametrize("destination", [None, OUR_MAC], ids=["group", "direct"])
@pytest.mark.parametrize("option", [None, ASKER], ids=["without option", "with option"])
def test_solicitation_is_answered_to_its_sender(destination: MacAddress | None, option: MacAddress | None) -> None:
    reply = Advertisement(
        source=HERE,
        destination=ASKER_ADDRESS,
        target=HERE,
        flags=Flag.SOLICITED | Flag.OVERRIDE,
        target_mac=OUR_MAC,
    )
    assert ANSWERS.answer(asked(HERE, option=option, destination=destination)) == ndp.frame(reply, OUR_MAC, ASKER)


def test_option_counts_more_than_the_frame() -> None:
    reply = ANSWERS.answer(asked(HERE, option=OTHER_MAC))
    assert isinstance(reply, bytes)
    assert reply[ndp.DESTINATION] == OTHER_MAC.octets


def test_probe_is_answered_to_all_nodes() -> None:
    assert ANSWERS.answer(ndp.probe(ASKER, HERE)) == ndp.announcement(OUR_MAC, HERE, HERE)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", DropReason.MALFORMED),
        (asked(HERE)[:-1], DropReason.MALFORMED),
        (asked(HERE, sender=MacAddress.parse("33:33:00:00:00:01")), DropReason.MALFORMED),
        (told(UNKNOWN, OTHER_MAC, OTHER_MAC), DropReason.NDP_MESSAGE_TYPE),
        (asked(UNKNOWN, destination=OTHER_MAC), DropReason.ETHERNET_DESTINATION),
        (asked(HERE, destination=MacAddress.parse("33:33:ff:00:00:11")), DropReason.ETHERNET_DESTINATION),
        (asked(UNKNOWN), DropReason.ADDRESS_NOT_ANNOUNCED),
        (asked(WATCHED), DropReason.ADDRESS_NOT_ANNOUNCED),
        (asked(ELSEWHERE), DropReason.INTERFACE_NOT_MATCHING),
    ],
)
def test_first_reason_to_drop_is_given(frame: bytes, reason: DropReason) -> None:
    assert ANSWERS.answer(frame) is reason


@pytest.mark.parametrize("target", [HERE, WATCHED])
@pytest.mark.parametrize(("option", "sender"), [(OTHER_MAC, ASKER), (None, OTHER_MAC)])
def test_foreign_advertisement_is_a_claim(target: IPv6Address, option: MacAddress | None, sender: MacAddress) -> None:
    assert ANSWERS.claim(told(target, option, sender), {OUR_MAC.octets}) == Claim(target.packed, OTHER_MAC, "eth0")


@pytest.mark.parametrize(
    "frame",
    [
        asked(HERE),
        ndp.probe(OTHER_MAC, HERE),
        told(HERE, OUR_MAC, OUR_MAC),
        told(UNKNOWN, OTHER_MAC, OTHER_MAC),
        told(HERE, OTHER_MAC, OTHER_MAC)[:-1],
        b"",
    ],
)
def test_these_claim_nothing(frame: bytes) -> None:
    assert ANSWERS.claim(frame, {OUR_MAC.octets}) is None


def test_subject_is_what_was_asked_for() -> None:
    assert ANSWERS.subject(asked(HERE)) == HERE.packed
