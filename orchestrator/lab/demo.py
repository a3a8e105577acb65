"""`ferrule lab demo`: builds a lab, runs the steps in front of the user, removes the lab whatever happens.

On a terminal with colors and frames, into a pipe as plain text.
"""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orchestrator.errors import OrchestratorError
from orchestrator.lab import layout, record
from orchestrator.lab.steps import STEPS, Outcome, Report, Step, duration
from orchestrator.lab.topology import Lab

PIPE_WIDTH = 10_000
"""Nothing is wrapped or cut that another program may read."""
LOG_TAIL = 10
FAILURES = (OrchestratorError, subprocess.SubprocessError, OSError)
"""What a step meets when the lab does not do what it should; anything else is a bug of the demo."""


class Screen(Report):
    """Prints what steps say."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self._box = box.ROUNDED if self.console.is_terminal else None
        if not self.console.is_terminal:
            self.console = Console(highlight=False, width=PIPE_WIDTH)

    def title(self, text: str) -> None:
        self._print(Text(f"\n{text}", style="bold cyan"), indent=0)

    def say(self, text: str, style: str = "") -> None:
        self._print(Text(text, style=style), indent=2)

    def block(self, title: str, text: str) -> None:
        self.say(f"{title}:")
        self._print(Text(text.strip("\n"), style="dim"), indent=4)

    def table(self, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        table = Table(*columns, box=self._box, pad_edge=self._box is not None)
        for row in rows:
            table.add_row(*map(Text, row))
        self._print(table, indent=2)

    def _print(self, what: RenderableType, indent: int) -> None:
        padded = Padding(what, (0, 0, 0, indent), expand=False)
        if self.console.is_terminal:
            self.console.print(padded)
            return
        with self.console.capture() as captured:
            self.console.print(padded)
        print(*(line.rstrip() for line in captured.get().splitlines()), sep="\n", flush=True)


def run(name: str) -> int:
    """Run all steps; returns 0 if each held, else 1."""
    screen = Screen()
    outcomes: list[Outcome] = []
    began = time.monotonic()
    with record.exclusive(name), _ending_on_signals():
        try:
            lab = Lab.up(name)
            screen.say(f"{len(lab.machines)} network namespaces wired in {duration(time.monotonic() - began)}")
            for number, step in enumerate(STEPS, start=1):
                screen.title(f"{number}. {step.shown}")
                outcomes.append(_attempt(step, lab, screen))
                if number == 1 and not outcomes[0].held:
                    break
            if not all(outcome.held for outcome in outcomes):
                _explain(lab, screen)
        finally:
            with _deaf():
                record.clear(name)
    _summarize(screen, outcomes, time.monotonic() - began)
    return 0 if len(outcomes) == len(STEPS) and all(outcome.held for outcome in outcomes) else 1


def _attempt(step: Step, lab: Lab, screen: Screen) -> Outcome:
    try:
        outcome = step.run(lab, screen)
    except FAILURES as error:
        outcome = Outcome(measured=f"failed: {error}", held=False)
    mark, style = ("=>", "green") if outcome.held else ("=> DID NOT HOLD:", "bold red")
    screen.say(f"{mark} {outcome.measured}", style)
    return outcome


def _summarize(screen: Screen, outcomes: list[Outcome], took_s: float) -> None:
    rows = [
        (str(number), step.shown, outcome.measured, "yes" if outcome.held else "NO")
        for number, (step, outcome) in enumerate(zip(STEPS, outcomes, strict=False), start=1)
    ]
    screen.title(f"summary ({took_s:.0f} s, everything removed)")
    screen.table(("step", "shown", "measured", "held"), rows)


def _explain(lab: Lab, screen: Screen) -> None:
    """Show the last warnings and errors of each of our processes; the router's daemons have a format of their own."""
    for started in lab.processes:
        if started.machine == layout.ROUTER:
            continue
        lines = [line for line in Path(started.log).read_text(errors="replace").splitlines() if _is_serious(line)]
        if lines:
            screen.block(started.identity.name, "\n".join(lines[-LOG_TAIL:]))


def _is_serious(line: str) -> bool:
    """Whether a line is a warning or an error, or no log line at all but a traceback's."""
    try:
        fields = json.loads(line)
    except ValueError:
        return True
    return isinstance(fields, dict) and fields.get("level") in ("warn", "warning", "error", "critical")


@contextlib.contextmanager
def _ending_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, so that the lab is removed; SIGINT is an exception by itself."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Ignore a second Ctrl-C while the lab is being removed."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
