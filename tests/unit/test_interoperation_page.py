"""The page on interoperation names tests that exist, one in each row, and no test of that kind is left out."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "interoperation.md"


def defined_in(pattern: str) -> set[str]:
    """The names of the tests in these files."""
    texts = (path.read_text() for path in TESTS.glob(pattern))
    return {name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}


def test_every_feature_names_tests_that_exist() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    assert all(re.search(r"`test_\w+`", row.rsplit(" | ", 1)[-1]) for row in rows)
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))
    assert named <= defined_in("**/*.py")
    assert defined_in("integration/test_interoperation*.py") <= named
