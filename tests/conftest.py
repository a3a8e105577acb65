"""Settings of all tests. Hypothesis measures no time here: the machine is shared, and slow is not wrong.

A command that is run inside a test configures logging for the process, with that test's captured output.
"""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from orchestrator.supervise.frr import SCRATCH

settings.register_profile("ferrule", settings.default, deadline=None)
settings.load_profile("ferrule")


@pytest.fixture(scope="session", autouse=True)
def interrupts_that_count() -> None:
    """A shell ignores SIGINT in what it starts in the background, and every command started here would inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def scratch_of_killed_daemons() -> Iterator[None]:
    """FRR leaves /var/tmp/frr/<daemon>.<pid> when it is killed: what these tests added goes with them."""
    before = set(SCRATCH.glob("*.*"))
    yield
    for folder in set(SCRATCH.glob("*.*")) - before:
        if not Path("/proc", folder.name.rpartition(".")[2]).exists():
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """Logging as configured by one test ends with it."""
    yield
    structlog.reset_defaults()
