import msgspec
import pytest

from orchestrator.resources.secret_text import SecretText

SECRET = SecretText("hunter2")


def test_no_way_of_printing_shows_the_text() -> None:
    printed = (str(SECRET), repr(SECRET), f"{SECRET}", f"{SECRET!r}", f"{[SECRET]}", "%s" % SECRET)  # noqa: UP031  # each way of printing
    assert not any("hunter2" in text for text in printed)
    assert SECRET.open() == "hunter2"


def test_encoder_without_the_hook_refuses_it() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode(SECRET)


def test_equal_texts_are_equal_secrets() -> None:
    assert SecretText("hunter2") == SECRET
    assert SecretText("other") != SECRET
    assert SECRET != "hunter2"
    assert len({SECRET, SecretText("hunter2")}) == 1


def test_empty_secret_is_false() -> None:
    assert not SecretText("")
    assert SECRET
