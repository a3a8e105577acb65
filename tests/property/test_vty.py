"""The vty codec: what is sent is what arrives, however the octets are cut."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fsm.vty import Answer, AnswerDecoder, encode, encode_answer

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)
answers = st.lists(st.builds(Answer, texts, st.integers(0, 255)), max_size=8)


@given(answers, st.lists(st.integers(1, 20)))
def test_decode_inverts_encode(sent: list[Answer], cuts: list[int]) -> None:
    octets = b"".join(map(encode_answer, sent))
    decoder = AnswerDecoder()
    received: list[Answer] = []
    for cut in [*cuts, len(octets)]:
        received.extend(decoder.feed(octets[:cut]))
        octets = octets[cut:]
    assert received == sent


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200))
def test_command_arrives_whole(command: str) -> None:
    assert encode(command).split(b"\0") == [command.encode(), b""]
