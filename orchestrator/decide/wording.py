"""How texts name many: the first of them, and how many more there are."""

from collections.abc import Sequence

LISTED = 10
"""How many names a text has: of some hundred nodes nobody reads more."""


def listed(names: Sequence[str]) -> str:
    """Return the names in their order, cut after the tenth; "none" if there are none."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more if names else "none"
