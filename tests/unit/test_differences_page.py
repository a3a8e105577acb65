"""The page on differences from MetalLB: all fifty are there, and what it says is shown by tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "differences-from-metallb.md"
VERDICTS = {"fixed", "on purpose", "not applicable", "in part", "not yet"}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below this heading, without its head."""
    below = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0].splitlines()
    lines = [line for line in below if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def defined_tests() -> set[str]:
    return {
        name
        for path in TESTS.glob("**/*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }


def test_every_number_is_there_once() -> None:
    assert [int(row[0]) for row in rows("Weaknesses")] == list(range(1, 51))


def test_every_verdict_is_known_and_a_fix_is_shown() -> None:
    for row in (*rows("Weaknesses"), *rows("Oddities of single rules")):
        verdict, _, shown = row[2:]
        assert verdict in VERDICTS, row
        assert "`test" in shown or verdict == "not applicable", row


def test_every_test_that_is_named_exists() -> None:
    text = PAGE.read_text()
    assert not set(re.findall(r"`(test_\w+)`", text)) - defined_tests()
    assert all((TESTS.parent / path).exists() for path in re.findall(r"`(tests/[^`]+)`", text))
