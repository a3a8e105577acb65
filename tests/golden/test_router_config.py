"""Goldens: manifests -> what the router on the other side needs; FRR takes every line and gives it back, BIRD parses it."""

import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.render.canonical import Line, parse
from orchestrator.render.router_config import Vendor
from tests.support.far_router import BIRD, FrrRouter
from tests.support.frr import Daemons, daemons
from tests.support.frr_versions import FrrVersion, on_both_versions, vtysh

CASES = sorted(path.parent for path in Path(__file__).parent.glob("router-config/*/resources.yaml"))
NAMES = [case.name for case in CASES]
DEFAULTS = frozenset({"detect-multiplier 3", "receive-interval 300", "transmit-interval 300"})
"""What FRR takes and does not repeat, as it does not `activate` for IPv4."""


def words(case: Path) -> list[str]:
    return [*(case / "arguments.txt").read_text().split(), str(case / "resources.yaml")]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize("vendor", list(Vendor), ids=lambda vendor: vendor.value)
def test_command_prints_the_golden(
    case: Path, vendor: Vendor, golden_update: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["router-config", "--vendor", vendor.value, *words(case)])
    printed = capsys.readouterr()
    complaints = printed.err.replace(f"{case}/", "")
    if golden_update:
        (case / f"{vendor.value}.conf").write_text(printed.out)
        (case / "problems.txt").write_text(complaints)
    assert status == 0
    assert printed.out == (case / f"{vendor.value}.conf").read_text()
    assert complaints == (case / "problems.txt").read_text()


@on_both_versions
@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_vtysh_knows_every_line(case: Path, version: FrrVersion) -> None:
    words = [str(vtysh(version)), "--dryrun", "-f", str(case / "frr.conf")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
async def router(version: FrrVersion) -> AsyncIterator[tuple[FrrRouter, Daemons]]:
    with daemons("g", version) as made:
        yield FrrRouter(made), made


@on_both_versions
@pytest.mark.parametrize("case", CASES, ids=NAMES)
async def test_frr_takes_the_golden_and_gives_it_back(case: Path, router: tuple[FrrRouter, Daemons]) -> None:
    text = (case / "frr.conf").read_text()
    far, made = router
    await far.start(text)
    running = await made.running("bgpd") | await made.running("bfdd")
    missing = {line for line in parse(text) - running if line.text not in DEFAULTS}
    assert {line for line in missing if not re.fullmatch(r"neighbor \S+ activate", line.text)} == set()
    assert {line.context[1] for line in missing} <= {"address-family ipv4 unicast"}


@on_both_versions
async def test_checker_notices_a_line_that_frr_does_not_take(router: tuple[FrrRouter, Daemons]) -> None:
    text = (CASES[0] / "frr.conf").read_text()
    far, made = router
    await far.start(text)
    assert far.enter("router bgp 64513\n neighbor nobody passive\n") != []
    assert Line(("router bgp 64513",), "neighbor nobody passive") not in await made.running()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_bird_parses_the_golden(case: Path) -> None:
    assert _parsed(case / "bird.conf") == ""


def test_checker_notices_a_line_that_bird_does_not_take(tmp_path: Path) -> None:
    broken = tmp_path / "bird.conf"
    broken.write_text((CASES[0] / "bird.conf").read_text().replace("export none", "export nothing"))
    assert "syntax error" in _parsed(broken)


def _parsed(path: Path) -> str:
    """What `bird -p` complains of."""
    done = subprocess.run([str(BIRD), "-p", "-c", str(path)], capture_output=True, text=True, timeout=30, check=False)
    assert bool(done.returncode) == bool(done.stderr)
    return done.stderr
