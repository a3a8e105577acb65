"""The map in `orchestrator/__init__.py` is the tree, and house style's sizes hold."""

import ast
from itertools import takewhile
from pathlib import Path

import pytest

import orchestrator

ROOT = Path(orchestrator.__file__).parent
TESTS = Path(__file__).parent
MAY_OPEN = (
    "render/",
    "resources/encode.py",
    "config/passwords.py",
    "config/tokens.py",
    "fsm/orders.py",
    "fsm/responder_api.py",
)
"""Where a SecretText is opened: to be rendered, encoded, judged, or to sign heartbeats."""
PURE = ("net", "resources", "config", "decide", "packet", "render", "fsm")
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def mapped_modules() -> set[Path]:
    """Modules named in the map: a line that starts with `name/` opens a folder, `name.py` words are modules in it."""
    assert orchestrator.__doc__ is not None
    modules: set[Path] = set()
    folder = Path()
    for words in (line.split() for line in orchestrator.__doc__.splitlines() if line.startswith("    ")):
        if words[0].endswith("/"):
            folder = Path(words[0])
        modules.update(folder / word for word in takewhile(lambda word: word.endswith(".py"), words))
    return modules


def test_map_names_every_module() -> None:
    assert {str(path) for path in MODULES} == {str(path) for path in mapped_modules()}


@pytest.mark.parametrize("module", [path for path in MODULES if path.parts[0] in PURE], ids=str)
def test_pure_module_has_unit_tests(module: Path) -> None:
    assert (TESTS / module.parent / f"test_{module.name}").is_file()


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_module_is_at_most_400_lines(module: Path) -> None:
    assert len((ROOT / module).read_text().splitlines()) <= 400


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_functions_are_at_most_50_lines(module: Path) -> None:
    tree = ast.parse((ROOT / module).read_text())
    long = [
        f"{node.name} has {lines} lines"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := _body_lines(node)) > 50
    ]
    assert not long


def _body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, docstring excluded."""
    docstring = ast.get_docstring(function, clean=False)
    end = function.end_lineno or function.lineno
    return end - function.lineno + 1 - (len(docstring.splitlines()) if docstring else 0)


def test_secrets_are_opened_in_render_and_codecs_only() -> None:
    opened = {str(path) for path in MODULES if ".open()" in (ROOT / path).read_text()}
    assert {path for path in opened if not path.startswith(MAY_OPEN)} == set()
