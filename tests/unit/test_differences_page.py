"""The page on differences from MetalLB: all fifty are there, and what it says is shown by tests that exist."""

import re

from tests.support.pages import DOCS, TESTS, defined_tests, named_tests, rows_after

PAGE = DOCS / "differences-from-metallb.md"
VERDICTS = {"fixed", "on purpose", "not applicable", "in part", "not yet"}


def test_every_number_is_there_once() -> None:
    assert [int(row[0]) for row in rows_after(PAGE, "## Weaknesses")] == list(range(1, 51))


def test_every_verdict_is_known_and_a_fix_is_shown() -> None:
    for row in (*rows_after(PAGE, "## Weaknesses"), *rows_after(PAGE, "## Oddities of single rules")):
        verdict, _, shown = row[2:]
        assert verdict in VERDICTS, row
        assert "`test" in shown or verdict == "not applicable", row


def test_every_test_that_is_named_exists() -> None:
    text = PAGE.read_text()
    assert not named_tests(text) - defined_tests()
    assert all((TESTS.parent / path).exists() for path in re.findall(r"`(tests/[^`]+)`", text))
