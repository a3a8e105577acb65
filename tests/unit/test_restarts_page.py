"""The page on restarts: each part has its row, and each cell of the table is shown by a test that exists."""

import pytest

from tests.support.pages import DOCS, defined_tests, named_tests, rows_after

PAGE = DOCS / "restarts.md"
PARTS = ("speaker", "supervisor", "bgpd", "zebra", "bfdd", "responder", "the daemons' container", "the pod")


@pytest.mark.parametrize(("heading", "cells"), [("## FRR", 3), ("## ExaBGP", 2)])
def test_every_cell_names_a_test(heading: str, cells: int) -> None:
    rows = rows_after(PAGE, heading)
    assert all(len(row) == cells for row in rows)
    assert [row[0] for row in rows for cell in row[1:] if not named_tests(cell)] == []


def test_every_part_of_a_node_has_its_row() -> None:
    first = [row[0] for row in rows_after(PAGE, "## FRR")]
    assert [part for part in PARTS if not any(cell.startswith(part) for cell in first)] == []


def test_every_test_that_is_named_exists() -> None:
    assert named_tests(PAGE.read_text()) - defined_tests() == set()
