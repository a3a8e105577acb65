import pytest

from orchestrator.cli.go_flags import FlagParser, two_dashes

KNOWN = ("-h", "-o", "--port", "--ignore-exclude-lb")


@pytest.mark.parametrize(
    ("word", "understood"),
    [
        ("-port=9120", "--port=9120"),
        ("-port", "--port"),
        ("--port=1", "--port=1"),
        ("-ignore-exclude-lb", "--ignore-exclude-lb"),
        ("-o", "-o"),
        ("-unknown", "-unknown"),
        ("-port-x", "-port-x"),
        ("-", "-"),
        ("value", "value"),
        ("a-port=9", "a-port=9"),
    ],
)
def test_one_dash_is_two_where_the_flag_is_known(word: str, understood: str) -> None:
    assert two_dashes([word], KNOWN) == [understood]


def test_flag_is_not_abbreviated() -> None:
    parser = FlagParser()
    parser.add_argument("--port")
    parser.take_go_flags()
    with pytest.raises(SystemExit):
        parser.parse_args(["--por", "1"])


def test_other_commands_keep_their_words() -> None:
    parser = FlagParser()
    parser.add_argument("--name")
    parser.add_argument("words", nargs="...")
    assert parser.parse_args(["find", "-name", "x"]).words == ["find", "-name", "x"]
