"""
Settings of all tests. Hypothesis measures no time here: the machine is shared, and slow is not wrong.

A command that is run inside a test configures logging for the process, with that test's captured output.
"""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

settings.register_profile("ferrule", settings.default, deadline=None)
settings.load_profile("ferrule")


@pytest.fixture(autouse=True)
def logging_of_its_own() -> Iterator[None]:
    """Logging as configured by one test ends with it."""
    yield
    structlog.reset_defaults()
