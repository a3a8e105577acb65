"""Steps of a scenario: what a user does and sees, each with the time it took and what was counted; a table at the end."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

Teller = Callable[[str], None]
StepMaker = Callable[[str], AbstractContextManager[Teller]]
"""What the step gives takes figures for the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`failed` steps took as long as it took to give up."""

    scenario: str
    text: str
    duration_s: float
    failed: bool
    figures: tuple[str, ...] = ()


def maker(scenario: str, steps: list[Step]) -> StepMaker:
    """Return the `step` of a scenario, whose steps are added to `steps` as they end."""

    @contextlib.contextmanager
    def step(text: str) -> Iterator[Teller]:
        begun, failed, figures = time.monotonic(), True, list[str]()
        try:
            yield figures.append
            failed = False
        finally:
            duration_s = time.monotonic() - begun
            steps.append(
                Step(scenario=scenario, text=text, duration_s=duration_s, failed=failed, figures=tuple(figures))
            )

    return step


def table(steps: Sequence[Step]) -> list[str]:
    """Lines to print: scenarios in the order of their first step."""
    lines = []
    for scenario in dict.fromkeys(step.scenario for step in steps):
        own = [step for step in steps if step.scenario == scenario]
        lines.append(f"{sum(step.duration_s for step in own):8.2f} s  {scenario}")
        for step in own:
            lines.append(f"{step.duration_s:8.2f} s    {'FAILED: ' if step.failed else ''}{step.text}")
            lines += [f"{'':10}      {figure}" for figure in step.figures]
    return lines
