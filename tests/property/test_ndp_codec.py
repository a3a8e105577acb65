"""Laws of the codec of NDP and of the replies that are put together without it."""

from ipaddress import IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fsm.ndp_answers import ndp_answers
from orchestrator.fsm.responder import Claim, DropReason, Scope
from orchestrator.net.link import MacAddress
from orchestrator.packet import ndp
from orchestrator.packet.ethernet import FrameError
from orchestrator.packet.ndp import Advertisement, Flag, Solicitation

OUR_MAC = MacAddress.parse("02:00:00:00:00:02")

macs = st.binary(min_size=6, max_size=6).map(MacAddress).filter(lambda mac: not mac.octets[0] & 1)
addresses = st.integers(1, (0xFF << 120) - 1).map(IPv6Address)
groups = st.integers(0xFF << 120, 2**128 - 1).map(IPv6Address)
solicitations = st.builds(
    Solicitation,
    source=addresses,
    destination=addresses | groups,
    target=addresses,
    source_mac=st.none() | macs,
)
probes = addresses.map(
    lambda target: Solicitation(
        source=IPv6Address(0), destination=IPv6Address(ndp.solicited_node(target.packed)), target=target
    )
)
told_all = st.sampled_from([Flag.NONE, Flag.OVERRIDE, Flag.ROUTER, Flag.ROUTER | Flag.OVERRIDE])
told_one = st.sets(st.sampled_from(list(Flag))).map(lambda flags: Flag(sum(flags)))
advertisements = st.builds(
    Advertisement,
    source=addresses,
    destination=addresses,
    target=addresses,
    flags=told_one,
    target_mac=st.none() | macs,
) | st.builds(
    Advertisement, source=addresses, destination=groups, target=addresses, flags=told_all, target_mac=st.none() | macs
)
messages = solicitations | probes | advertisements
unknown_options = st.lists(
    st.tuples(st.integers(3, 255), st.integers(1, 3)).map(lambda told: bytes(told) + bytes(told[1] * 8 - 2)), max_size=4
).map(b"".join)


def resealed(frame: bytes, options: bytes) -> bytes:
    """The frame with more options, and length and checksum made right."""
    body = frame[54:56] + b"\0\0" + frame[58:] + options
    total = int.from_bytes(frame[22:54] + body) + len(body) + ndp.NEXT_HEADER
    return frame[:18] + len(body).to_bytes(2) + frame[20:54] + body[:2] + ndp.checksum(total) + body[4:]


@given(messages, macs, macs, st.binary(max_size=10))
def test_decode_inverts_encode(
    message: ndp.Message, source: MacAddress, destination: MacAddress, padding: bytes
) -> None:
    assert ndp.decode_frame(ndp.frame(message, source, destination) + padding) == message


@given(messages, unknown_options)
def test_unknown_options_are_passed_over(message: ndp.Message, options: bytes) -> None:
    assert ndp.decode_frame(resealed(ndp.frame(message, OUR_MAC, OUR_MAC), options)) == message


@given(messages, st.data())
def test_any_changed_bit_is_noticed(message: ndp.Message, data: st.DataObject) -> None:
    """Version and next header say what it is, the checksum covers the rest; traffic class and flow are free."""
    frame = bytearray(ndp.frame(message, OUR_MAC, OUR_MAC))
    bit = data.draw(st.integers(18 * 8, len(frame) * 8 - 1))
    frame[bit // 8] ^= 1 << bit % 8
    assert isinstance(ndp.decode_frame(bytes(frame)), FrameError)


@given(messages, st.binary(max_size=60), st.integers(0, 100), st.booleans())
def test_garbage_is_a_value(message: ndp.Message, garbage: bytes, at: int, sealed: bool) -> None:
    frame = ndp.frame(message, OUR_MAC, OUR_MAC)
    frame = frame[:at] + garbage + frame[at + len(garbage) :]
    if sealed and len(frame) > ndp.OPTIONS_AT:
        frame = resealed(frame, b"")
    assert isinstance(ndp.decode_frame(frame), Solicitation | Advertisement | FrameError)
    answers = ndp_answers(Scope(here=frozenset({message.target.packed})), "eth0", OUR_MAC)
    assert isinstance(answers.answer(frame), bytes | DropReason)
    answers.claim(frame, {OUR_MAC.octets})


@given(solicitations, macs)
def test_reply_is_what_the_codec_says(asked: Solicitation, asker: MacAddress) -> None:
    here = frozenset({asked.target.packed})
    reply = ndp_answers(Scope(here=here), "eth0", OUR_MAC).answer(ndp.frame(asked, asker, OUR_MAC))
    told = Advertisement(
        source=asked.target,
        destination=asked.source,
        target=asked.target,
        flags=Flag.SOLICITED | Flag.OVERRIDE,
        target_mac=OUR_MAC,
    )
    assert isinstance(reply, bytes)
    assert ndp.decode_frame(reply) == told
    assert reply[:12] == (asked.source_mac or asker).octets + OUR_MAC.octets


@given(probes, macs)
def test_probe_is_answered_to_all(asked: Solicitation, asker: MacAddress) -> None:
    here = frozenset({asked.target.packed})
    group_mac = ndp.group_mac(ndp.solicited_node(asked.target.packed))
    reply = ndp_answers(Scope(here=here), "eth0", OUR_MAC).answer(ndp.frame(asked, asker, group_mac))
    assert reply == ndp.announcement(OUR_MAC, asked.target, asked.target)


@given(advertisements, macs, st.booleans())
def test_foreign_advertisement_of_a_heard_address_is_a_claim(
    told: Advertisement, sender: MacAddress, heard: bool
) -> None:
    scope = Scope(heard=frozenset({told.target.packed} if heard else ()))
    claimed = ndp_answers(scope, "eth0", OUR_MAC).claim(ndp.frame(told, sender, OUR_MAC), {OUR_MAC.octets})
    mac = told.target_mac or sender
    expected = Claim(told.target.packed, mac, "eth0") if heard and mac != OUR_MAC else None
    assert claimed == expected
