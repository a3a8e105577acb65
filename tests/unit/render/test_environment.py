import pytest
from jinja2 import DictLoader, UndefinedError

from orchestrator.errors import InvalidConfig
from orchestrator.render.environment import OpenedPassword, build_environment, token


@pytest.mark.parametrize("text", ["a b", "a\nb", 'a"b', "a'b", "a`b", "a\\b", "a\x00b", "a\x1bb", "a\u00a0b", ""])
def test_text_that_is_not_one_word_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig):
        token(text)


@pytest.mark.parametrize("value", ["eth0.100", "fd99::1", "s3cret#?!", 65001])
def test_one_word_is_printed_as_it_is(value: object) -> None:
    assert token(value) == str(value)


def printed(template: str, **values: object) -> str:
    return build_environment(DictLoader({"t": template})).get_template("t").render(**values)


def test_every_printed_value_passes_the_check_without_being_asked_to() -> None:
    with pytest.raises(InvalidConfig):
        printed("neighbor {{ name }} activate", name="x\nno router bgp 1")


def test_none_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="missing"):
        printed("port {{ port }}", port=None)


def test_undefined_name_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        printed("{{ nothing }}")


def test_blocks_leave_no_blank_lines() -> None:
    assert printed("a\n{% if yes %}\n  b\n{% endif %}\nc", yes=True) == "a\n  b\nc"


def test_password_may_have_quotes_but_no_blanks_and_is_never_repeated() -> None:
    assert token(OpenedPassword("a\"b'c`d\\e")) == "a\"b'c`d\\e"
    with pytest.raises(InvalidConfig) as raised:
        token(OpenedPassword("geheim two"))
    assert "geheim" not in str(raised.value)
