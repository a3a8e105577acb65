"""A password that cannot be printed by accident."""


class SecretText:
    """Text whose repr and str are `***`. `open()` is called by `render` and by the encoder of our own sockets only.

    No dataclass: msgspec would encode and decode that as a mapping of its fields, past the hooks that open and close it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and self._text == other._text

    def __hash__(self) -> int:
        return hash((SecretText, self._text))

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def open(self) -> str:
        """Return the text itself."""
        return self._text
