"""The command `ferrule`; `python -m orchestrator` is the same."""

import signal
from types import FrameType
from typing import NoReturn

from orchestrator.cli.main import main as run_command

TERMINATED = 128 + signal.SIGTERM


def main() -> int:
    """Run the command of this process' arguments; returns the exit status.

    SIGTERM ends it from the first moment on: the kernel gives the first process of a container only those signals that
    it has a handler for, and a pod would wait for its SIGKILL. What ends in an order of its own puts its handler here.
    """
    signal.signal(signal.SIGTERM, _end)
    return run_command()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(TERMINATED)


if __name__ == "__main__":
    raise SystemExit(main())
