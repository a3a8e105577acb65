"""Goldens: manifests -> frr.conf, and real daemons load each and give back the same lines."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.decide.eligibility import NodeView
from orchestrator.render.canonical import Line, parse
from orchestrator.render.document import Daemon, FrrDocument
from orchestrator.render.ownership import foreign_lines
from orchestrator.resources.classes import CLASSLESS
from orchestrator.runtime.offline import compute, outcome_on
from orchestrator.sources.manifests.reader import read_manifests
from tests.support.frr import Daemons, daemons
from tests.support.frr_versions import FrrVersion, on_both_versions

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/resources.yaml"))
NAMES = [case.name for case in CASES]


def node_of(case: Path) -> str:
    return (case / "node.txt").read_text().strip()


def rendered(case: Path) -> FrrDocument:
    namespace, node = "metallb-system", node_of(case)
    computed = compute(read_manifests([str(case / "resources.yaml")], namespace), None, namespace, CLASSLESS)
    document = outcome_on(computed, computed.config.nodes[node], NodeView(node=node)).document
    assert isinstance(document, FrrDocument)
    return document


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_command_prints_the_golden(case: Path, golden_update: bool, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["render", "--show-passwords", "--node", node_of(case), str(case / "resources.yaml")])
    printed = capsys.readouterr()
    complaints = printed.err.replace(f"{case}/", "")
    if golden_update:
        (case / "frr.conf").write_text(printed.out)
        (case / "problems.txt").write_text(complaints)
    assert status == 0
    assert printed.out == (case / "frr.conf").read_text()
    assert complaints == (case / "problems.txt").read_text()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_golden_is_the_document_and_renders_the_same_again(case: Path) -> None:
    document = rendered(case)
    assert document.text == rendered(case).text
    assert parse((case / "frr.conf").read_text()) == document.lines("bgpd") | document.lines("bfdd")


@pytest.fixture
def scratch(version: FrrVersion) -> Iterator[Daemons]:
    with daemons("g", version) as made:
        yield made


async def _loaded(scratch: Daemons, daemon: Daemon, text: str) -> frozenset[Line]:
    path = scratch.run.daemon_conf(daemon)
    path.write_text(text)
    path.chmod(0o644)
    scratch.start(daemon)
    return await scratch.running(daemon)


@on_both_versions
@pytest.mark.parametrize("case", CASES, ids=NAMES)
async def test_daemons_load_the_golden_and_give_it_back(case: Path, scratch: Daemons) -> None:
    document = rendered(case)
    for daemon in document.daemons:
        running = await _loaded(scratch, daemon, document.daemon_text(daemon))
        assert not document.lines(daemon) - running
        assert not foreign_lines(running, document.lines(daemon))


@on_both_versions
async def test_checker_notices_a_line_that_the_daemon_does_not_take(scratch: Daemons) -> None:
    text = rendered(CASES[0]).daemon_text("bgpd").replace("coalesce-time 0", "coalesce-time soon")
    running = await _loaded(scratch, "bgpd", text)
    assert parse(text) - running == {Line(("router bgp 65001",), "coalesce-time soon")}
