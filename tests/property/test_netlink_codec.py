"""Laws of the netlink codec: whatever arrives, nothing is raised."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.packet import netlink, rtnetlink
from orchestrator.packet.netlink import Message, MessageError
from orchestrator.packet.rtnetlink import Kind

kinds = st.sampled_from(Kind) | st.integers(0, 0xFFFF)
messages = st.builds(
    Message, kind=kinds, flags=st.integers(0, 0xFFFF), sequence=st.integers(0, 2**32 - 1), payload=st.binary()
)
attributes = st.dictionaries(st.integers(0, 20), st.binary(max_size=24))
fixed_parts = st.tuples(
    st.sampled_from([b"\2", b"\n", b"\0"]),
    st.sampled_from([7, 11, 15]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
).map(b"".join)
plausible = st.builds(
    Message,
    kind=kinds,
    payload=st.tuples(fixed_parts, attributes.map(netlink.encode_attributes)).map(b"".join),
)


@given(st.lists(messages))
def test_decode_inverts_encode_of_messages(some: list[Message]) -> None:
    assert netlink.decode(b"".join(map(netlink.encode, some))) == tuple(some)


@given(attributes)
def test_decode_inverts_encode_of_attributes(some: dict[int, bytes]) -> None:
    assert netlink.decode_attributes(netlink.encode_attributes(some)) == some


@given(st.binary())
def test_garbage_is_messages_or_an_error(octets: bytes) -> None:
    decoded = netlink.decode(octets)
    assert isinstance(decoded, MessageError) or all(isinstance(each, Message) for each in decoded)
    assert isinstance(netlink.decode_attributes(octets), dict | MessageError)


@given(messages | plausible)
def test_whatever_the_kernel_might_tell_is_decoded_or_refused(message: Message) -> None:
    decoded = rtnetlink.decode(message)
    assert decoded is not None
    assert isinstance(netlink.errno_of(message), int | MessageError)
