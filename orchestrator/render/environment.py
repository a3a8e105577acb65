"""The Jinja2 environment of all daemon templates. The loader is passed in: this package reads no files.

A template prints loops, presence tests and values. Every printed value passes `token`, without being asked to: a
newline in a name would be a second command, a space a second argument.
"""

from jinja2 import BaseLoader, Environment, StrictUndefined

from orchestrator.errors import InvalidConfig

FORBIDDEN = frozenset("\"'`\\")


class OpenedPassword(str):
    """A password on its way into a template: FRR takes quotes in it (8.4.4, tried), and no message repeats it."""

    __slots__ = ()


def token(value: object) -> str:
    """Return `value` as one word of a daemon's language. Raises InvalidConfig for None, spaces, quotes, control characters."""
    if value is None:
        raise InvalidConfig("a value that a template prints is missing")
    text = str(value)
    if isinstance(value, OpenedPassword):
        if not text or not text.isprintable() or any(letter.isspace() for letter in text):
            raise InvalidConfig("the password has blanks or control characters; FRR cannot be told it")
        return text
    if not text or not text.isprintable() or any(letter.isspace() or letter in FORBIDDEN for letter in text):
        raise InvalidConfig(
            f"{text!r} cannot be written into a configuration; use no space, quote or control character"
        )
    return text


def build_environment(loader: BaseLoader) -> Environment:
    """Return the environment; undefined names are errors, blocks leave no blank lines."""
    return Environment(
        loader=loader,
        undefined=StrictUndefined,
        finalize=token,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        autoescape=False,  # noqa: S701 - the output is no HTML; `token` is the escape
    )
