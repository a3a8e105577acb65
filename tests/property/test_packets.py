"""Laws of the codecs and of the responder's answers."""

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fsm import heartbeat
from orchestrator.fsm.arp_answers import ArpAnswers, arp_answers
from orchestrator.fsm.heartbeat import Heartbeat, HeartbeatFlag, Refusal
from orchestrator.fsm.responder import DropReason, Scope
from orchestrator.net.link import MacAddress
from orchestrator.packet import arp, ethernet
from orchestrator.packet.arp import FRAME_KIND, ArpPacket, Operation
from orchestrator.packet.ethernet import EthernetFrame, FrameError

OUR_MAC = MacAddress.parse("02:00:00:00:00:02")

macs = st.binary(min_size=6, max_size=6).map(MacAddress)
unicast_macs = macs.filter(lambda mac: not mac.octets[0] & 1)
addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
packets = st.builds(
    ArpPacket,
    operation=st.sampled_from(Operation),
    sender_mac=unicast_macs,
    sender_address=addresses,
    target_mac=macs,
    target_address=addresses,
)
frames = st.builds(EthernetFrame, destination=macs, source=macs, ethertype=st.integers(0, 0xFFFF), payload=st.binary())
garbage = st.binary(max_size=200) | st.tuples(
    st.binary(min_size=12, max_size=12), st.just(FRAME_KIND), st.binary(max_size=60)
).map(b"".join)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
heartbeats = st.builds(
    Heartbeat,
    sender=names,
    receiver=names,
    interval_ms=st.integers(1, heartbeat.MAX_INTERVAL_MS),
    instance=st.integers(0, 2**64 - 1),
    sequence=st.integers(0, 2**64 - 1),
    flags=st.integers(0, 63).map(HeartbeatFlag),
)


def answers_for(owned: set[IPv4Address]) -> ArpAnswers:
    here = frozenset(address.packed for address in owned)
    return arp_answers(Scope(here=here, heard=here), "eth0", OUR_MAC)


@given(frames)
def test_decode_inverts_encode_of_frames(frame: EthernetFrame) -> None:
    assert ethernet.decode(ethernet.encode(frame)) == frame


@given(packets, st.binary(max_size=18))
def test_decode_inverts_encode_of_arp(packet: ArpPacket, padding: bytes) -> None:
    assert arp.decode(arp.encode(packet) + padding) == packet


@given(garbage)
def test_garbage_is_a_value(octets: bytes) -> None:
    assert isinstance(ethernet.decode(octets), EthernetFrame | FrameError)
    assert isinstance(arp.decode(octets), ArpPacket | FrameError)
    assert isinstance(arp.decode_frame(octets), ArpPacket | FrameError)


@given(garbage, st.sets(addresses))
def test_any_frame_gets_a_reply_or_a_reason(frame: bytes, announced: set[IPv4Address]) -> None:
    answers = answers_for(announced)
    assert isinstance(answers.answer(frame), bytes | DropReason)
    answers.claim(frame, {OUR_MAC.octets})


@given(packets, st.sets(addresses), st.booleans())
def test_replies_speak_for_announced_addresses_only(
    packet: ArpPacket, others: set[IPv4Address], announced: bool
) -> None:
    owned = (others | {packet.target_address}) if announced else (others - {packet.target_address})
    reply = answers_for(owned).answer(arp.frame(packet, OUR_MAC))
    assert isinstance(reply, bytes) is (announced and packet.operation is Operation.REQUEST)
    if isinstance(reply, bytes):
        assert arp.decode_frame(reply) == ArpPacket(
            operation=Operation.REPLY,
            sender_mac=OUR_MAC,
            sender_address=packet.target_address,
            target_mac=packet.sender_mac,
            target_address=packet.sender_address,
        )


@given(heartbeats, st.binary())
def test_decode_inverts_encode_of_heartbeats(beat: Heartbeat, key: bytes) -> None:
    assert heartbeat.decode(heartbeat.encode(beat, key), key) == beat


@given(heartbeats, st.binary(min_size=1), st.data())
def test_any_changed_bit_is_refused(beat: Heartbeat, key: bytes, data: st.DataObject) -> None:
    datagram = bytearray(heartbeat.encode(beat, key))
    bit = data.draw(st.integers(0, len(datagram) * 8 - 1))
    datagram[bit // 8] ^= 1 << bit % 8
    assert isinstance(heartbeat.decode(bytes(datagram), key), Refusal)


@given(st.binary(max_size=300), st.binary())
def test_garbage_is_no_heartbeat(datagram: bytes, key: bytes) -> None:
    assert isinstance(heartbeat.decode(datagram, key), Refusal)
