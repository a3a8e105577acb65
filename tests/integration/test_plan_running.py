"""`ferrule plan --run`: what it says of daemons that run, beside what they do when the same is applied."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.apply.frr import ApplyResult, FrrAnnouncer
from orchestrator.cli.main import main
from orchestrator.decide.eligibility import NodeView
from orchestrator.render.canonical import Line
from orchestrator.render.commands import Impact
from orchestrator.render.document import FrrDocument
from orchestrator.resources.classes import CLASSLESS
from orchestrator.runtime.offline import Remembered, compute, outcome_on
from orchestrator.settings import DEFAULT_NAMESPACE
from orchestrator.sources.manifests.reader import read_manifests
from tests.support.frr import FRR_GID, PATIENCE_S, Daemons, daemons

NODE = "node-1"
GOLDEN = Path(__file__).parents[1] / "golden"
NOW, NEXT = GOLDEN / "basic-ebgp" / "resources.yaml", GOLDEN / "aggregation" / "resources.yaml"


@pytest.fixture
def running() -> Iterator[Daemons]:
    """bgpd with the routes of NOW; zebra is wanted by sessions of both families and holds no line of ours."""
    with daemons("g") as made:
        made.run.daemon_conf("bgpd").write_text("! empty\n")
        made.run.daemon_conf("bgpd").chmod(0o644)
        made.start("bgpd")
        applied(made, document(NOW))
        yield made


def document(objects: Path, before: FrrDocument | None = None) -> FrrDocument:
    computed = compute(read_manifests([str(objects)], DEFAULT_NAMESPACE), None, DEFAULT_NAMESPACE, CLASSLESS)
    view = NodeView(node=NODE, alive=None, classes=CLASSLESS)
    remembered = Remembered.of(before) if before else Remembered()
    found = outcome_on(computed, computed.config.nodes[NODE], view, remembered=remembered).document
    assert isinstance(found, FrrDocument)
    return found


def applied(made: Daemons, wanted: FrrDocument) -> ApplyResult:
    async def apply() -> ApplyResult:
        announcer = FrrAnnouncer(made.run, gid=FRR_GID, patience_s=PATIENCE_S)
        try:
            return await announcer.apply(wanted)
        finally:
            announcer.close()

    return asyncio.run(apply())


def plan(made: Daemons, objects: Path, *words: str) -> int:
    return main(["plan", "--run", str(made.run.path), "--node", NODE, *words, str(objects)])


def lines(made: Daemons) -> frozenset[Line]:
    return asyncio.run(made.running())


def test_what_runs_needs_nothing(running: Daemons, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(running, NOW) == 0
    assert capsys.readouterr().out == f"{NODE}: nothing changes\n"


def test_plan_gives_no_command_and_foretells_what_applying_does(
    running: Daemons, capsys: pytest.CaptureFixture[str]
) -> None:
    before = lines(running)
    assert plan(running, NEXT, "-o", "json") == 5
    (told,) = json.loads(capsys.readouterr().out)
    assert lines(running) == before
    result = applied(running, document(NEXT, document(NOW)))
    assert (told["impact"], result.impact) == ("session", Impact.SESSION)
    assert len(told["commands"]) == result.commands
    assert plan(running, NEXT) == 0


def test_line_that_somebody_took_away_is_told(running: Daemons, capsys: pytest.CaptureFixture[str]) -> None:
    family = ("router bgp 65001", "address-family ipv4 unicast")
    network = next(line for line in lines(running) if line.context == family and line.text.startswith("network "))
    asyncio.run(running.ask("bgpd", "configure terminal", *family, f"no {network.text}"))
    assert plan(running, NOW) == 3
    assert f"    + {network.text.split()[1]}" in capsys.readouterr().out


def test_daemon_that_does_not_answer_is_a_failure(running: Daemons, capsys: pytest.CaptureFixture[str]) -> None:
    running.kill("bgpd")
    assert plan(running, NOW) == 1
    assert "bgpd does not answer" in capsys.readouterr().err
