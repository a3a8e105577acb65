import pytest

from orchestrator.errors import InvalidConfig
from orchestrator.fsm.vty import MAX_COMMAND, Answer, AnswerDecoder, Status, encode, encode_answer


def test_command_ends_with_a_zero_octet() -> None:
    assert encode("show version") == b"show version\0"


@pytest.mark.parametrize("command", ["", "a\nb", "a\0b", "a\rb", "a\tb", "x" * (MAX_COMMAND + 1), "ü" * MAX_COMMAND])
def test_command_that_would_be_read_as_something_else_is_refused(command: str) -> None:
    with pytest.raises(InvalidConfig):
        encode(command)


def test_longest_command_is_taken() -> None:
    assert len(encode("x" * MAX_COMMAND)) == MAX_COMMAND + 1


def test_answer_is_text_and_status() -> None:
    (answer,) = AnswerDecoder().feed(b"% Unknown command\n\0\0\0\x02")
    assert answer == Answer("% Unknown command\n", Status.NO_MATCH)
    assert not answer.ok
    assert answer.words == "Unknown command"


def test_incomplete_answer_waits() -> None:
    decoder = AnswerDecoder()
    whole = encode_answer(Answer("PING\n", 0))
    for octet in range(len(whole) - 1):
        assert list(decoder.feed(whole[octet : octet + 1])) == []
    assert list(decoder.feed(whole[-1:])) == [Answer("PING\n", 0)]


def test_pipelined_answers_come_in_order() -> None:
    answers = [Answer("", 0), Answer("no\n", 13), Answer("", 2)]
    assert list(AnswerDecoder().feed(b"".join(map(encode_answer, answers)))) == answers


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("% No such\n  thing\n", 13), "No such thing"),
        (Answer("", 2), "unknown command"),
        (Answer("", 13), ""),
        (Answer("odd", 99), "odd"),
        (Answer("", 99), ""),
    ],
)
def test_words_are_one_line(answer: Answer, words: str) -> None:
    assert answer.words == words
