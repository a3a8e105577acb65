"""Scenarios on a real cluster: one cluster per module, steps with their times, logs of what failed."""

import contextlib
from collections.abc import Generator, Iterator

import pytest

from tests.e2e.cluster.cluster import Cluster
from tests.e2e.cluster.running import running_cluster
from tests.e2e.cluster.steps import Step, StepMaker, maker, table

STEPS = pytest.StashKey[list[Step]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STEPS] = []


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    step = maker(request.node.name, request.config.stash[STEPS])
    with contextlib.ExitStack() as stack:
        with step("cluster up"):
            running = stack.enter_context(running_cluster())
        yield running


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest, cluster: Cluster) -> Cluster:
    """The cluster with our manifest applied, controller and speakers ready."""
    with maker(request.node.name, request.config.stash[STEPS])("installed"):
        cluster.install()
    return cluster


@pytest.fixture
def step(request: pytest.FixtureRequest) -> StepMaker:
    """`with step("what happens"):` measures it for the table."""
    return maker(request.node.nodeid.rpartition("/")[2], request.config.stash[STEPS])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, Cluster):
        report.sections.append(("logs of the cluster", cluster.last_words()))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if steps := terminalreporter.config.stash[STEPS]:
        terminalreporter.section("steps and their times")
        for line in table(steps):
            terminalreporter.line(line)
