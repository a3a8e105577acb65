"""How texts name many: the first of them, and how many more there are."""

from collections.abc import Sequence

LISTED = 10
"""How many names a text has: of some hundred nodes nobody reads more."""


def shortened(texts: Sequence[str], most: int) -> list[str]:
    """Return the first texts, and as one more how many others there are."""
    others = len(texts) - most
    return [*texts[:most], f"and {others} more"] if others > 0 else list(texts)


def listed(names: Sequence[str], most: int = LISTED) -> str:
    """Return the first names in their order, and how many more there are; "none" if there are none."""
    others = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + others if names else "none"
