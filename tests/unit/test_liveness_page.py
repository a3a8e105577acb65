"""Each row of the table of failures names tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "layer2-liveness.md"


def test_every_row_names_tests_that_exist() -> None:
    defined = {
        name
        for path in TESTS.glob("*/*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    table = PAGE.read_text().split("## What happens")[1].split("###")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    named = [set(re.findall(r"`(test_\w+)`", row.rsplit("|", 2)[1])) for row in rows]
    assert len(rows) > 20
    assert all(named)
    assert set().union(*named) <= defined
