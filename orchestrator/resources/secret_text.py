"""A password that cannot be printed by accident."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class SecretText:
    """Text whose repr and str are `***`. `open()` is called by `render` and by the encoder of our own sockets only."""

    _text: str

    def __repr__(self) -> str:
        return "***"

    def __str__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def open(self) -> str:
        """Return the text itself."""
        return self._text
