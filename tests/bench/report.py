"""The rows as a table for people and as JSON for comparisons."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

from tests.bench.machine import Machine
from tests.bench.rows import Row

PIPE_WIDTH = 200
COLUMNS: tuple[tuple[str, JustifyMethod], ...] = (
    ("measured", "left"),
    ("p50", "right"),
    ("p99", "right"),
    ("n", "right"),
    ("budget", "left"),
    ("note", "left"),
)


def print_table(machine: Machine, rows: Sequence[Row]) -> None:
    """Print on standard output: with borders on a terminal, plain text of full width into a pipe."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    table = Table(box=box.SIMPLE if console.is_terminal else None, pad_edge=False)
    for column, justify in COLUMNS:
        table.add_column(column, justify=justify, no_wrap=justify == "right")
    for row in rows:
        table.add_row(*_cells(row))
    console.print(*_lines(machine), sep="\n", highlight=False)
    console.print(table)


def write_json(path: Path, machine: Machine, rows: Sequence[Row]) -> None:
    """Write `{"machine": ..., "rows": [...]}`."""
    document = {"machine": asdict(machine), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n")


def _cells(row: Row) -> tuple[str, ...]:
    p99 = "" if row.p99 is None else _number(row.p99)
    return (row.name, f"{_number(row.figure)} {row.unit}", p99, str(row.n), row.budget, row.note)


def _number(value: float) -> str:
    """Three significant figures; whole numbers from 100 on."""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def _lines(machine: Machine) -> tuple[str, ...]:
    load = " ".join(f"{value:.2f}" for value in machine.load)
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_mib} MiB, Linux {machine.kernel}",
        f"Python {machine.python}, FRR {machine.frr}, commit {machine.commit}",
        f"/run on {machine.run_filesystem}, load before {load}",
    )
