"""What a benchmark reports. Figures are medians over `n` repetitions; budgets stand beside them and fail nothing."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `figure` is the median of `n` samples or a single measurement; `p99` None: too few samples.

    `budget` is design.md's words, empty if it names none. `note` says what the figure does not.
    """

    name: str
    figure: float
    unit: str
    n: int = 1
    p99: float | None = None
    budget: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much to measure: `quick` shows that everything works and is no measurement."""

    quick: bool = False

    def times(self, wanted: int) -> int:
        """Return how often to repeat what is usually repeated `wanted` times."""
        return max(3, wanted // 10) if self.quick else wanted

    def sizes(self, *wanted: int) -> Sequence[int]:
        """Return the sizes to measure at."""
        return wanted[:2] if self.quick else wanted


def percentile(samples: Iterable[float], percent: float) -> float:
    """Return the nearest-rank percentile: a sample, never an interpolation. Raises ValueError for none."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("no samples")
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def row_of(name: str, samples: Sequence[float], unit: str, *, budget: str = "", note: str = "") -> Row:
    """Return median and p99 of samples; with fewer than 100 the p99 is the largest."""
    return Row(
        name=name,
        figure=statistics.median(samples),
        unit=unit,
        n=len(samples),
        p99=percentile(samples, 99) if len(samples) > 1 else None,
        budget=budget,
        note=note,
    )
