"""Pages of the documentation that name tests: their tables, and which tests there are."""

import itertools
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"


def rows_after(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below this heading, without its head."""
    below = page.read_text().split(f"{heading}\n")[1].splitlines()
    table = itertools.takewhile(
        lambda line: line.startswith("|"), itertools.dropwhile(lambda line: not line.startswith("|"), below)
    )
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table][2:]


def defined_tests() -> set[str]:
    """The names of all test functions."""
    return {
        name
        for path in TESTS.glob("**/*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }


def named_tests(text: str) -> set[str]:
    """The tests that a text names."""
    return set(re.findall(r"`(test_\w+)`", text))
