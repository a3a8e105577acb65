"""What the documentation says is what the code has."""

import re
from enum import Enum
from pathlib import Path

import pytest

from orchestrator.cli.main import COMMANDS
from orchestrator.decide.accepted import AcceptedReason
from orchestrator.decide.allocated import AllocatedReason
from orchestrator.decide.announced import AnnouncedReason
from orchestrator.decide.conditions import ConditionReason
from orchestrator.decide.node_plan import DeclineReason
from orchestrator.decide.requests import RefusalReason
from orchestrator.decide.sessions import SessionReason
from orchestrator.fsm.responder import DropReason
from orchestrator.settings import DEFAULT_NAMESPACE
from orchestrator.sources.manifests.reader import read_manifests

ROOT = Path(__file__).parents[2]


def test_every_reason_has_its_place_and_no_other_is_explained() -> None:
    explained = re.findall(r'<a id="(\w+)"></a>`(\w+)`', (ROOT / "docs" / "reasons.md").read_text())
    conditions: tuple[type[Enum], ...] = (
        AllocatedReason,
        AnnouncedReason,
        ConditionReason,
        AcceptedReason,
        SessionReason,
    )
    enums: tuple[type[Enum], ...] = (RefusalReason, DeclineReason, DropReason, *conditions)
    assert [anchor for anchor, _ in explained] == [name for _, name in explained]
    assert sorted(name for name, _ in explained) == sorted({reason.value for enum in enums for reason in enum})


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_commands_in_the_readme_exist() -> None:
    used = set(re.findall(r"^(?:\$ )?ferrule ([\w-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert used <= {command.name for command in COMMANDS}


def test_make_targets_in_the_readme_exist() -> None:
    used = set(re.findall(r"(?:^|`)make ([a-z0-9-]+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert used <= targets


@pytest.mark.parametrize("page", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_objects_in_the_documentation_are_accepted(page: str, tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)
    for number, block in enumerate(block for block in blocks if block.startswith("apiVersion")):
        (tmp_path / f"{number}.yaml").write_text(block)
    read = read_manifests([str(tmp_path)], DEFAULT_NAMESPACE)
    assert [str(problem) for problem in read.all_problems] == []
