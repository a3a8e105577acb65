"""A failed test on a lab shows the end of the lab's logs."""

from collections.abc import Generator

import pytest

from orchestrator.lab.topology import Lab
from tests.support.plane_fixture import plane, plane_setup, tenant
from tests.support.running_lab import last_words

__all__ = ["plane", "plane_setup", "tenant"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and isinstance(lab, Lab):
        report.sections.append(("logs of the lab", last_words(lab)))
    return report
