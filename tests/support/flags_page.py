"""The tables of docs/flags.md, made from the commands' own flags: `python -m tests.support.flags_page` writes them."""

import argparse
import os
import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.cli import without_effect
from orchestrator.cli.main import build_parser

PAGE = Path(__file__).parents[2] / "docs" / "flags.md"
COMMANDS = ("controller", "speaker", "supervise")


def page_with_tables(text: str) -> str:
    """Return the page with each table between its marks made anew."""
    for command in COMMANDS:
        text = _between(text, command, _effective(command))
        if any(command in entry.of for entry in without_effect.TABLE):
            text = _between(text, f"{command} without effect", _without_effect(command))
    return text


def _between(text: str, mark: str, lines: Iterator[str]) -> str:
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    assert begin in text, begin
    assert end in text, end
    return re.sub(
        re.escape(begin) + ".*?" + re.escape(end),
        lambda _: begin + "\n".join(lines) + "\n" + end,
        text,
        flags=re.DOTALL,
    )


def _effective(command: str) -> Iterator[str]:
    yield "| flag | meaning |"
    yield "|---|---|"
    inert = {entry.destination for entry in without_effect.TABLE}
    for action in _parser(command)._actions:
        if action.option_strings and action.dest not in {"help", *inert}:
            flags = ", ".join(f"`{flag}`" for flag in action.option_strings)
            yield f"| {flags} | {_help(action)} |"


def _without_effect(command: str) -> Iterator[str]:
    yield "| flag | variable | why it has no effect |"
    yield "|---|---|---|"
    for entry in without_effect.TABLE:
        if command in entry.of:
            flag, variable = (f"`{name}`" if name else "" for name in (entry.flag and f"--{entry.flag}", entry.env))
            yield f"| {flag} | {variable} | {entry.why} |"


def _help(action: argparse.Action) -> str:
    assert action.help, action
    return (action.help % vars(action)).replace("|", "\\|")


def _parser(command: str) -> argparse.ArgumentParser:
    """The command's parser as it is without MetalLB's environment."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("METALLB_", "FRR"))}
    try:
        (commands,) = (each for each in build_parser(command)._actions if isinstance(each, argparse._SubParsersAction))
    finally:
        os.environ.update(kept)
    parser = commands.choices[command]
    assert isinstance(parser, argparse.ArgumentParser)
    return parser


if __name__ == "__main__":
    PAGE.write_text(page_with_tables(PAGE.read_text()))
