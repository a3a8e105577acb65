"""The map in `orchestrator/__init__.py` is the tree, and house style's sizes hold."""

import ast
from pathlib import Path

import pytest

import orchestrator

ROOT = Path(orchestrator.__file__).parent
TESTS = Path(__file__).parent
PURE = ("net", "resources", "config", "decide", "packet", "render", "fsm")
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py") if path.name != "__init__.py")


def mapped_modules() -> set[Path]:
    """Modules named in the map: `name/` opens a folder (a path below the package), `name.py` is a module in it."""
    assert orchestrator.__doc__ is not None
    modules, folder = set(), Path()
    for line in orchestrator.__doc__.splitlines():
        words = line.split()
        if not words or not line.startswith("    ") or "->" in words:
            continue
        for word in words:
            if word.endswith("/"):
                folder = Path(word)
            elif word.endswith(".py"):
                modules.add(folder / word)
            else:
                break
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
    allowed = {path for path in opened if path.startswith(("render/", "resources/", "config/"))}
    assert opened <= allowed
