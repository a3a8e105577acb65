"""What commands share in what they print."""

import sys
from collections.abc import Iterable

from orchestrator.resources.meta import Problem


def print_problems(problems: Iterable[Problem]) -> None:
    """One line each, on standard error."""
    for problem in problems:
        sys.stderr.write(printable(f"{problem.source or '-'}: {problem.severity.value}: {problem}") + "\n")


def printable(text: str) -> str:
    """Return the text on one line: a name in a manifest may hold anything, and a terminal obeys control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
